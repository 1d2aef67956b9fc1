//! Commands that run to their end.

use std::process::Command;

use crate::error::{Result, TestbedError, tail};

/// Runs a command and gives what it printed.
///
/// # Errors
/// If it cannot be started or does not succeed, with the end of what it said.
pub(crate) fn run(command: &mut Command) -> Result<String> {
    let line = || {
        let words = std::iter::once(command.get_program()).chain(command.get_args());
        words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
    };
    let line = line();
    let output = command.output().map_err(TestbedError::io(&line))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = [output.stdout, output.stderr].concat();
    Err(TestbedError::Command {
        command: line,
        status: output.status.to_string(),
        output: tail(&String::from_utf8_lossy(&said)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_fails_says_what_it_was_and_why() {
        assert_eq!(run(Command::new("echo").arg("yes")).unwrap(), "yes\n");
        let error = run(Command::new("sh").args(["-c", "echo no way >&2; exit 4"])).unwrap_err().to_string();
        assert!(error.contains("sh -c") && error.contains("exit status: 4") && error.contains("no way"), "{error}");
        assert!(run(&mut Command::new("/no/such/program")).unwrap_err().to_string().contains("/no/such/program"));
    }
}
