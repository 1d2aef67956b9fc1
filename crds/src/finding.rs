//! A problem in a manifest, said so that its author can mend it.

use std::fmt;

use crate::sourced::{Origin, Sourced};

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

    /// Whether anything was found of this resource already, so that it is there, if not in order.
    pub(crate) fn speak_of(&self, kind: &str, name: &str) -> bool {
        self.0.iter().any(|finding| finding.kind == kind && finding.name == name)
    }

    /// Everything found, in the order of files and lines, each once.
    pub(crate) fn into_sorted(mut self) -> Vec<Finding> {
        self.0.sort();
        self.0.dedup();
        self.0
    }
}

/// What to write instead of a name that is not known: the one that looks most like it, or else what there is.
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

/// How many letters must be added, taken away or changed (Levenshtein), case aside; at most 3.
fn distance(a: &str, b: &str) -> usize {
    const FAR: usize = 3;
    if a.len().abs_diff(b.len()) >= FAR || a.len().min(b.len()) < FAR {
        return FAR;
    }
    let (a, b) = (a.to_lowercase().into_bytes(), b.to_lowercase().into_bytes());
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.iter().enumerate() {
            let changed = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()].min(FAR)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_pen_is_recognised() {
        let known = ["visit_date", "sex", "cost"];
        let instead = |name| instead(name, known.iter().copied());
        assert_eq!(instead("visitdate"), "did you mean visit_date?");
        assert_eq!(instead("Visit_Date"), "did you mean visit_date?");
        assert_eq!(instead("cots"), "did you mean cost?");
        assert_eq!(instead("age"), "use one of visit_date, sex, cost");
        assert_eq!(super::instead("x", ["only"].into_iter()), "the only one is only");
        assert_eq!(super::instead("x", [].into_iter()), "");
        assert_eq!(distance("就诊", "就医"), 3, "bytes, but never a panic");
    }
}
