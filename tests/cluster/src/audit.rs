//! Audit logs of owners, read by their own program: there is no shell in a node's pod.

use serde_json::Value;
use uuid::Uuid;
use wanqu_testbed::{Cluster, TestbedError};

/// The audit log of one copy of a node.
#[derive(Clone, Copy)]
pub struct OwnersLog<'a> {
    /// The cluster.
    pub cluster: &'a Cluster,
    /// The namespace.
    pub namespace: &'a str,
    /// The pod.
    pub pod: &'a str,
}

impl OwnersLog<'_> {
    /// All entries, or those of one query.
    ///
    /// # Errors
    /// If the pod is not there, or the log cannot be read.
    pub fn entries(&self, of: Option<Uuid>) -> Result<Vec<Value>, TestbedError> {
        let query = of.map(|id| id.to_string());
        let mut arguments = vec!["--format=ndjson"];
        arguments.extend(query.iter().flat_map(|id| ["--query", id]));
        let lines = self.audit(&arguments)?;
        let entry = |line: &str| Some(serde_json::from_str::<Value>(line).ok()?.get_mut("entry")?.take());
        Ok(lines.lines().filter_map(entry).collect())
    }

    /// Returns the number of entries, if they are numbered without gaps and each is chained to the one before.
    ///
    /// # Errors
    /// If they are not.
    pub fn verified(&self) -> Result<usize, TestbedError> {
        let said = self.audit(&["--verify"])?;
        let count = said.split(' ').next().and_then(|count| count.parse().ok());
        Ok(count.unwrap_or_else(|| panic!("it begins with their number: {said}")))
    }

    fn audit(&self, arguments: &[&str]) -> Result<String, TestbedError> {
        let exec = ["exec", "--namespace", self.namespace, self.pod, "--container=node", "--"];
        self.cluster.kubectl(&[&exec[..], &["wanqu", "audit", "--log", "/var/lib/wanqu/audit"], arguments].concat())
    }
}
