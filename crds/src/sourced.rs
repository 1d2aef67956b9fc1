//! A resource with where it came from.

use std::collections::BTreeMap;
use std::fmt;

/// Where in which file a document or one of its fields stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Origin {
    /// The file, as it was named by who asked.
    pub file: String,
    /// The line, counted from 1.
    pub line: u64,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// A resource, and where its fields stand, so that a finding can name the line.
#[derive(Debug, Clone, PartialEq)]
pub struct Sourced<T> {
    /// The resource.
    pub resource: T,
    /// The file; empty for a resource that came from a cluster.
    pub file: String,
    /// The lines of its fields by their paths; the resource itself has the empty path.
    pub lines: BTreeMap<String, u64>,
}

impl<T> From<T> for Sourced<T> {
    /// A resource without a file, as it comes from a cluster.
    fn from(resource: T) -> Self {
        Self { resource, file: String::new(), lines: BTreeMap::new() }
    }
}

impl<T> Sourced<T> {
    /// Where a field stands, or else the nearest thing around it that is written.
    #[must_use]
    pub fn origin(&self, path: &str) -> Option<Origin> {
        line_of(&self.lines, path).map(|line| Origin { file: self.file.clone(), line })
    }
}

/// The line of a field, or else of the nearest thing around it that is written.
pub(crate) fn line_of(lines: &BTreeMap<String, u64>, path: &str) -> Option<u64> {
    let mut path = path;
    loop {
        if let Some(&line) = lines.get(path) {
            return Some(line);
        }
        if path.is_empty() {
            return None;
        }
        path = &path[..path.rfind(['.', '[']).unwrap_or(0)];
    }
}

impl<T: kube::Resource> Sourced<T> {
    /// The resource's name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.resource.meta().name.as_deref().unwrap_or_default()
    }
}
