//! Problems in manifests, worded so that their authors can mend them.

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

/// Problems found so far.
#[derive(Debug, Default)]
pub(crate) struct Findings(pub(crate) Vec<Finding>);

impl From<&[Finding]> for Findings {
    fn from(found: &[Finding]) -> Self {
        Self(found.to_vec())
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
        self.0.iter().any(|finding| finding.kind == kind && finding.name == name)
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
