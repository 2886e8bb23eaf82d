//! What the process is doing, as readiness and people want to know it.

use std::fmt;

use obstack_engine::lease::Standing;
use tokio::sync::watch;

/// What the process is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Something has to happen before the operator can work, and this is what.
    Waiting(String),
    /// Taking part in leader election.
    Electing(Standing),
    /// Working; ready once the watches have delivered what exists.
    Working {
        /// The watches are synced.
        synced: bool,
    },
    /// Asked to stop.
    Stopping,
}

impl Stage {
    /// Whether the process can do its part: working, or ready to take over.
    pub fn is_ready(&self) -> bool {
        matches!(
            self,
            Self::Working { synced: true }
                | Self::Electing(Standing::Standby { .. } | Standing::Leading { .. })
        )
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Electing(Standing::Unknown) => f.write_str("waiting: the Lease has not been read yet"),
            Self::Waiting(reason) | Self::Electing(Standing::Failing { reason }) => {
                write!(f, "waiting: {reason}")
            }
            Self::Electing(Standing::Standby { holder }) if holder.is_empty() => {
                f.write_str("standby: nobody leads yet")
            }
            Self::Electing(Standing::Standby { holder }) => write!(f, "standby: {holder} leads"),
            Self::Electing(Standing::Leading { .. }) => f.write_str("standby: about to lead"),
            Self::Working { synced: true } => f.write_str("working"),
            Self::Working { synced: false } => f.write_str("waiting: the watches are not synced yet"),
            Self::Stopping => f.write_str("stopping"),
        }
    }
}

/// The current stage, shared between who knows it and who is asked for it.
#[derive(Clone, Debug)]
pub struct Health {
    stage: watch::Sender<Stage>,
}

impl Health {
    /// A process that has just begun.
    pub fn new() -> Self {
        Self { stage: watch::Sender::new(Stage::Waiting("the process has just started".to_owned())) }
    }

    /// From now on this is what the process is doing. A process that stops does not do anything else any more.
    pub fn set(&self, stage: Stage) {
        self.stage.send_if_modified(|old| {
            let changed = *old != stage && *old != Stage::Stopping;
            if changed {
                *old = stage;
            }
            changed
        });
    }

    /// What the process is doing.
    pub fn get(&self) -> Stage {
        self.stage.borrow().clone()
    }
}
