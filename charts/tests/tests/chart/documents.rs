//! The documentation of the chart agrees with the chart.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use wanqu_chart_tests::{blocks, chart, readme, root, steps};

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
fn every_path_on_the_page_of_capability_levels_exists() {
    let page = std::fs::read_to_string(root().join("docs/capability-levels.md")).unwrap();
    let quoted = page.split('`').skip(1).step_by(2);
    let paths: Vec<&str> = quoted.filter(|text| text.contains('/') && !text.starts_with('/')).collect();
    assert!(paths.len() > 10, "{paths:?}");
    for path in paths {
        assert!(root().join(path).exists(), "{path}");
    }
}

/// Returns the pages of documentation: those at the root, in `docs`, of the chart and of the operator.
fn pages() -> Vec<PathBuf> {
    let mut pages = Vec::new();
    for folder in ["", "docs", "docs/runbooks", "charts/wanqu", "operator"] {
        let entries = std::fs::read_dir(root().join(folder)).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        pages.extend(paths.filter(|path| path.extension().is_some_and(|extension| extension == "md")));
    }
    assert!(pages.len() > 15, "{pages:?}");
    pages
}

/// Returns the targets of the links of a page, `](TARGET)`, without links to other sites and text in code spans.
fn links(page: &str) -> Vec<String> {
    let text: String = page.lines().flat_map(|line| line.split('`').step_by(2).chain(["\n"])).collect();
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target);
    targets.filter(|target| !target.contains("://")).map(str::to_owned).collect()
}

/// Returns the anchors of a page's headings, as they are shown on the web: in lower case, with hyphens for spaces.
fn anchors(page: &str) -> BTreeSet<String> {
    let headings = page.lines().filter(|line| line.starts_with('#'));
    let anchor = |line: &str| {
        let title = line.trim_start_matches('#').trim().to_lowercase();
        title
            .chars()
            .filter(|c| c.is_alphanumeric() || " -_".contains(*c))
            .map(|c| if c == ' ' { '-' } else { c })
            .collect()
    };
    headings.map(anchor).collect()
}

#[test]
fn every_link_of_a_page_leads_to_a_file_and_a_heading() {
    let mut followed = 0;
    for path in pages() {
        let page = std::fs::read_to_string(&path).unwrap();
        for link in links(&page) {
            let (file, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = if file.is_empty() { path.clone() } else { path.parent().unwrap().join(file) };
            assert!(target.exists(), "{}: {link}", path.display());
            if !anchor.is_empty() {
                let there = anchors(&std::fs::read_to_string(&target).unwrap());
                assert!(there.contains(anchor), "{}: {link} is none of {there:?}", path.display());
            }
            followed += 1;
        }
    }
    assert!(followed > 40, "{followed} links");
}

/// The tests on clusters run the commands of the English page. A Chinese page with the same commands in the same sections
/// is the same script.
#[test]
fn chinese_pages_have_the_commands_of_the_english_ones() {
    let mut translated = BTreeMap::new();
    for path in pages() {
        let name = path.file_name().unwrap().to_str().unwrap();
        let Some(base) = name.strip_suffix(".zh-CN.md") else { continue };
        let chinese = std::fs::read_to_string(&path).unwrap();
        let english = std::fs::read_to_string(path.with_file_name(format!("{base}.md"))).unwrap();
        let (expected, found) = (blocks(&english), blocks(&chinese));
        for (expected, found) in expected.iter().zip(&found) {
            assert_eq!(expected, found, "{name}");
        }
        assert_eq!(expected.len(), found.len(), "{name}: one page has blocks that the other lacks");
        assert!(links(&english).iter().any(|link| link == name), "{base}.md links to {name}");
        assert!(links(&chinese).contains(&format!("{base}.md")), "{name} links to {base}.md");
        translated.insert(base.to_owned(), expected.len());
    }
    for page in ["README", "tutorial-kubernetes", "three-clusters"] {
        let commands = translated.get(page).unwrap_or_else(|| panic!("{page}.md has no Chinese page"));
        assert!(*commands > 1, "{page}.md has {commands} blocks of commands");
    }
}
