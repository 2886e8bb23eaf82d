//! What a waiting person sees: a moving line on a terminal, plain lines elsewhere. All of it on stderr.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use obstack_sandbox::Progress;

const TICK: Duration = Duration::from_millis(100);

/// One line of progress.
#[derive(Debug)]
pub struct Show {
    bar: Option<ProgressBar>,
}

impl Show {
    /// A line that says what goes on. It disappears when it is dropped.
    pub fn new(message: &str) -> Self {
        if !std::io::stderr().is_terminal() {
            return Self { bar: None };
        }
        let bar = ProgressBar::new_spinner().with_message(message.to_owned());
        bar.set_style(style("{spinner} {wide_msg} {elapsed}"));
        bar.enable_steady_tick(TICK);
        Self { bar: Some(bar) }
    }

    /// Changes the line; elsewhere than on a terminal it is printed.
    pub fn now(&self, message: &str) {
        match &self.bar {
            Some(bar) => bar.set_message(message.to_owned()),
            None => eprintln!("{message}"),
        }
    }

    /// Changes the line where it moves, and prints nothing elsewhere.
    pub fn now_quietly(&self, message: String) {
        if let Some(bar) = &self.bar {
            bar.set_message(message);
        }
    }

    /// Prints a line that stays.
    pub fn stay(&self, message: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| eprintln!("{message}")),
            None => eprintln!("{message}"),
        }
    }

    /// News from the sandbox.
    pub fn sandbox(&self, progress: Progress) {
        match progress {
            Progress::Step { name, detail } => self.now(&format!("{name}: {detail}")),
            Progress::Building { tool, index, of } => {
                self.now(&format!(
                    "building {tool} ({index} of {of}), once; about nine minutes for all on two cores"
                ));
            }
            Progress::Built { tool, seconds } => self.stay(&format!("built {tool} in {seconds} s")),
            Progress::Done { detail, milliseconds } => {
                self.stay(&format!(
                    "sandbox: {detail} ({}.{} s)",
                    milliseconds / 1000,
                    milliseconds % 1000 / 100
                ));
            }
            _ => {}
        }
    }
}

impl Drop for Show {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// A style of a progress line; the default one if it has a fault.
pub fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}
