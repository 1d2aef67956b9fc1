//! Resources with the files and lines that they come from.

use std::collections::BTreeMap;
use std::fmt;

/// File and line of a document or one of its fields.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Origin {
    /// Name of the file, as the caller gave it.
    pub file: String,
    /// Line, counted from 1.
    pub line: u64,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// Resource with the lines of its fields, so that a finding can name the line.
#[derive(Debug, Clone, PartialEq)]
pub struct Sourced<T> {
    /// The resource.
    pub resource: T,
    /// File; empty for a resource from a cluster.
    pub file: String,
    /// Lines of its fields by their paths; the resource itself has the empty path.
    pub lines: BTreeMap<String, u64>,
}

impl<T> From<T> for Sourced<T> {
    /// Makes a resource without a file, as it comes from a cluster.
    fn from(resource: T) -> Self {
        Self { resource, file: String::new(), lines: BTreeMap::new() }
    }
}

impl<T> Sourced<T> {
    /// Returns the origin of a field, or else of the nearest field around it that is written.
    #[must_use]
    pub fn origin(&self, path: &str) -> Option<Origin> {
        line_of(&self.lines, path).map(|line| Origin { file: self.file.clone(), line })
    }
}

/// Returns the line of a field, or else of the nearest field around it that is written.
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
    /// Returns the name of the resource.
    #[must_use]
    pub fn name(&self) -> &str {
        self.resource.meta().name.as_deref().unwrap_or_default()
    }
}
