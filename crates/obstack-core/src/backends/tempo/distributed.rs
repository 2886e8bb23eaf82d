//! Values.

use crate::{backends::{Setting, values::Values}, valid::ValidBackend};

/// The values.
pub fn values(_backend: &ValidBackend, _setting: &Setting<'_>) -> Values {
    Values::default()
}
