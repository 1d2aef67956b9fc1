//! The tables of threats of `docs/threats.md`: each row names the tests that hold it, or says that it is open.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Head of a table of threats.
const HEAD: [&str; 3] = ["threat", "defence", "held by"];
/// What a row without a test begins with.
const OPEN: &str = "not defended: ";

/// A row of a table of threats.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Threat {
    /// The threat, in words.
    pub threat: String,
    /// Files and folders that the defence names.
    pub paths: Vec<String>,
    /// What holds it.
    pub held: Held,
}

impl Threat {
    /// Returns a sentence for each file, folder and test below `root` that the row names and that is not there.
    #[must_use]
    pub fn missing(&self, root: &Path) -> Vec<String> {
        let paths = self.paths.iter().filter(|path| !root.join(path).exists());
        let mut missing: Vec<String> = paths.map(|path| format!("\"{}\": there is no {path}", self.threat)).collect();
        let Held::By(tests) = &self.held else { return missing };
        for (file, function) in tests {
            let there = fs::read_to_string(root.join(file)).is_ok_and(|source| tests_of(&source).contains(function));
            if !there {
                missing.push(format!("\"{}\": there is no test {file}::{function}", self.threat));
            }
        }
        missing
    }
}

/// What holds a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Held {
    /// Tests, as file and function.
    By(Vec<(String, String)>),
    /// Nothing, which the row says.
    Open,
}

/// Reads the rows of all tables of threats of a page, of which `head` is the first line.
///
/// # Errors
/// The row that has another number of cells, or neither names a test nor says by `open` that there is none.
pub fn read(page: &str, head: [&str; 3], open: &str) -> Result<Vec<Threat>, String> {
    let mut threats = vec![];
    let mut within = false;
    for line in page.lines() {
        let Some(cells) = cells(line) else {
            within = false;
            continue;
        };
        if cells == head {
            within = true;
        } else if within && !cells.iter().all(|cell| cell.chars().all(|c| c == '-')) {
            threats.push(row(&cells, open)?);
        }
    }
    Ok(threats)
}

/// Reads the English page.
///
/// # Errors
/// As [`read`].
pub fn read_english(page: &str) -> Result<Vec<Threat>, String> {
    read(page, HEAD, OPEN)
}

fn cells(line: &str) -> Option<Vec<&str>> {
    let inner = line.trim().strip_prefix('|')?.strip_suffix('|')?;
    Some(inner.split('|').map(str::trim).collect())
}

fn row(cells: &[&str], open: &str) -> Result<Threat, String> {
    let [threat, defence, held] = cells else { return Err(format!("a row has three cells: {cells:?}")) };
    let paths = quoted(defence).filter(|text| text.contains('/')).map(str::to_owned).collect();
    let tests: Vec<_> = quoted(held)
        .filter_map(|text| text.split_once("::").map(|(file, function)| (file.to_owned(), function.to_owned())))
        .collect();
    let held = match (tests.is_empty(), held.strip_prefix(open)) {
        (false, None) => Held::By(tests),
        (true, Some(why)) if !why.is_empty() => Held::Open,
        _ => return Err(format!("\"{threat}\" names tests as file::function, or says \"{open}…\": {held}")),
    };
    Ok(Threat { threat: (*threat).to_owned(), paths, held })
}

fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// Returns the functions of a source that are run as tests: those with `#[test]` or `#[tokio::test]` and without `#[ignore]`.
#[must_use]
pub fn tests_of(source: &str) -> BTreeSet<String> {
    let mut tests = BTreeSet::new();
    let (mut is_test, mut is_ignored) = (false, false);
    for line in source.lines().map(str::trim) {
        if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
            is_test = true;
        } else if line.starts_with("#[ignore") || line.starts_with("#[cfg") {
            is_ignored = true;
        } else if !line.starts_with("#[") && !line.starts_with("//") && !line.is_empty() {
            let words = line.trim_start_matches("pub ").trim_start_matches("async ");
            if let Some(name) = words.strip_prefix("fn ").and_then(|rest| rest.split(['(', '<']).next())
                && is_test
                && !is_ignored
            {
                tests.insert(name.to_owned());
            }
            (is_test, is_ignored) = (false, false);
        }
    }
    tests
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "\
# Page

| asset | whose |
|---|---|
| a | b |

| threat | defence | held by |
|---|---|---|
| shouts | a wall (`a/b.rs`, `word`) | `a/b.rs::one`, `c.rs::two` |
| whispers | – | not defended: nobody listens |
";

    #[test]
    fn rows_name_tests_or_say_that_they_are_open() {
        let threats = read_english(PAGE).unwrap();
        assert_eq!(threats.len(), 2);
        assert_eq!(threats[0].paths, ["a/b.rs"]);
        let by = [("a/b.rs", "one"), ("c.rs", "two")].map(|(file, test)| (file.to_owned(), test.to_owned()));
        assert_eq!(threats[0].held, Held::By(by.to_vec()));
        assert_eq!(threats[1].held, Held::Open);
        for (row, instead) in [
            ("`a/b.rs::one`, `c.rs::two`", ""),
            ("`a/b.rs::one`, `c.rs::two`", "by reading"),
            ("not defended: nobody listens", "not defended"),
            ("not defended: nobody listens", "not defended: "),
            ("| – |", "|"),
        ] {
            assert!(read_english(&PAGE.replace(row, instead)).is_err(), "{instead}");
        }
    }

    #[test]
    fn a_test_is_what_is_run_as_one() {
        let source = "\
#[test]
fn one() {}
#[tokio::test(flavor = \"multi_thread\")]
#[expect(clippy::all)]
/// Words.
async fn two() {}
#[test]
#[ignore = \"slow\"]
fn three() {}
// #[test]
fn four() {}
#[cfg(windows)]
#[test]
fn five() {}
fn six() {}
";
        assert_eq!(tests_of(source), BTreeSet::from(["one".to_owned(), "two".to_owned()]));
    }
}
