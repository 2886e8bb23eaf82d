//! What keeps containers from running and from being ready.

use obstack_api::Reason;

use super::{Cause, START_SECONDS, Scene, order, pods, storage, words};
use crate::{
    live::{ContainerFacts, EndFacts, PodFacts, StateFacts},
    need::Runs,
};

/// Seconds by which the end of a container may stand before the moment at which its pod was seen not to be ready.
const SLACK_SECONDS: i64 = 30;

/// The worst that a container of a pod suffers from.
pub(super) fn worst(scene: &Scene<'_>, pod: &PodFacts) -> Option<Cause> {
    let states = pod.containers.iter().filter_map(|container| Some((container, container.state.as_deref()?)));
    let causes = states.filter_map(|(container, state)| Patient { scene, pod, container, state }.cause());
    causes.min_by_key(|cause| order::within(cause.reason))
}

/// It has not been started yet, and nothing is said against it.
pub(super) fn has_not_begun(container: &ContainerFacts) -> bool {
    container.state.as_deref().is_none_or(|state| {
        let waits = state.waiting.as_ref().is_none_or(|(why, _)| is_making(why));
        waits && !state.running && state.ended.is_none()
    })
}

/// What a kubelet says of a container before it has tried to start it.
fn is_making(why: &str) -> bool {
    matches!(why, "ContainerCreating" | "PodInitializing")
}

/// A container that is not simply ready.
#[derive(Clone, Copy)]
struct Patient<'a> {
    scene: &'a Scene<'a>,
    pod: &'a PodFacts,
    container: &'a ContainerFacts,
    state: &'a StateFacts,
}

