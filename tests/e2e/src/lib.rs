//! The end-to-end tests' harness: a [`World`] of namespaces on the sandbox for each test, and the operator as a
//! process of its own with exactly the rights that it ships with.
//!
//! Run them with `cargo xtask test`, which brings a sandbox up. On one that runs already:
//! `OBSTACK_SANDBOX=DIR cargo test -p obstack-e2e`, after `cargo build -p obstack-operator -p obstack-cli`.

mod admission;
mod audit;
mod cli;
mod cluster;
mod door;
mod follow;
mod helm;
mod kinds;
mod operator;
mod rights;
mod room;
mod s3;
mod stack;
mod wait;
mod witness;
mod world;

pub use admission::restricted_pod;
pub use audit::{Audit, Request};
pub use cli::{Told, cli_binary, fed};
pub use cluster::Cluster;
pub use door::Door;
pub use follow::{Follow, Mark, State};
pub use helm::{Helm, Release, template};
pub use kinds::*;
pub use operator::{Flags, Operator};
pub use room::{PRIORITY_CLASS, room};
pub use s3::{Keys, ObjectStore};
pub use stack::{MIMIR, TEMPO, TEMPO_SINGLE, condition, edited, set, stack, text, unset};
pub use wait::{eventually, holds_for, wait_at_most};
pub use world::{ROOT, Snapshot, World, random};
