//! `helm lint`, and versions that go together.

use serde_json::Value;
use wanqu_chart_tests::{Helm, chart, values_files};

#[test]
fn the_chart_passes_the_strict_lint_with_every_values_file() {
    let helm = Helm::new();
    let chart = chart();
    let files = values_files();
    assert!(files.len() >= 4, "{files:?}");
    for file in files {
        let output = helm.run(&["lint", "--strict", chart.to_str().unwrap(), "--values", file.to_str().unwrap()]);
        assert!(output.success, "{}: {}{}", file.display(), output.stdout, output.stderr);
    }
}

#[test]
fn chart_sub_chart_and_workspace_are_of_one_version() {
    let read = |path: &str| -> Value {
        let text = std::fs::read_to_string(chart().join(path)).unwrap();
        serde_saphyr::from_str(&text).unwrap()
    };
    let (outer, inner) = (read("Chart.yaml"), read("charts/crds/Chart.yaml"));
    let version = env!("CARGO_PKG_VERSION");
    for value in [
        &outer["version"],
        &outer["appVersion"],
        &outer["dependencies"][0]["version"],
        &inner["version"],
        &inner["appVersion"],
    ] {
        assert_eq!(value, version);
    }
    assert_eq!(outer["kubeVersion"], inner["kubeVersion"]);
}
