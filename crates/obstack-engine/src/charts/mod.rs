//! Charts: found and verified, then rendered by `helm template` as a pure function of their inputs.
//!
//! [`Store`] answers "where is this chart, and is it the one that is meant"; [`Renderer`] answers "which objects does
//! it make of these values". helm runs without a cluster, without a network and without anything of our environment.
//! No source ever stands in for another.

mod cache;
mod digest;
mod error;
mod helm;
pub(crate) mod manifest;
mod process;
mod pull;
mod render;
mod store;
#[cfg(test)]
mod tests;

pub use error::{ChartError, HelmError, RenderError};
pub use helm::Helm;
pub use render::{Counts, RenderRequest, Renderer};
pub use store::{ChartRequest, Located, Store, StoreConfig};

/// Where a chart comes from.
pub use obstack_api::ChartSource as Source;
