//! The pod of the operator that works, and its process.

use std::{
    fs,
    net::{IpAddr, SocketAddr},
    path::Path,
    time::Duration,
};

use k8s_openapi::api::{coordination::v1::Lease, core::v1::Pod};
use kube::Api;

use crate::{
    cluster::{Cluster, wait},
    error::{Doing, Error, Of},
    operator,
    procfs::{self, Cpu, Memory},
    world::SYSTEM,
};

const LEASE: &str = "obstack";
const PORT: u16 = 8080;
const LIMIT: Duration = Duration::from_mins(1);

/// The process that leads. This machine sees it, since the node is made of it.
#[derive(Debug)]
pub struct Leader {
    pid: u32,
    listen: SocketAddr,
}

impl Leader {
    /// Whoever holds the Lease.
    pub async fn find(cluster: &Cluster) -> Result<Self, Error> {
        let leases: Api<Lease> = Api::namespaced(cluster.client.clone(), SYSTEM);
        let pods: Api<Pod> = Api::namespaced(cluster.client.clone(), SYSTEM);
        wait("a pod of the operator leads", LIMIT, async || {
            let lease = leases.get_opt(LEASE).await.doing(|| "get the Lease".to_owned())?;
            let holder = lease.and_then(|lease| lease.spec?.holder_identity).unwrap_or_default();
            let list = pods.list(&kube::api::ListParams::default()).await.doing(|| "list pods".to_owned())?;
            let holds =
                |pod: &&Pod| pod.metadata.name.as_ref().is_some_and(|name| holder.starts_with(name.as_str()));
            Ok(list.items.iter().find(holds).and_then(of).ok_or(format!("`{holder}` holds the Lease")))
        })
        .await
    }

    /// The sum of the series of a metric whose labels contain a text.
    pub fn metric(&self, name: &str, labels: &str) -> Result<f64, Error> {
        let (_, text) = operator::page(self.listen, "/metrics").of(Path::new("/metrics"))?;
        Ok(operator::sum(&text, name, labels))
    }

    /// Processor time it has used, with that of the helms it ran.
    pub fn cpu(&self) -> Result<Cpu, Error> {
        procfs::cpu(&self.pid.to_string())
    }

    /// Its memory.
    pub fn memory(&self) -> Result<Memory, Error> {
        procfs::memory(self.pid)
    }
}

fn of(pod: &Pod) -> Option<Leader> {
    let status = pod.status.as_ref()?;
    let address: IpAddr = status.pod_ip.as_ref()?.parse().ok()?;
    let id = status.container_statuses.as_ref()?.first()?.container_id.as_ref()?;
    let pid = first_process(id.rsplit('/').next()?)?;
    Some(Leader { pid, listen: SocketAddr::from((address, PORT)) })
}

/// The first process of a container: its control group carries the container's id.
fn first_process(container: &str) -> Option<u32> {
    let entries = fs::read_dir("/proc").ok()?.flatten();
    let of_container = |pid: &u32| {
        fs::read_to_string(format!("/proc/{pid}/cgroup")).is_ok_and(|groups| groups.contains(container))
    };
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter(of_container).min()
}
