//! Exit codes.

use std::process::ExitCode;

/// What the exit codes mean, as the help says it.
pub const EXIT_CODES: &str = "Exit codes:
  0    done; of plan and diff: nothing would change
  1    failed, wrong usage, or something is not as it should be
  2    of plan, diff and adopt: there are changes
  130  interrupted";

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// As it should; nothing would change.
    Done,
    /// It could not be done, or what was looked at is not as it should be.
    Failed,
    /// There are changes.
    Changes,
    /// By a signal.
    Interrupted,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Changes => 2,
            Exit::Interrupted => 130,
        })
    }
}
