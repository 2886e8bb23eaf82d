//! What tests do to containers that run.

use std::path::Path;

use serde_json::Value;

use super::containerd;
use crate::errors::Error;
use crate::kubectl;
use crate::tools::Tools;

/// A signal for the first process of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContainerSignal {
    /// It ends at once, without a word: `SIGKILL`.
    Kill,
    /// It hangs: `SIGSTOP`. Its connections stay open and nobody answers.
    Stop,
    /// It goes on: `SIGCONT`.
    Continue,
}

impl ContainerSignal {
    fn as_str(self) -> &'static str {
        match self {
            Self::Kill => "SIGKILL",
            Self::Stop => "SIGSTOP",
            Self::Continue => "SIGCONT",
        }
    }
}

/// Sends a signal to a container of a pod on the real node.
pub(crate) fn signal(
    dir: &Path,
    tools: &Tools,
    ctr: &Path,
    (namespace, pod, container): (&str, &str, &str),
    signal: ContainerSignal,
) -> Result<(), Error> {
    let failed = |reason| Error::Containers {
        action: format!("send {} to {namespace}/{pod} ({container})", signal.as_str()),
        reason,
    };
    let args = ["get", "pod", pod, "--namespace", namespace, "-o", "json"];
    let text = kubectl::run(dir, tools, &args, "").map_err(failed)?;
    let pod: Value = serde_json::from_str(&text).map_err(|error| failed(error.to_string()))?;
    let id = id_of(&pod, container).ok_or_else(|| failed("it does not run on the real node".into()))?;
    containerd::ctr(dir, ctr, &["tasks", "kill", "--signal", signal.as_str(), id]).map(drop).map_err(failed)
}

fn id_of<'a>(pod: &'a Value, container: &str) -> Option<&'a str> {
    let statuses = pod.pointer("/status/containerStatuses")?.as_array()?;
    let status = statuses.iter().find(|status| status.get("name").is_some_and(|name| name == container))?;
    status.pointer("/state/running")?;
    status.get("containerID")?.as_str()?.strip_prefix("containerd://")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_a_running_container_has_an_id() {
        let status = |name: &str, state: Value| json!({ "name": name, "state": state, "containerID": "containerd://ab" });
        let pod = json!({ "status": { "containerStatuses": [
            status("runs", json!({ "running": {} })),
            status("ended", json!({ "terminated": {} })),
        ] } });
        assert_eq!(id_of(&pod, "runs"), Some("ab"));
        assert_eq!(id_of(&pod, "ended"), None);
        assert_eq!(id_of(&pod, "other"), None);
        assert_eq!(id_of(&json!({}), "runs"), None);
    }
}
