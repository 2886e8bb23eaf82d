//! Buckets: made when missing, claimed for one stack, and proved by writing, reading and deleting an object.
//!
//! One [`Client`] speaks to one endpoint with one pair of keys. It knows nothing but what [`Access`] says: no
//! environment, no configuration file, no instance metadata, no proxy.
//!
//! A claim is the object `owner` below the bucket's reserved keys. It names the stack that uses the bucket, so that two stacks,
//! in one cluster or in two, never write their blocks over each other. It is never overwritten and never deleted.

mod access;
mod authority;
mod blocks;
mod client;
mod error;
mod failure;
mod marker;
#[cfg(test)]
mod tests;

pub use access::{Access, Secret};
pub use client::{Client, Ensured, Policy};
pub use error::StorageError;
