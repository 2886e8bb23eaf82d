//! Ctrl-C: noted, told to the programs that were started, and noticed at the next step.
//!
//! What runs in the same process group is ended here. The sandbox and the operator have groups of their own, and are
//! taken down in order by whoever started them.

use std::collections::HashMap;
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, getpgrp, getpid, kill_process};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::error::Error;

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Begins to listen for signals.
pub fn listen() -> Result<(), Error> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])
        .map_err(|source| Error::Run { program: "signal handler".into(), source })?;
    thread::spawn(move || {
        for _ in signals.forever() {
            INTERRUPTED.store(true, Ordering::SeqCst);
            end_children();
        }
    });
    Ok(())
}

/// An error once a signal came.
pub fn check() -> Result<(), Error> {
    if INTERRUPTED.load(Ordering::SeqCst) { Err(Error::Interrupted) } else { Ok(()) }
}

/// Sleeps, but not through a signal.
pub fn sleep(time: Duration) -> Result<(), Error> {
    let begin = Instant::now();
    while begin.elapsed() < time {
        check()?;
        thread::sleep(Duration::from_millis(50).min(time.saturating_sub(begin.elapsed())));
    }
    check()
}

/// Ends the programs below this one that share its process group.
fn end_children() {
    let (own, group) = (getpid(), getpgrp().as_raw_pid());
    let family: HashMap<i32, (i32, i32)> = processes();
    for (&pid, &(_, of_group)) in &family {
        if of_group == group
            && is_below(&family, pid, own.as_raw_pid())
            && let Some(pid) = Pid::from_raw(pid)
        {
            let _ = kill_process(pid, Signal::TERM);
        }
    }
}

/// Whether a process is a child of the other one, or a child of its children.
fn is_below(family: &HashMap<i32, (i32, i32)>, pid: i32, top: i32) -> bool {
    let mut now = pid;
    for _ in 0..family.len() {
        match family.get(&now) {
            Some(&(parent, _)) if parent == top => return true,
            Some(&(parent, _)) => now = parent,
            None => return false,
        }
    }
    false
}

/// Parent and process group of every process.
fn processes() -> HashMap<i32, (i32, i32)> {
    let Ok(entries) = fs::read_dir("/proc") else { return HashMap::new() };
    entries
        .flatten()
        .filter_map(|entry| {
            let pid: i32 = entry.file_name().to_str()?.parse().ok()?;
            let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
            // The name may hold spaces and parentheses: what follows the last one is fixed.
            let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(1);
            Some((pid, (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?)))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn only_what_is_below_is_found() {
        let mut child = Command::new("sleep").arg("30").spawn().unwrap();
        let (own, pid) = (getpid().as_raw_pid(), i32::try_from(child.id()).unwrap());
        let family = processes();
        assert!(is_below(&family, pid, own));
        assert!(!is_below(&family, own, own));
        assert!(!is_below(&family, 1, own));
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
