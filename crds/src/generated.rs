//! Files of the repository that follow from the types: made by `crdgen`, committed, and held against the types by a test.

use crate::kinds::definitions;
use crate::reference;

/// Folder of the definitions, from the root of the repository.
pub const DEFINITIONS: &str = "crds/yaml";
/// Folder of the chart's templates with the same definitions.
pub const CHART: &str = "charts/wanqu/charts/crds/templates";
/// Page that documents each field.
pub const REFERENCE: &str = "docs/reference-resources.md";

/// Returns every such file: its path from the root of the repository, and its content.
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
