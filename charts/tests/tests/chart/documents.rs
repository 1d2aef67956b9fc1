//! What is written about the chart is what the chart is.

use wanqu_chart_tests::{chart, readme};

#[test]
fn the_page_has_every_value_as_it_is() {
    let committed = std::fs::read_to_string(chart().join("README.md")).unwrap();
    assert!(committed == readme(), "run `cargo run -p wanqu-chart-tests --bin chartdocs`");
    let silent = committed.lines().find(|line| line.ends_with("|  |"));
    assert_eq!(silent, None, "a value that nothing is said of");
    assert!(committed.contains("| networkPolicy.apiServer.ports | list | `[443,6443]` |"));
}
