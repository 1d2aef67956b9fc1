//! Problems in manifests, worded so that their authors can mend them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::sourced::{Origin, Sourced};

/// Problem of a resource: its subject, what is wrong, and the remedy.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// File and line; absent for resources from a cluster.
    pub origin: Option<Origin>,
    /// Kind of the resource: `Dataset`. Empty if the text is not yet a resource.
    pub kind: String,
    /// Name of the resource.
    pub name: String,
    /// Path of the field: `spec.columns[3].class`. Empty for the resource as a whole.
    pub path: String,
    /// The fault, for people.
    pub problem: String,
    /// The way to mend it; empty if there is none to name.
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

/// Objects that a compilation goes without, by kind and name, with the fields at fault.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct LeftOut(BTreeMap<(String, String), BTreeSet<String>>);

impl LeftOut {
    /// Adds an object that a finding is about; returns true if it was not left out before.
    pub(crate) fn add(&mut self, finding: &Finding) -> bool {
        let key = (finding.kind.clone(), finding.name.clone());
        let is_new = !self.0.contains_key(&key);
        self.0.entry(key).or_default().insert(finding.path.clone());
        is_new
    }

    /// Returns true if the object of this kind and name is left out.
    pub(crate) fn contains(&self, kind: &str, name: &str) -> bool {
        self.0.contains_key(&(kind.to_owned(), name.to_owned()))
    }

    /// Returns true if a resource is left out.
    pub(crate) fn holds<T: kube::Resource<DynamicType = ()>>(&self, resource: &Sourced<T>) -> bool {
        !self.0.is_empty() && self.contains(&T::kind(&()), resource.name())
    }

    /// Returns true if a field of this object, or one in it, is at fault.
    pub(crate) fn in_field(&self, kind: &str, name: &str, field: &str) -> bool {
        let paths = self.0.get(&(kind.to_owned(), name.to_owned()));
        paths.into_iter().flatten().any(|path| path.is_empty() || within(path, field) || within(field, path))
    }

    /// Returns the names of the objects of a kind that are left out.
    pub(crate) fn names<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.keys().filter(move |(of, _)| of == kind).map(|(_, name)| name.as_str())
    }
}

/// Returns true if the field at `path` is `field` or lies in it.
pub(crate) fn within(path: &str, field: &str) -> bool {
    path.strip_prefix(field).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

/// Problems found so far, and the objects that the compilation goes without, of which nothing is said again.
#[derive(Debug, Default)]
pub(crate) struct Findings(pub(crate) Vec<Finding>, pub(crate) LeftOut);

impl From<&[Finding]> for Findings {
    fn from(found: &[Finding]) -> Self {
        Self(found.to_vec(), LeftOut::default())
    }
}

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

    /// Returns true if a problem of this resource was noted already, so that the resource exists.
    pub(crate) fn speak_of(&self, kind: &str, name: &str) -> bool {
        self.1.contains(kind, name) || self.0.iter().any(|finding| finding.kind == kind && finding.name == name)
    }

    /// Returns all problems, in the order of files and lines, each once.
    pub(crate) fn into_sorted(mut self) -> Vec<Finding> {
        self.0.sort();
        self.0.dedup();
        self.0
    }
}

/// Returns a remedy for a name that is not known: the known name that is most like it, or else a list of known names.
pub(crate) fn instead<'a>(name: &str, known: impl Iterator<Item = &'a str> + Clone) -> String {
    const MOST: usize = 12;
    if let Some(near) = known.clone().filter(|k| distance(name, k) <= 2).min_by_key(|k| distance(name, k)) {
        return format!("did you mean {near}?");
    }
    let shown: Vec<&str> = known.clone().take(MOST).collect();
    match (shown.len(), known.count()) {
        (0, _) => String::new(),
        (1, _) => format!("the only one is {}", shown[0]),
        (some, all) if some < all => format!("use one of {} and {} more", shown.join(", "), all - some),
        _ => format!("use one of {}", shown.join(", ")),
    }
}

/// Returns the number of letters to add, take away, change or swap between two names, case aside; 3 if it is 3 or more, or if
/// a name is so short that any other would look like it.
fn distance(a: &str, b: &str) -> usize {
    const FAR: usize = 3;
    let (a, b) = (a.to_lowercase(), b.to_lowercase());
    let (long, short) = (a.chars().count().max(b.chars().count()), a.chars().count().min(b.chars().count()));
    if long - short >= FAR || short < FAR {
        return FAR;
    }
    strsim::osa_distance(&a, &b).min(FAR)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelled_name_is_recognised() {
        let known = ["visit_date", "sex", "cost"];
        let instead = |name| instead(name, known.iter().copied());
        assert_eq!(instead("visitdate"), "did you mean visit_date?");
        assert_eq!(instead("Visit_Date"), "did you mean visit_date?");
        assert_eq!(instead("cots"), "did you mean cost?");
        assert_eq!(instead("age"), "use one of visit_date, sex, cost");
        assert_eq!(super::instead("x", ["only"].into_iter()), "the only one is only");
        assert_eq!(super::instead("x", [].into_iter()), "");
        assert_eq!(distance("visti_date", "visit_date"), 1, "two letters that changed places");
        assert_eq!((distance("就诊日期", "就医日期"), distance("就诊", "就医")), (1, 3), "letters, not bytes");
    }
}
