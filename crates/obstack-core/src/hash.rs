//! Content hashes: the same content has the same hash, on every machine and in every run.

use serde_json::Value;
use sha2::{Digest, Sha256};

/// sha256 in hexadecimal of a JSON value. Maps are ordered by key (`serde_json`'s maps are), so order of
/// construction does not matter.
pub fn of_json(value: &Value) -> String {
    of_bytes(value.to_string().as_bytes())
}

/// sha256 in hexadecimal.
pub fn of_bytes(bytes: &[u8]) -> String {
    use std::fmt::Write;
    sha256(bytes).iter().fold(String::with_capacity(64), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The first `length` digits of a hash, for names.
pub fn short(text: &str, length: usize) -> String {
    of_bytes(text.as_bytes()).chars().take(length).collect()
}

/// A factor about 1 that is always the same for a text, from a range so many thousandths wide: it moves what would
/// happen at the same moment for many.
pub fn spread(text: &str, thousandths: u32) -> f64 {
    let sum = sha256(text.as_bytes()).iter().fold(0_u32, |sum, byte| sum + u32::from(*byte));
    1.0 - f64::from(thousandths) / 2000.0 + f64::from(sum.checked_rem(thousandths).unwrap_or(0)) / 1000.0
}

/// sha256.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}