impl Patient<'_> {
    fn cause(&self) -> Option<Cause> {
        let Some((why, said)) = &self.state.waiting else {
            return self.crash().or_else(|| self.starting());
        };
        match why.as_str() {
            // `pkg/kubelet/images/types.go` and `k8s.io/cri-api/pkg/errors`
            "ErrImagePull"
            | "ImagePullBackOff"
            | "InvalidImageName"
            | "ErrImageNeverPull"
            | "ImageInspectError"
            | "RegistryUnavailable"
            | "SignatureValidationFailed" => Some(self.image(said)),
            // `pkg/kubelet/kuberuntime/kuberuntime_container.go`
            "CreateContainerConfigError" | "CreateContainerError" | "RunContainerError" | "StartError" => {
                Some(self.not_made(why, said))
            }
            "CrashLoopBackOff" => self.crash(),
            _ if is_making(why) => self.pulling().or_else(|| self.mounting()),
            _ => None,
        }
    }

    fn says(&self, reason: Reason, what: &str) -> Cause {
        let kind = if self.container.init { "init container" } else { "container" };
        Cause::new(reason, format!("{kind} {} {what}", self.container.name))
    }

    /// The image cannot be pulled. The words are the same in every phase of the kubelet's trying.
    fn image(&self, said: &str) -> Cause {
        let words = words::image(said);
        let words = if words.is_empty() { self.pull_failed().unwrap_or_default() } else { words };
        let why = if words.is_empty() { words } else { format!(": {words}") };
        self.says(Reason::ImagePullFailed, &format!("cannot have its image {}{why}", self.state.image))
    }

    /// What an event says against the image, before or instead of the status.
    fn pull_failed(&self) -> Option<String> {
        let about = |(reason, said): &&(String, String)| {
            matches!(reason.as_str(), "Failed" | "BackOff")
                && (said.contains("ErrImagePull")
                    || said.contains("ImagePullBackOff")
                    || (said.contains("image") && said.contains(&self.state.image)))
        };
        let said = self.pod.warnings.iter().filter(about).map(|(_, said)| words::image(said));
        said.max_by_key(String::len)
    }

    /// The registry may take a minute to refuse; the event is there before the status says it.
    fn pulling(&self) -> Option<Cause> {
        self.pull_failed().map(|words| self.image(&words))
    }

    /// A Secret that is mounted is not there (`pkg/volume/secret`).
    fn mounting(&self) -> Option<Cause> {
        let said = self.pod.warnings.iter().filter(|(reason, _)| pods::is_about_volumes(reason));
        said.map(|(_, said)| said).find_map(|said| {
            let volume = words::between(said, "for volume \"", "\"").unwrap_or_default();
            if let Some((_, key)) = said.split_once("references non-existent secret key: ") {
                let key = words::quote(key);
                let message = format!("volume {volume} needs key {key} of its Secret, which is not there");
                return Some(Cause::new(Reason::SecretKeyMissing, message));
            }
            let secret = words::missing_secret(said)?;
            let message = format!("volume {volume} needs Secret {secret}, which does not exist");
            Some(Cause::new(Reason::SecretMissing, message))
        })
    }

    /// The kubelet cannot make the container (`pkg/kubelet/kubelet_pods.go`).
    fn not_made(&self, why: &str, said: &str) -> Cause {
        if let Some(secret) = words::missing_secret(said) {
            return self.says(Reason::SecretMissing, &format!("needs Secret {secret}, which does not exist"));
        }
        if let Some((key, secret)) =
            said.strip_prefix("couldn't find key ").and_then(|rest| rest.split_once(" in Secret "))
        {
            let secret = secret.rsplit('/').next().unwrap_or_default();
            let what = format!("needs key {key} of Secret {secret}, which is not there");
            return self.says(Reason::SecretKeyMissing, &what);
        }
        self.says(Reason::ContainerNotCreated, &format!("cannot be created ({why}): {}", words::quote(said)))
    }

    /// It ended, and that is why it is not ready now.
    fn crash(&self) -> Option<Cause> {
        let looping = self.state.waiting.is_some();
        let Some(end) = &self.state.ended else {
            return looping.then(|| self.says(Reason::CrashLoop, "ends again and again"));
        };
        // An end before the pod was ready the last time has nothing to do with it.
        let before = end.at > 0 && end.at.saturating_add(SLACK_SECONDS) < self.pod.not_ready_since;
        if self.state.running && before {
            return None;
        }
        if end.reason == "OOMKilled" {
            return Some(self.out_of_memory());
        }
        if let Some(fault) = storage::by_words(self.scene, &end.message) {
            return Some(fault);
        }
        let words = words::last(&end.message);
        if words.is_empty()
            && !self.container.init
            && let Some(fault) = storage::by_probe(self.scene)
        {
            return Some(fault);
        }
        // Once is no loop: a node may have been restarted.
        let again = looping || self.state.restarts > i32::from(self.state.running);
        again.then(|| self.says(Reason::CrashLoop, &ended(end, &words)))
    }

    fn out_of_memory(&self) -> Cause {
        let Some(limit) = self.container.resources.memory_limit else {
            return self.says(
                Reason::OOMKilled,
                "was killed because its node ran out of memory; it has no limit of its own",
            );
        };
        let name = &self.container.name;
        let planned = self.scene.component.need.containers.iter().find(|planned| planned.name == *name);
        let of_plan = planned.and_then(|planned| planned.limits.get("memory"));
        let main = self.scene.component.need.containers.iter().find(|planned| planned.runs == Runs::Main);
        let component = &self.scene.component.name;
        let origin = match (planned, of_plan, &self.pod.resized_by) {
            (None, ..) => format!("of {component}"),
            (_, Some(planned), _) if *planned == limit && main.is_some_and(|main| main.name == *name) => {
                format!("of {component} (`resources.limits.memory`)")
            }
            (_, Some(planned), _) if *planned == limit => format!("of {component} as its chart has it"),
            (_, _, Some(manager)) => format!("of {component}, which {manager} set in place"),
            (..) if self.is_set_by_limit_range() => {
                format!("of {component}, which {} set, as the plan has none", self.limit_range())
            }
            (_, Some(planned), _) => {
                format!("of {component}, changed at admission from {}", planned.storage())
            }
            (_, None, _) => format!("of {component}, set at admission, as the plan has none"),
        };
        let what =
            format!("was killed because it used more than its memory limit {} {origin}", limit.storage());
        self.says(Reason::OOMKilled, &what)
    }

    /// The `LimitRanger` says that it set the memory limit: `LimitRanger plugin set: cpu, memory limit for container x`.
    fn is_set_by_limit_range(&self) -> bool {
        let said = self.pod.limit_ranger.as_deref().unwrap_or_default();
        let said = said.split_once("plugin set: ").map_or(said, |(_, said)| said);
        said.split("; ").filter_map(|part| part.split_once(" limit for ")).any(|(resources, container)| {
            resources.split(", ").any(|resource| resource == "memory")
                && container.rsplit(' ').next() == Some(self.container.name.as_str())
        })
    }

    /// The limit range that has a default memory limit for containers.
    fn limit_range(&self) -> String {
        let ranges = self.scene.live.limit_ranges.as_deref().unwrap_or_default();
        let sets = ranges.iter().find(|range| {
            range.rules.iter().any(|rule| rule.kind == "Container" && rule.default.contains_key("memory"))
        });
        sets.map_or_else(|| "a LimitRange".to_owned(), |range| format!("LimitRange {}", range.name))
    }

    /// It runs, and is not ready.
    fn starting(&self) -> Option<Cause> {
        if !self.state.running || self.container.init {
            return None;
        }
        // Without its object store Mimir runs and listens nowhere; that it may still be starting changes nothing.
        if let Some(fault) = storage::by_probe(self.scene) {
            return Some(fault);
        }
        let (_, said) = self.pod.warnings.iter().find(|(reason, _)| reason == "Unhealthy")?;
        let late = self.scene.longer_than(START_SECONDS, self.state.since);
        late.then(|| {
            self.says(Reason::ProbeFailing, &format!("runs and is not ready: {}", words::quote(said)))
        })
    }
}

/// How a container ended, in its last words if it left any.
fn ended(end: &EndFacts, words: &str) -> String {
    let reason = if matches!(end.reason.as_str(), "" | "Error" | "Completed") {
        String::new()
    } else {
        format!(", {}", end.reason)
    };
    let words = if words.is_empty() { "without a word" } else { words };
    format!("ended (exit code {}{reason}): {words}", end.exit_code)
}
