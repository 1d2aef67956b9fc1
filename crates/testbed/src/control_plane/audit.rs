//! The audit log of the API server: every request and its user.

use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::error::{Result, TestbedError};

/// Every request, once it is answered, without its content. An entry is written before the answer leaves.
pub(super) const POLICY: &str = r#"{
  "apiVersion": "audit.k8s.io/v1",
  "kind": "Policy",
  "omitStages": ["RequestReceived", "ResponseStarted"],
  "rules": [{"level": "Metadata"}]
}"#;

/// The audit log of one API server, in a file.
#[derive(Debug, Clone)]
pub struct AuditLog(PathBuf);

/// Position in the log, to read what was written after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Mark(u64);

/// One request.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, `deletecollection`.
    pub verb: String,
    /// The path and what was asked with it.
    #[serde(rename = "requestURI")]
    pub uri: String,
    /// The user.
    pub user: User,
    /// Name that the client gives itself.
    #[serde(default)]
    pub user_agent: String,
    /// Object of the request; none for paths that are no resource.
    #[serde(rename = "objectRef")]
    pub object: Option<Object>,
    /// The response.
    #[serde(rename = "responseStatus", default)]
    pub response: Response,
}

/// User of a request.
#[derive(Debug, Clone, Deserialize)]
pub struct User {
    /// The user's name; a service account's is `system:serviceaccount:NAMESPACE:NAME`.
    pub username: String,
}

/// Object of a request.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Object {
    /// The resource, in the plural, as in `configmaps`.
    pub resource: String,
    /// Its namespace, if it has one.
    pub namespace: String,
    /// Its name, if one was named.
    pub name: String,
    /// Subresource, such as `status`.
    pub subresource: String,
    /// The group of the API; empty for the core.
    pub api_group: String,
}

/// Response to a request.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Response {
    /// The status code of HTTP.
    pub code: u16,
}

impl Request {
    /// Returns true if the request is a write, be it refused or without effect. A server-side apply that changes nothing counts.
    #[must_use]
    pub fn is_write(&self) -> bool {
        matches!(self.verb.as_str(), "create" | "update" | "patch" | "delete" | "deletecollection")
    }

    /// Returns the resource of the request; empty if it has none.
    #[must_use]
    pub fn resource(&self) -> &str {
        self.object.as_ref().map_or("", |object| &object.resource)
    }
}

impl AuditLog {
    pub(super) fn new(path: PathBuf) -> Self {
        Self(path)
    }

    /// Returns the log's file: a JSON object on each line.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Returns the present end of the log.
    pub fn mark(&self) -> Result<Mark> {
        let length = self.0.metadata().map_err(TestbedError::io(&self.0))?.len();
        Ok(Mark(length))
    }

    /// Returns every request that was answered since `mark`. `Mark::default()` is the beginning.
    pub fn since(&self, mark: Mark) -> Result<Vec<Request>> {
        let mut text = String::new();
        std::fs::File::open(&self.0)
            .and_then(|mut file| {
                file.seek(SeekFrom::Start(mark.0))?;
                file.read_to_string(&mut text)
            })
            .map_err(TestbedError::io(&self.0))?;
        // A line without its end is being written.
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        whole.lines().map(|line| self.parse(line)).collect()
    }

    /// Returns the writes of a user since `mark`.
    pub fn writes_by(&self, user: &str, mark: Mark) -> Result<Vec<Request>> {
        let mut requests = self.since(mark)?;
        requests.retain(|request| request.is_write() && request.user.username == user);
        Ok(requests)
    }

    fn parse(&self, line: &str) -> Result<Request> {
        serde_json::from_str(line)
            .map_err(|error| TestbedError::Content { path: self.0.clone(), reason: error.to_string() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = r#"{"kind":"Event","stage":"ResponseComplete","requestURI":"/api/v1/namespaces/a/configmaps/b","verb":"patch","user":{"username":"wei","groups":["g"]},"userAgent":"x/1","objectRef":{"resource":"configmaps","namespace":"a","name":"b","apiVersion":"v1"},"responseStatus":{"metadata":{},"code":200}}"#;

    #[test]
    fn the_requests_after_a_mark_are_told_without_a_half_written_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.log");
        let log = AuditLog::new(path.clone());
        let read = LINE.replace("patch", "get");
        std::fs::write(&path, format!("{LINE}\n{read}\n")).unwrap();
        let all = log.since(Mark::default()).unwrap();
        assert_eq!(all.iter().map(Request::is_write).collect::<Vec<_>>(), [true, false]);
        assert_eq!((all[0].resource(), all[0].response.code), ("configmaps", 200));
        let mark = log.mark().unwrap();
        assert!(log.since(mark).unwrap().is_empty());
        std::fs::write(&path, format!("{LINE}\n{read}\n{LINE}\n{}", &LINE[..40])).unwrap();
        assert_eq!(log.writes_by("wei", mark).unwrap().len(), 1);
        assert!(log.writes_by("ana", mark).unwrap().is_empty());
    }
}
