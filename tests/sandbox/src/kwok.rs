//! The simulation of nodes and pods.

use std::fs;
use std::path::Path;

use crate::errors::{At, Error};
use crate::process::Part;
use crate::real::SIMULATED;
use crate::state::State;

/// What simulated nodes and pods do, and when; and what they do when they are told to fail.
pub(crate) const STAGES: &str =
    concat!(include_str!("../kwok.yaml"), "---\n", include_str!("../kwok-faults.yaml"));

/// One instance, started before any pod is scheduled: a second one would wait for the leases of the first, and
/// pods that were scheduled meanwhile would never be played.
pub(crate) fn part(dir: &Path, state: &State) -> Result<Part, Error> {
    let config = dir.join("kwok.yaml");
    fs::write(&config, STAGES).at("write", &config)?;
    let tool = &state.tools.kwok;
    Ok(Part {
        name: "kwok",
        program: tool.path.clone(),
        args: vec![
            format!("--config={}", config.display()),
            format!("--kubeconfig={}", dir.join("kubeconfig").display()),
            format!("--server-address=127.0.0.1:{}", state.ports.kwok),
            if state.real.is_some() {
                format!("--manage-nodes-with-label-selector={SIMULATED}=true")
            } else {
                "--manage-all-nodes=true".into()
            },
            "--node-ip=127.0.0.1".into(),
        ],
        env: Vec::new(),
        dir: dir.into(),
        log: dir.join("logs/kwok.log"),
        port: state.ports.kwok,
        version: tool.version.clone(),
    })
}
