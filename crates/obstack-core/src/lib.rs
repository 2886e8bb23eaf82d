//! The pure steps of a reconcile: validate, design, assemble, conclude. No I/O, clock or randomness.
//!
//! ```text
//! validate(stack, facts)        -> ValidStack, or every fault at once
//! design(valid)                 -> Blueprint: buckets, releases (chart and values), objects of our own, advice
//! assemble(design, rendered)    -> Plan: the objects exactly as they are applied
//! conclude(previous, situation) -> Verdict: conditions, component table, events
//! adopt::draft(release, wish)   -> Draft: what a Helm release comes to as part of a stack
//! ```

pub mod adopt;
pub mod aspects;
pub mod assemble;
pub mod backends;
pub mod canary;
pub mod catalog;
pub mod changes;
pub mod collectors;
pub mod compliance;
pub mod conclude;
pub mod dashboards;
pub mod design;
pub mod diagnose;
pub mod drift;
pub mod facts;
pub mod finding;
pub mod grafana;
pub mod hash;
pub mod inventory;
pub mod limit_range;
pub mod live;
pub mod names;
pub mod need;
pub mod objects;
pub mod quantity;
pub mod quota;
pub mod reach;
pub mod resilience;
pub mod rings;
pub mod valid;
pub mod validate;
pub mod violation;
