//! The contract between the design and a chart: each component has exactly its workload, with its replicas.
//!
//! A chart that quietly renders less than it should is the most dangerous input of all, because what it no longer
//! renders would be pruned. So a missing workload is an error, never a smaller stack.

use super::{AssembleError, Manifest, rendered, replicas, spoken};
use crate::{collectors, design::Release};

/// Names the component of each workload, and refuses a render that breaks the contract.
pub(super) fn hold(release: &Release, manifests: &mut Vec<Manifest>) -> Result<(), AssembleError> {
    for wanted in &release.workloads {
        let mut of_name =
            manifests.iter_mut().filter(|m| m.id.kind.is_workload() && m.id.name == wanted.name);
        match (of_name.next(), of_name.next()) {
            (None, _) if wanted.replicas == 0 => {}
            (None, _) => {
                return Err(rendered(
                    &release.name,
                    format!(
                        "chart {} {} renders no workload {} for {}",
                        release.chart.name, release.chart.version, wanted.name, wanted.component
                    ),
                ));
            }
            (Some(_), Some(_)) => {
                return Err(rendered(
                    &release.name,
                    format!("the chart renders two workloads named {}", wanted.name),
                ));
            }
            (Some(found), None) => {
                let found_replicas = replicas(&found.body);
                if wanted.replicas > 0 && found_replicas != wanted.replicas {
                    return Err(rendered(
                        &release.name,
                        format!(
                            "{} has {found_replicas} replicas, the spec says {}; set {}, not replicas in patches",
                            spoken(found.id.kind, &wanted.name),
                            wanted.replicas,
                            field(&wanted.component)
                        ),
                    ));
                }
                found.component = Some(wanted.component.clone());
            }
        }
    }
    // A component that is switched off has no workload at all, rather than one with no pods.
    manifests.retain(|manifest| {
        !release
            .workloads
            .iter()
            .any(|off| off.replicas == 0 && manifest.id.kind.is_workload() && manifest.id.name == off.name)
    });
    // What the user's values switched on beside the roles we know is a component too, or its pods would count nowhere.
    let area = release.area();
    for manifest in manifests.iter_mut().filter(|m| m.id.kind.is_workload() && m.component.is_none()) {
        let short =
            manifest.id.name.strip_prefix(&format!("{}-", release.objects)).unwrap_or(&manifest.id.name);
        manifest.component = Some(format!("{area}.{short}"));
    }
    Ok(())
}

/// The field of the spec that decides a component's replicas.
fn field(component: &str) -> String {
    match component.split_once('.') {
        // A collector's block has its own name in it.
        Some((collectors::AREA, role)) => {
            format!("spec.{}.{role}.components.{role}.replicas", collectors::AREA)
        }
        Some((signal, role)) => format!("spec.{signal}.components.{role}.replicas"),
        None => format!("spec.{component}"),
    }
}
