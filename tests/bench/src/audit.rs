//! The audit log of the API server: who asked for what, and when.

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
    path::PathBuf,
};

use jiff::Timestamp;
use serde_json::Value;

use crate::error::{Error, Of};

/// One request that was answered, or a watch that has ended.
#[derive(Clone, Debug)]
pub struct Request {
    /// Who asked.
    pub user: String,
    /// The program that asked.
    pub agent: String,
    /// Such as `patch`.
    pub verb: String,
    /// Such as `services`, or `observabilitystacks/status`.
    pub resource: String,
    /// Namespace of the object.
    pub namespace: String,
    /// HTTP code of the answer.
    pub code: u64,
    /// When it came.
    pub received: Timestamp,
    /// When it was answered.
    pub answered: Timestamp,
}

impl Request {
    /// Whether it asks for a change.
    pub fn is_write(&self) -> bool {
        !["get", "list", "watch"].contains(&self.verb.as_str())
    }

    /// Whether it is about leadership.
    pub fn is_lease(&self) -> bool {
        self.resource == "leases"
    }
}

/// The log from a moment on. Each look returns what came since the last one.
#[derive(Debug)]
pub struct Audit {
    path: PathBuf,
    at: u64,
    rest: Vec<u8>,
}

impl Audit {
    /// The log from now on.
    pub fn from_now(path: PathBuf) -> Result<Self, Error> {
        let at = std::fs::metadata(&path).of(&path)?.len();
        Ok(Self { path, at, rest: Vec::new() })
    }

    /// What was answered since the last look.
    pub fn look(&mut self) -> Result<Vec<Request>, Error> {
        let mut file = File::open(&self.path).of(&self.path)?;
        file.seek(SeekFrom::Start(self.at)).of(&self.path)?;
        let read = file.read_to_end(&mut self.rest).of(&self.path)?;
        self.at += u64::try_from(read).unwrap_or(0);
        // The last line may be half written.
        let whole = self.rest.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let rest = self.rest.split_off(whole);
        let lines = std::mem::replace(&mut self.rest, rest);
        Ok(String::from_utf8_lossy(&lines).lines().filter_map(request).collect())
    }
}

fn request(line: &str) -> Option<Request> {
    let event: Value = serde_json::from_str(line).ok()?;
    let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    if !["ResponseComplete", "Panic"].contains(&text("/stage").as_str()) {
        return None;
    }
    let (resource, part) = (text("/objectRef/resource"), text("/objectRef/subresource"));
    Some(Request {
        user: text("/user/username"),
        agent: text("/userAgent"),
        verb: text("/verb"),
        resource: if part.is_empty() { resource } else { format!("{resource}/{part}") },
        namespace: text("/objectRef/namespace"),
        code: event.pointer("/responseStatus/code").and_then(Value::as_u64).unwrap_or(0),
        received: text("/requestReceivedTimestamp").parse().ok()?,
        answered: text("/stageTimestamp").parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    const LINE: &str = r#"{"stage":"ResponseComplete","verb":"patch","user":{"username":"u"},"objectRef":{"resource":"services","subresource":"status","namespace":"n","name":"s"},"responseStatus":{"code":201},"requestReceivedTimestamp":"2026-01-02T03:04:05.000001Z","stageTimestamp":"2026-01-02T03:04:05.000501Z"}"#;

    #[test]
    fn each_look_returns_what_is_new_and_whole() {
        let path = std::env::temp_dir().join(format!("obstack-bench-audit-{}", std::process::id()));
        let mut file = File::create(&path).unwrap();
        writeln!(file, "{LINE}").unwrap();
        let mut audit = Audit::from_now(path.clone()).unwrap();
        write!(file, "{LINE}\n{}", &LINE[..40]).unwrap();
        let seen = audit.look().unwrap();
        assert_eq!(seen.len(), 1);
        assert_eq!((seen[0].resource.as_str(), seen[0].code), ("services/status", 201));
        assert!(seen[0].is_write() && !seen[0].is_lease());
        assert_eq!(seen[0].answered.duration_since(seen[0].received).as_micros(), 500);
        writeln!(file, "{}", &LINE[40..]).unwrap();
        assert_eq!(audit.look().unwrap().len(), 1);
        assert!(audit.look().unwrap().is_empty());
        std::fs::remove_file(path).unwrap();
    }
}
