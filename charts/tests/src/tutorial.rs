//! A page of documentation as a script: the commands of its blocks that are marked `sh`.
//!
//! ```text
//! page ─▶ steps()   the commands, to run them
//!      └▶ blocks()  the blocks of commands and output, to compare a page with its translation
//! ```

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

/// Block of commands (`sh`), or of commands with their output (`console`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// Number of headings of the second level before the block. Tests also run single sections of a page.
    pub section: usize,
    /// `sh` or `console`.
    pub language: String,
    /// Its lines, without the comments at their ends.
    pub lines: Vec<String>,
}

/// Returns the blocks of commands and output of a page, in order. Two pages with equal blocks are the same script.
///
/// A comment begins with `#` after two spaces, and may differ between languages.
#[must_use]
pub fn blocks(page: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let (mut section, mut open) = (0, None::<Block>);
    for line in page.lines() {
        if let Some(language) = line.strip_prefix("```") {
            open = match open.take() {
                Some(block) => {
                    blocks.push(block);
                    None
                }
                None => Some(Block { section, language: language.to_owned(), lines: Vec::new() }),
            };
        } else if let Some(block) = &mut open {
            let command = line.split_once("  #").map_or(line, |(command, _)| command);
            block.lines.push(command.trim_end().to_owned());
        } else if line.starts_with("## ") {
            section += 1;
        }
    }
    blocks.retain(|block| ["sh", "console"].contains(&block.language.as_str()));
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_sh_blocks_of_a_page_are_commands() {
        let page = "Text\n```sh\nhelm a \\\n  --b\n\nkubectl c\n```\n```text\nno command\n```\n```sh\nkubectl d\n```\n";
        let found: Vec<(String, usize)> = steps(page).into_iter().map(|step| (step.command, step.line)).collect();
        assert_eq!(found, [("helm a --b".to_owned(), 3), ("kubectl c".to_owned(), 6), ("kubectl d".to_owned(), 12)]);
    }

    #[test]
    fn blocks_are_compared_by_section_and_command_and_not_by_comment() {
        let english =
            "## One\n```sh\na -b  # first\n## no heading\n```\n```\na picture\n```\n## Two\n```console\n$ c\nd\n```\n";
        let chinese = "## 一\n```sh\na -b      # 第一\n## no heading\n```\n## 二\n```console\n$ c\nd\n```\n";
        let found = blocks(english);
        assert_eq!(found, blocks(chinese));
        let [first, second] = &found[..] else { panic!("{found:?}") };
        assert_eq!((first.section, first.language.as_str()), (1, "sh"));
        assert_eq!(first.lines, ["a -b", "## no heading"]);
        assert_eq!((second.section, second.language.as_str()), (2, "console"));
        for other in [chinese.replace("$ c", "$ e"), chinese.replace("## 二\n", ""), chinese.replace("console", "sh")]
        {
            assert_ne!(found, blocks(&other));
        }
    }
}
