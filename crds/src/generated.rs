//! Files of the repository that follow from the types: made by `crdgen`, committed, and held against the types by a test.

use crate::kinds::definitions;
use crate::reference;

/// The folder of the definitions, from the root of the repository.
pub const DEFINITIONS: &str = "crds/yaml";
/// The folder of the same as templates of the chart that installs them.
pub const CHART: &str = "charts/wanqu/charts/crds/templates";
/// The page that says what each field means.
pub const REFERENCE: &str = "docs/reference-resources.md";

/// Every such file: its path from the root of the repository, and what it holds.
#[must_use]
pub fn files() -> Vec<(String, String)> {
    let definitions = definitions();
    let mut files = vec![(REFERENCE.to_owned(), reference::markdown(&definitions))];
    for definition in &definitions {
        files.push((format!("{DEFINITIONS}/{}", definition.file_name()), definition.to_yaml()));
        files.push((format!("{CHART}/{}", definition.file_name()), definition.to_chart_yaml()));
    }
    files
}
