//! The reconcile pipeline and everything in it that talks to the cluster, the object store or helm.
//!
//! Start at [`reconcile`]: it is the whole pipeline on one screen.

pub mod buckets;
pub mod canary;
pub mod charts;
pub mod cleanup;
pub mod client;
pub mod cluster;
pub mod context;
pub mod controller;
pub mod drift;
pub mod execute;
pub mod expand;
pub mod gates;
pub mod lease;
pub mod metrics;
pub mod observe;
pub mod operate;
pub mod plans;
pub mod probes;
pub mod publish;
pub mod reach;
pub mod reconcile;
pub mod rings;
pub mod roster;
pub mod seen;
