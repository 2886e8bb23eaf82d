//! The reconcile pipeline and everything in it that talks to the cluster, the object store or helm.

pub mod buckets;
pub mod charts;
pub mod client;
pub mod lease;
pub mod metrics;
