//! What a person sees of each cause, kept for the runbook in the folder that `OBSTACK_RECORD` names.

use std::{fmt::Write, path::PathBuf};

use obstack_e2e::text;

use crate::drill::{Cause, Scene};

/// The namespace and the beginning of buckets that stand where a test's own ones stood.
const NAMESPACE: &str = "telemetry";
const PREFIX: &str = "dts";

/// Asks kubectl as somebody would, and keeps question and answer.
pub fn keep(scene: &Scene<'_>, cause: &Cause) {
    let Some(folder) = std::env::var_os("OBSTACK_RECORD").map(PathBuf::from) else { return };
    let (world, type_) = (scene.world, cause.said[0].by);
    let (namespace, name) = (&*world.namespace, text(&scene.stack, "/metadata/name"));
    let path = format!(
        r#"jsonpath={{range .status.conditions[?(@.type=="{type_}")]}}{{.type}}{{"\t"}}{{.status}}{{"\t"}}{{.reason}}{{"\t"}}{{.message}}{{"\n"}}{{end}}"#
    );
    let mut kept = String::new();
    for output in ["wide", &path] {
        let answer = world.sandbox.kubectl(["get", "obstack", name, "-n", namespace, "-o", output]).output();
        let answer = answer.expect("kubectl runs");
        assert!(answer.status.success(), "kubectl: {}", String::from_utf8_lossy(&answer.stderr));
        let asked =
            output.strip_prefix("jsonpath=").map_or(output.to_owned(), |path| format!("jsonpath='{path}'"));
        let said = String::from_utf8_lossy(&answer.stdout);
        // Writing to a text does not fail.
        let _ = write!(kept, "$ kubectl get obstack {name} -n {namespace} -o {asked}\n{said}");
    }
    // Some causes are over before anybody can look.
    if !kept.contains(cause.said[0].reason) {
        return;
    }
    let files = world.dir.path().display().to_string();
    let kept = kept.replace(&files, "").replace(namespace, NAMESPACE).replace(&world.prefix, PREFIX);
    std::fs::create_dir_all(&folder).expect("the folder for what is recorded");
    std::fs::write(folder.join(format!("{}.txt", cause.name.replace(' ', "-"))), kept).expect("record");
}
