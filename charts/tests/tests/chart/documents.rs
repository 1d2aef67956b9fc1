//! The documentation of the chart agrees with the chart.

use wanqu_chart_tests::{chart, readme, root, steps};

#[test]
fn the_page_has_every_value_as_it_is() {
    let committed = std::fs::read_to_string(chart().join("README.md")).unwrap();
    assert!(committed == readme(), "run `cargo run -p wanqu-chart-tests --bin chartdocs`");
    let silent = committed.lines().find(|line| line.ends_with("|  |"));
    assert_eq!(silent, None, "a value that nothing is said of");
    assert!(committed.contains("| networkPolicy.apiServer.ports | list | `[443,6443]` |"));
}

/// The commands name files and programs that exist. They are run by the tests on a whole cluster.
#[test]
fn the_tutorial_names_files_that_there_are() {
    let page = std::fs::read_to_string(root().join("docs/tutorial-kubernetes.md")).unwrap();
    let steps = steps(&page);
    assert!(steps.len() > 10, "{steps:?}");
    for step in &steps {
        let words: Vec<&str> = step.command.split(' ').collect();
        assert!(["helm", "kubectl"].contains(&words[0]), "line {}: {}", step.line, step.command);
        let files = words.windows(2).filter(|pair| pair[0] == "-f").map(|pair| pair[1]);
        for file in files.chain(words.iter().copied().filter(|word| word.starts_with("charts/"))) {
            assert!(root().join(file).exists(), "line {}: {file}", step.line);
        }
    }
    // The tutorial uses every file of the folder of examples.
    for entry in std::fs::read_dir(root().join("examples/kubernetes")).unwrap() {
        let name = format!("examples/kubernetes/{}", entry.unwrap().file_name().into_string().unwrap());
        assert!(steps.iter().any(|step| step.command.contains(&name)), "{name}");
    }
}

/// Each claim of the page of capability levels names a test or file that exists.
#[test]
fn what_is_said_to_show_a_capability_is_there() {
    let page = std::fs::read_to_string(root().join("docs/capability-levels.md")).unwrap();
    let quoted = page.split('`').skip(1).step_by(2);
    let paths: Vec<&str> = quoted.filter(|text| text.contains('/') && !text.starts_with('/')).collect();
    assert!(paths.len() > 10, "{paths:?}");
    for path in paths {
        assert!(root().join(path).exists(), "{path}");
    }
}
