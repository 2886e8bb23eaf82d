//! Steps of a test run: each one runs, its output goes to a log, and a failed one shows the end of it.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::command;
use crate::error::{At, Error};
use crate::interrupt;
use crate::show::Show;
use crate::workspace;

/// Of the column with the names.
const WIDTH: usize = 44;

/// What ran so far, and how it went.
pub struct Steps {
    begin: Instant,
    logs: PathBuf,
    passed: usize,
    failed: Vec<String>,
    not_run: Vec<String>,
}

impl Steps {
    /// None yet.
    pub fn new() -> Result<Self, Error> {
        let logs = workspace::root().join("target/xtask-test");
        fs::create_dir_all(&logs).at("create", &logs)?;
        Ok(Self { begin: Instant::now(), logs, passed: 0, failed: Vec::new(), not_run: Vec::new() })
    }

    /// Runs a step to its end and says how it went. An error only if it was interrupted or could not be started.
    pub fn run(&mut self, name: &str, command: Command) -> Result<bool, Error> {
        let alone = command::line(&command);
        self.run_with(name, command, &alone)
    }

    /// The same for a command that alone is not enough: `alone` is what somebody types to see the failure again.
    pub fn run_with(&mut self, name: &str, mut command: Command, alone: &str) -> Result<bool, Error> {
        interrupt::check()?;
        let path = self.logs.join(format!("{}.log", file_name(name)));
        let log = File::create(&path).at("create", &path)?;
        let errors = log.try_clone().at("create", &path)?;
        command.stdin(Stdio::null()).stdout(log).stderr(errors);
        let begin = Instant::now();
        let status = {
            let _show = Show::new(name);
            command.status().map_err(|source| command::cannot_run(&command, source))?
        };
        interrupt::check()?;
        let seconds = begin.elapsed().as_secs_f32();
        if status.success() {
            println!("{name:<WIDTH$} ok      {seconds:>6.1} s");
            self.passed += 1;
            return Ok(true);
        }
        println!("{name:<WIDTH$} FAILED  {seconds:>6.1} s");
        let output = fs::read(&path).unwrap_or_default();
        println!("{}", command::tail(&String::from_utf8_lossy(&output)));
        println!("  all of it: {}\n  alone:     {alone}", path.display());
        self.failed.push(name.to_owned());
        Ok(false)
    }

    /// Notes a step that cannot run, and why.
    pub fn not_run(&mut self, name: &str, reason: &str) {
        println!("{name:<WIDTH$} not run: {reason}");
        self.not_run.push(format!("{name} ({reason})"));
    }

    /// Notes a step that failed before it began.
    pub fn failed(&mut self, name: &str, reason: &str) {
        println!("{name:<WIDTH$} FAILED\n{}", command::tail(reason));
        self.failed.push(name.to_owned());
    }

    /// The last line. True when nothing failed.
    pub fn finish(self) -> bool {
        println!("{}", self.last_line());
        self.failed.is_empty()
    }

    fn last_line(&self) -> String {
        let ran = self.passed + self.failed.len();
        let failed = match self.failed.as_slice() {
            [] => "0 failed".to_owned(),
            names => format!("{} failed ({})", names.len(), names.join(", ")),
        };
        let seconds = self.begin.elapsed().as_secs();
        let not_run = match self.not_run.as_slice() {
            [] => String::new(),
            reasons => format!("; not run: {}", reasons.join(", ")),
        };
        format!("test: {ran} ran, {failed} in {seconds} s{not_run}")
    }
}

fn file_name(step: &str) -> String {
    step.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_says_what_ran_and_what_did_not() {
        let mut steps = Steps::new().unwrap();
        assert!(steps.run("self-test good", Command::new("true")).unwrap());
        assert!(steps.last_line().starts_with("test: 1 ran, 0 failed in "), "{}", steps.last_line());
        assert!(!steps.run("self-test bad", Command::new("false")).unwrap());
        steps.not_run("advisories", "no network");
        let line = steps.last_line();
        assert!(line.starts_with("test: 2 ran, 1 failed (self-test bad) in "), "{line}");
        assert!(line.ends_with("; not run: advisories (no network)"), "{line}");
        assert!(!steps.finish());
    }
}
