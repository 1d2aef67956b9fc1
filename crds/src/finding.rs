//! A problem in a manifest, said so that its author can mend it.

use std::fmt;

use crate::resources::Sourced;

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

/// One problem: what it is about, what is wrong, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// Where it stands; absent for resources that came from a cluster.
    pub origin: Option<Origin>,
    /// The resource's kind: `Dataset`. Empty where the text is not yet a resource.
    pub kind: String,
    /// The resource's name.
    pub name: String,
    /// The field: `spec.columns[3].class`. Empty for the resource as a whole.
    pub path: String,
    /// What is wrong.
    pub problem: String,
    /// What would be right.
    pub remedy: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(origin) = &self.origin {
            write!(f, "{origin}: ")?;
        }
        let subject: Vec<&str> =
            [&self.kind, &self.name, &self.path].into_iter().map(String::as_str).filter(|s| !s.is_empty()).collect();
        if !subject.is_empty() {
            write!(f, "{}: ", subject.join(" "))?;
        }
        f.write_str(&self.problem)?;
        if !self.remedy.is_empty() {
            write!(f, "; {}", self.remedy)?;
        }
        Ok(())
    }
}

/// What has been found so far.
#[derive(Debug, Default)]
pub(crate) struct Findings(pub(crate) Vec<Finding>);

impl Findings {
    /// Notes a problem of one field of a resource.
    pub(crate) fn add<T: kube::Resource<DynamicType = ()>>(
        &mut self,
        at: &Sourced<T>,
        path: impl Into<String>,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        let path = path.into();
        self.0.push(Finding {
            origin: at.origin(&path),
            kind: T::kind(&()).into_owned(),
            name: at.name().to_owned(),
            path,
            problem: problem.into(),
            remedy: remedy.into(),
        });
    }

    /// Everything found, in the order of files and lines, each once.
    pub(crate) fn into_sorted(mut self) -> Vec<Finding> {
        self.0.sort();
        self.0.dedup();
        self.0
    }
}
