//! `wanqu check`: manifests to bundles, and every problem on the way.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use wanqu_crds::bundle::NodeBundle;
use wanqu_crds::names::JurisdictionId;
use wanqu_crds::{Finding, Placements, Resources, compile, manifests};

use super::failure::{Failure, Outcome};
use super::render::cells::{counted, printable};

/// Reads and compiles; prints every finding, or a line that says what was understood.
pub fn run(path: &Path) -> Outcome {
    let resources = read(path)?;
    let bundles = compiled(&resources, &Placements::default())?;
    super::put(&understood(&resources, &bundles))
}

/// The resources of a manifest file or folder.
pub fn read(path: &Path) -> Outcome<Resources> {
    manifests::read(&[path.to_owned()]).map_err(|findings| failure(&findings))
}

/// The bundles of resources.
pub fn compiled(resources: &Resources, placements: &Placements) -> Outcome<BTreeMap<JurisdictionId, NodeBundle>> {
    compile(resources, placements).map_err(|findings| failure(&findings))
}

/// Every finding on a line of its own, and how many there are.
fn failure(findings: &[Finding]) -> Failure {
    let mut text = counted(findings.len() as u64, "problem");
    for finding in findings {
        // Writing to a `String` cannot fail.
        let _ = write!(text, "\n  {}", printable(&finding.to_string()).replace('\n', "\n    "));
    }
    Failure::failed(text)
}

fn understood(resources: &Resources, bundles: &BTreeMap<JurisdictionId, NodeBundle>) -> String {
    let members: Vec<&str> = bundles.keys().map(JurisdictionId::as_str).collect();
    let count = |n: usize, noun| counted(n as u64, noun);
    format!(
        "No problems in {}: {} ({}), {}, {}, {}, {}.\n",
        count(resources.len(), "resource"),
        count(members.len(), "jurisdiction"),
        members.join(", "),
        count(resources.datasets.len(), "dataset"),
        count(resources.common_tables.len(), "common table"),
        count(resources.agreements.len(), "agreement"),
        count(resources.projects.len(), "project"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_problems_are_printed_at_once() {
        let finding = |name: &str| Finding {
            origin: None,
            kind: "Dataset".to_owned(),
            name: name.to_owned(),
            path: "spec.columns".to_owned(),
            problem: "is empty".to_owned(),
            remedy: "declare at least one column".to_owned(),
        };
        assert_eq!(
            failure(&[finding("a"), finding("b")]).to_string(),
            "wanqu: 2 problems\n  \
             Dataset a spec.columns: is empty; declare at least one column\n  \
             Dataset b spec.columns: is empty; declare at least one column"
        );
    }

    #[test]
    fn a_folder_that_is_not_there_is_one_clear_message() {
        let failure = run(Path::new("/nowhere")).unwrap_err();
        assert_eq!(failure.exit_code(), 1);
        assert!(failure.to_string().contains("/nowhere"), "{failure}");
    }
}
