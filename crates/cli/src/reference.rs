//! The command line's reference as Markdown, made from the same words as `--help`. `docs/reference-cli.md` is its output.

use std::fmt::Write as _;

use clap::{Arg, ArgAction, Command, CommandFactory};

use super::args::Args;
use super::kubectl::args as plugin;

/// Returns the reference of `wanqu` and of the kubectl plugin that it is under another name.
#[must_use]
pub fn markdown() -> String {
    let mut text = String::from(
        "# `wanqu` on the command line\n\nThis page is made by `wanqu reference`; `wanqu COMMAND --help` and `kubectl wanqu COMMAND \
         --help` say the same.\n",
    );
    program(&mut text, Args::command(), "wanqu");
    program(&mut text, plugin::Args::command(), "kubectl wanqu");
    text
}

/// Appends the sections of a program and its commands.
fn program(text: &mut String, mut root: Command, path: &str) {
    root.build();
    section(text, &root, path);
    for command in root.get_subcommands().filter(|c| !c.is_hide_set() && c.get_name() != "help") {
        section(text, command, &format!("{path} {}", command.get_name()));
    }
}

/// Appends the section of one command: purpose, usage, arguments. Writing to a `String` cannot fail.
pub(crate) fn section(text: &mut String, command: &Command, path: &str) {
    let about = command.get_long_about().or_else(|| command.get_about()).map(ToString::to_string).unwrap_or_default();
    let _ = write!(text, "\n## `{path}`\n\n{about}\n");
    let usage = command.clone().render_usage().to_string();
    let _ = write!(text, "\n```text\n{}\n```\n", usage.trim().trim_start_matches("Usage: "));
    let arguments: Vec<&Arg> = command
        .get_arguments()
        .filter(|arg| !arg.is_hide_set() && !matches!(arg.get_id().as_str(), "help" | "version"))
        .filter(|arg| command.has_subcommands() || !arg.is_global_set())
        .collect();
    if !arguments.is_empty() {
        let _ = write!(text, "\n| argument | meaning |\n|---|---|\n");
        for argument in arguments {
            let _ = writeln!(text, "| `{}` | {} |", spelled(argument), meaning(argument));
        }
    }
    if let Some(after) = command.get_after_long_help() {
        let _ = write!(text, "\n```text\n{}\n```\n", after.to_string().trim());
    }
}

/// Returns an argument's spelling: `-o, --output <FILE>`.
fn spelled(argument: &Arg) -> String {
    let value = argument.get_value_names().and_then(|names| names.first()).map(ToString::to_string).unwrap_or_default();
    if argument.is_positional() {
        return format!("[{value}]");
    }
    let mut text = String::new();
    if let Some(short) = argument.get_short() {
        let _ = write!(text, "-{short}, ");
    }
    let _ = write!(text, "--{}", argument.get_long().unwrap_or_default());
    if matches!(argument.get_action(), ArgAction::Set | ArgAction::Append) {
        let _ = write!(text, " <{value}>");
    }
    text
}

fn meaning(argument: &Arg) -> String {
    let mut text = argument.get_help().map(ToString::to_string).unwrap_or_default();
    if !text.ends_with('.') {
        text.push('.');
    }
    let values: Vec<String> =
        argument.get_possible_values().iter().map(|value| format!("`{}`", value.get_name())).collect();
    if !values.is_empty() && matches!(argument.get_action(), ArgAction::Set) {
        let _ = write!(text, " One of {}.", values.join(", "));
    }
    let defaults: Vec<String> =
        argument.get_default_values().iter().map(|v| v.to_string_lossy().into_owned()).collect();
    if !defaults.is_empty() && matches!(argument.get_action(), ArgAction::Set) {
        let _ = write!(text, " Default: `{}`.", defaults.join(" "));
    }
    if let Some(variable) = argument.get_env() {
        let _ = write!(text, " Environment: `{}`.", variable.to_string_lossy());
    }
    text.replace('|', "\\|").replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reference_in_docs_is_what_the_command_line_says() {
        let made = markdown();
        let committed = include_str!("../../../docs/reference-cli.md");
        assert!(made == committed, "run `cargo run -- reference > docs/reference-cli.md`");
    }

    #[test]
    fn every_command_has_a_section() {
        let made = markdown();
        for command in [
            "demo",
            "up",
            "check",
            "query",
            "receipts",
            "explain",
            "catalog",
            "audit",
            "samples",
            "ready",
            "completions",
        ] {
            assert!(made.contains(&format!("## `wanqu {command}`")), "{command}");
        }
        for command in ["query", "explain", "result", "list"] {
            assert!(made.contains(&format!("## `kubectl wanqu {command}`")), "{command}");
        }
        assert!(!made.contains("## `wanqu reference`"), "hidden commands are left out");
    }
}
