//! Pages of documentation, followed as a person does: one section after the other.

use wanqu_chart_tests::{Step, steps};

use crate::{Shell, root};

/// The commands below one heading of a page, `## ` left out.
///
/// # Panics
/// If the page has no such heading, or no command below it.
fn section(page: &str, heading: &str) -> Vec<Step> {
    let text = std::fs::read_to_string(root().join(page)).expect("a page of the project");
    let mut inside = false;
    let lines: Vec<&str> = text
        .lines()
        .map(|line| {
            if let Some(title) = line.strip_prefix("## ") {
                inside = title == heading;
            }
            // A line that is left out is left empty, so that steps keep their numbers.
            if inside { line } else { "" }
        })
        .collect();
    let steps = steps(&lines.join("\n"));
    assert!(!steps.is_empty(), "{page} says what to do under {heading:?}");
    steps
}

/// Runs them, and gives what each printed.
///
/// # Errors
/// With the first that fails, and what it said.
pub fn follow(shell: &Shell, page: &str, heading: &str) -> Result<Vec<String>, String> {
    let run = |step: &Step| shell.run(step).map_err(|failure| format!("{page}, {failure}"));
    section(page, heading).iter().map(run).collect()
}
