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

/// sha256.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}
