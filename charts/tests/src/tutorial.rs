//! A page of documentation as a script: the commands of its blocks that are marked `sh`.

/// A command, and the line of the page that it begins on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The command for a shell; lines that end with a backslash are continued.
    pub command: String,
    /// Line number on the page.
    pub line: usize,
}

/// Returns every command of a page, in order.
#[must_use]
pub fn steps(page: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let (mut inside, mut goes_on) = (false, false);
    for (number, line) in page.lines().enumerate() {
        if line.starts_with("```") {
            inside = line == "```sh";
            goes_on = false;
        } else if inside && !line.trim().is_empty() {
            let (text, more) = line.strip_suffix('\\').map_or((line, false), |text| (text, true));
            match steps.last_mut() {
                Some(last) if goes_on => last.command.push_str(text.trim_start()),
                _ => steps.push(Step { command: text.to_owned(), line: number + 1 }),
            }
            goes_on = more;
        }
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_marked_blocks_are_commands() {
        let page = "Text\n```sh\nhelm a \\\n  --b\n\nkubectl c\n```\n```text\nno command\n```\n```sh\nkubectl d\n```\n";
        let found: Vec<(String, usize)> = steps(page).into_iter().map(|step| (step.command, step.line)).collect();
        assert_eq!(found, [("helm a --b".to_owned(), 3), ("kubectl c".to_owned(), 6), ("kubectl d".to_owned(), 12)]);
    }
}
