//! The tests' harness on a sandbox whose containers run: the operator as pods from its own image with the rights it
//! ships with, and a telemetry client of its own, which shares no code with the operator's canary.
//!
//! Run them with `cargo xtask test --real`, as root. On a sandbox with real pods that runs already, with the image in
//! it: `OBSTACK_SANDBOX=DIR cargo test -p obstack-real -- --test-threads=1 --nocapture`.

mod install;
mod law;
mod pods;
mod stacks;
mod telemetry;
mod traffic;

pub use install::{Install, NEXT_IMAGE};
pub use law::{law, note, on_real_pods};
pub use pods::{Pods, ingesters, pods, ran, ready};
pub use stacks::{HA, SMALL, dev};
pub use telemetry::Telemetry;
pub use traffic::{Tally, Traffic};
