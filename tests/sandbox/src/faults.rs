//! How tests make simulated pods and nodes fail. What each fault looks like is written in `kwok-faults.yaml`.

use std::fmt;

/// While a pod has this annotation with a [`Fault`], it shows that fault.
pub const FAIL_ANNOTATION: &str = "sandbox.obstack.dev/fail";

/// The last words of a container that crashes, in place of those of a Tempo that does not reach its object store.
pub const FAIL_MESSAGE_ANNOTATION: &str = "sandbox.obstack.dev/fail-message";

/// While a node has this annotation with the value `true`, its kubelet is gone.
pub const LOST_ANNOTATION: &str = "sandbox.obstack.dev/lost";

/// What a pod can suffer from. Its first container does; the others are fine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It ends with exit code 1 again and again.
    Crash,
    /// It is killed for its memory again and again.
    Oom,
    /// Its image is not found.
    Image,
    /// It runs, and its readiness probe fails.
    Probe,
    /// A Secret that it needs is missing.
    Secret,
    /// A key of a Secret that it needs is missing.
    SecretKey,
    /// Its node was short of memory: the pod has ended for good.
    Evicted,
    /// A volume of the pod cannot be mounted: no container is there yet.
    Mount,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Crash,
        Self::Oom,
        Self::Image,
        Self::Probe,
        Self::Secret,
        Self::SecretKey,
        Self::Evicted,
        Self::Mount,
    ];

    /// The value of [`FAIL_ANNOTATION`].
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Crash => "crash",
            Self::Oom => "oom",
            Self::Image => "image",
            Self::Probe => "probe",
            Self::Secret => "secret",
            Self::SecretKey => "secret-key",
            Self::Evicted => "evicted",
            Self::Mount => "mount",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kwok::STAGES;

    #[test]
    fn every_fault_is_selected_by_exactly_one_stage() {
        for fault in Fault::ALL {
            let value = format!("\"{fault}\"");
            let selecting = |line: &&str| line.contains("values: [") && line.contains(&value);
            assert_eq!(STAGES.lines().filter(selecting).count(), 1, "{fault}");
        }
    }

    #[test]
    fn every_annotation_is_known_to_the_stages() {
        for name in [crate::HOLD_ANNOTATION, FAIL_ANNOTATION, FAIL_MESSAGE_ANNOTATION, LOST_ANNOTATION] {
            assert!(STAGES.contains(&format!("\"{name}\"")), "{name}");
        }
    }
}
