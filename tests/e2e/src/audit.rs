//! The audit log of the API server: who asked for what.

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
    path::PathBuf,
};

use serde_json::Value;

/// One answered request.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Request {
    /// Such as `patch`.
    pub verb: String,
    /// API group; empty for the core group.
    pub group: String,
    /// Such as `services`, or `observabilitystacks/status`.
    pub resource: String,
    /// Namespace of the object.
    pub namespace: String,
    /// Name of the object.
    pub name: String,
    /// HTTP code of the answer.
    pub code: u64,
}

/// The audit log of one user, from a moment on.
#[derive(Clone, Debug)]
pub struct Audit {
    log: PathBuf,
    user: String,
    from: u64,
}

impl Audit {
    /// What the user asks for from now on.
    pub fn from_now(log: PathBuf, user: String) -> Self {
        let from = std::fs::metadata(&log).expect("the audit log").len();
        Self { log, user, from }
    }

    /// The same from now on.
    #[must_use]
    pub fn again(&self) -> Self {
        Self::from_now(self.log.clone(), self.user.clone())
    }

    /// Every answered request.
    pub fn requests(&self) -> Vec<Request> {
        let mut file = File::open(&self.log).expect("the audit log");
        file.seek(SeekFrom::Start(self.from)).expect("the audit log");
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).expect("the audit log");
        let text = String::from_utf8_lossy(&bytes);
        // The last line may be half written.
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        whole.lines().filter(|line| line.contains(&self.user)).filter_map(|line| self.request(line)).collect()
    }

    fn request(&self, line: &str) -> Option<Request> {
        let event: Value = serde_json::from_str(line).expect("a line of the audit log is JSON");
        let text =
            |pointer: &str| event.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        let answered = matches!(event["stage"].as_str(), Some("ResponseComplete" | "Panic"));
        if !answered || text("/user/username") != self.user {
            return None;
        }
        let subresource = text("/objectRef/subresource");
        let resource = text("/objectRef/resource");
        Some(Request {
            verb: text("/verb"),
            group: text("/objectRef/apiGroup"),
            resource: if subresource.is_empty() { resource } else { format!("{resource}/{subresource}") },
            namespace: text("/objectRef/namespace"),
            name: text("/objectRef/name"),
            code: event.pointer("/responseStatus/code").and_then(Value::as_u64).unwrap_or(0),
        })
    }

    /// Requests that were refused for want of a right, or of a name.
    pub fn refused(&self) -> Vec<Request> {
        self.requests().into_iter().filter(|request| matches!(request.code, 401 | 403)).collect()
    }

    /// Every write but those on leases. A question about one's own rights is asked by a create, and stores nothing.
    pub fn writes(&self) -> Vec<Request> {
        let read = ["get", "list", "watch"];
        let apart = ["leases", "selfsubjectaccessreviews"];
        let requests = self.requests().into_iter();
        requests
            .filter(|request| {
                !read.contains(&request.verb.as_str()) && !apart.contains(&request.resource.as_str())
            })
            .collect()
    }
}
