//! The measurements, each with how it is made.

pub mod create;
pub mod drift;
pub mod fleet;
pub mod idle;
pub mod memory;
pub mod restart;
