//! `wanqu check`: manifests to bundles, and every problem on the way.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use query_node::engine::{Engine, RemotePublic};
use wanqu_crds::{Finding, Placements, Resources, compile, manifests};
use wanqu_model::bundle::{NodeBundle, Slice};
use wanqu_model::names::{JurisdictionId, ResourceName, SqlName};
use wanqu_model::refusal::{Code, Refusal};
use wanqu_rules::Fetched;

use super::failure::{Failure, Outcome};
use super::render::cells::{counted, printable};

/// Reads and compiles; prints every finding, or a line that says what was understood.
pub fn run(path: &Path) -> Outcome {
    let resources = read(path)?;
    let bundles = compiled(&resources, &Placements::default())?;
    let problems: Vec<String> = bundles.values().flat_map(mappings).collect();
    if !problems.is_empty() {
        return Err(listed(&problems));
    }
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

fn failure(findings: &[Finding]) -> Failure {
    let problems: Vec<String> = findings.iter().map(ToString::to_string).collect();
    listed(&problems)
}

/// Every problem on a line of its own, and how many there are.
fn listed(problems: &[String]) -> Failure {
    let mut text = counted(problems.len() as u64, "problem");
    for problem in problems {
        // Writing to a `String` cannot fail.
        let _ = write!(text, "\n  {}", printable(problem).replace('\n', "\n    "));
    }
    Failure::failed(text)
}

/// What the engine has to say of a member's mappings, which the compiler cannot type: one problem for each dataset.
fn mappings(bundle: &NodeBundle) -> Vec<String> {
    let own = bundle.slices.iter().filter(|slice| slice.jurisdiction == bundle.jurisdiction);
    let datasets: BTreeSet<&ResourceName> = own.map(|slice| &slice.dataset).collect();
    let problem = |dataset: &ResourceName| {
        let slices = bundle.slices.iter().filter(|slice| slice.dataset == *dataset).cloned().collect();
        let alone = NodeBundle { slices, ..bundle.clone() };
        Engine::open(&alone, Arc::new(Nobody)).err().map(|error| format!("Dataset {dataset}: {error}"))
    };
    datasets.into_iter().filter_map(problem).collect()
}

/// No other member: nothing is run here.
#[derive(Debug)]
struct Nobody;

#[async_trait]
impl RemotePublic for Nobody {
    async fn fetch(&self, slice: &Slice, _: &[SqlName], _: &[String]) -> Result<Fetched, Refusal> {
        let message = format!("{} is not asked while manifests are checked", slice.jurisdiction);
        Err(Refusal::new(Code::OwnerUnavailable, message))
    }
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
    fn a_mapping_of_the_wrong_type_is_found_without_data() {
        let folder = tempfile::tempdir().unwrap();
        wanqu_samples::write_manifests(folder.path()).unwrap();
        run(folder.path()).unwrap();
        let path = folder.path().join("datasets-macau.yaml");
        let text = std::fs::read_to_string(&path).unwrap();
        let wrong = text.replacen(
            "{column: visit_date, expression: TRY_CAST(data_consulta AS DATE)}",
            "{column: visit_date, expression: \"custo_mop * 2\"}",
            1,
        );
        assert_ne!(text, wrong, "the example has changed");
        std::fs::write(&path, wrong).unwrap();
        let failure = run(folder.path()).unwrap_err().to_string();
        assert!(failure.contains("visit_date"), "{failure}");
    }

    #[test]
    fn a_folder_that_is_not_there_is_one_clear_message() {
        let failure = run(Path::new("/nowhere")).unwrap_err();
        assert_eq!(failure.exit_code(), 1);
        assert!(failure.to_string().contains("/nowhere"), "{failure}");
    }
}
