//! The `ObservabilityStack` API: types, schema, admission rules and the closed vocabulary of its status.
//!
//! Nothing here talks to a cluster. [`schema::crd`] is the `CustomResourceDefinition` as it is installed.

mod backend;
mod canary;
mod changes;
mod collectors;
mod component;
mod conditions;
mod grafana;
pub mod labels;
mod policy;
mod quantity;
mod quota;
pub mod rights;
mod route;
pub mod rules;
pub mod schema;
mod stack;
mod status;
mod storage;

pub use backend::*;
pub use canary::*;
pub use changes::*;
pub use collectors::*;
pub use component::*;
pub use conditions::*;
pub use grafana::*;
pub use policy::*;
pub use quantity::Quantity;
pub use quota::*;
pub use route::Route;
pub use stack::*;
pub use status::*;
pub use storage::*;
