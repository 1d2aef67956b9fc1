//! The kubectl whose plugin this is: run for everything that is asked of the API server.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::time::Duration;

use serde::de::DeserializeOwned;
use tokio::time::{Instant, sleep, timeout};
use wanqu_model::io_reason;

use super::args::TargetArgs;
use crate::failure::{End, Failure, Outcome};

/// The time that the API server has for one answer.
const ONE_ANSWER: &str = "--request-timeout=60s";

/// The time that one run has from its start to its end. Longer than one answer takes: it may have somebody log in first.
const ONE_RUN: Duration = Duration::from_mins(3);

/// The time between the end of what a kubectl prints and its own end.
const ENDING: Duration = Duration::from_secs(10);

/// The pause between two looks at whether it has ended.
const PAUSE: Duration = Duration::from_millis(10);

/// The longest complaint that is read, in bytes.
const COMPLAINT: u64 = 64 * 1024;

/// A kubectl, with the flags that it is run with.
#[derive(Debug, Clone)]
pub struct Kubectl {
    program: OsString,
    flags: Vec<OsString>,
    one_run: Duration,
}

impl Kubectl {
    /// Returns the kubectl that the command line names.
    #[must_use]
    pub fn new(target: &TargetArgs) -> Self {
        Self { program: target.kubectl.clone(), flags: target.flags(), one_run: ONE_RUN }
    }

    /// Returns the same kubectl for another namespace.
    #[must_use]
    pub fn within(&self, namespace: &str) -> Self {
        // The last of two flags for the namespace holds.
        let flags = self.flags.iter().cloned().chain([format!("--namespace={namespace}").into()]).collect();
        Self { flags, ..self.clone() }
    }

    /// Runs it to its end and returns the JSON that it printed. `doing` completes "cannot …" in failures.
    pub async fn read<T: DeserializeOwned>(&self, doing: &str, args: &[&str], input: Vec<u8>) -> Outcome<T> {
        let printed = self.run(doing, args, input).await?;
        serde_json::from_slice(&printed).map_err(|error| unread(doing, &error))
    }

    /// Runs it to its end and returns what it printed.
    ///
    /// # Errors
    /// If it cannot be run, ends with an error, or does not end in time.
    pub async fn run(&self, doing: &str, args: &[&str], input: Vec<u8>) -> Outcome<Vec<u8>> {
        let mut command = self.command(args);
        command.arg(ONE_ANSWER).stdin(Stdio::piped());
        let (mut running, mut stdout) = Running::start(&mut command).map_err(|error| self.not_run(doing, &error))?;
        let stdin = running.child.stdin.take();
        let exchange = tokio::task::spawn_blocking(move || {
            if let Some(mut stdin) = stdin {
                // One that ends before it has read everything says why.
                let _ = stdin.write_all(&input);
            }
            let mut printed = Vec::new();
            stdout.read_to_end(&mut printed).map(|_| printed)
        });
        let Ok(printed) = timeout(self.one_run, exchange).await else { return Err(self.too_slow(doing, args)) };
        let printed = printed.map_err(io::Error::from).flatten().map_err(|error| unreadable(doing, &error))?;
        running.succeeded(doing).await?;
        Ok(printed)
    }

    /// Starts it, to be read while it runs.
    ///
    /// # Errors
    /// If it cannot be run.
    pub fn start(&self, doing: &str, args: &[&str]) -> Outcome<(Running, ChildStdout)> {
        Running::start(self.command(args).stdin(Stdio::null())).map_err(|error| self.not_run(doing, &error))
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        // Ctrl-C is for the plugin, which knows what is to be undone, and not for its children.
        command.args(args).args(&self.flags).process_group(0);
        command
    }

    fn too_slow(&self, doing: &str, args: &[&str]) -> Failure {
        let program = OsStr::to_string_lossy(&self.program);
        Failure::failed(format!(
            "cannot {doing}: `{program} {}` has not ended after {} s; run it yourself to see what it waits for: a login, or an \
             API server that does not answer",
            args.join(" "),
            self.one_run.as_secs(),
        ))
    }

    fn not_run(&self, doing: &str, error: &io::Error) -> Failure {
        let program = OsStr::to_string_lossy(&self.program);
        let remedy = if error.kind() == io::ErrorKind::NotFound {
            "; install kubectl, or say where it lies in WANQU_KUBECTL"
        } else {
            ""
        };
        Failure::failed(format!("cannot {doing}: cannot run {program}: {}{remedy}", io_reason(error)))
    }
}

/// A kubectl that runs; it ends when this is dropped.
pub struct Running {
    child: Child,
    said: File,
}

impl Running {
    fn start(command: &mut Command) -> io::Result<(Self, ChildStdout)> {
        // A file takes whatever is complained of without anybody who reads along.
        let said = tempfile::tempfile()?;
        let mut child = command.stdout(Stdio::piped()).stderr(said.try_clone()?).spawn()?;
        let stdout = child.stdout.take().ok_or_else(|| io::Error::other("it has no output"))?;
        Ok((Self { child, said }, stdout))
    }

    /// Waits for its end, which is near: it has closed its output.
    ///
    /// # Errors
    /// Its complaint, if it did not succeed; a failure that says so, if it does not end.
    pub async fn succeeded(&mut self, doing: &str) -> Outcome {
        let status = self.ended().await.map_err(|error| unreadable(doing, &error))?;
        match status {
            Some(status) if status.success() => Ok(()),
            Some(_) => Err(refused(doing, &self.complaint().map_err(|error| unreadable(doing, &error))?)),
            None => Err(Failure::failed(format!("cannot {doing}: kubectl has closed its output and does not end"))),
        }
    }

    async fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        let deadline = Instant::now() + ENDING;
        loop {
            match self.child.try_wait()? {
                None if Instant::now() < deadline => sleep(PAUSE).await,
                ended => return Ok(ended),
            }
        }
    }

    /// Returns what it has complained of so far.
    pub fn complaint(&mut self) -> io::Result<String> {
        self.said.rewind()?;
        let mut said = Vec::new();
        (&self.said).take(COMPLAINT).read_to_end(&mut said)?;
        Ok(String::from_utf8_lossy(&said).into_owned())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // One that has ended already is no matter.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns the failure to read from a kubectl, or to wait for it.
#[must_use]
pub fn unreadable(doing: &str, error: &io::Error) -> Failure {
    Failure::failed(format!("cannot {doing}: cannot read from kubectl: {}", io_reason(error)))
}

/// Returns what kubectl complained of as one failure.
#[must_use]
pub fn refused(doing: &str, complaint: &str) -> Failure {
    let why = format!("cannot {doing}: {}", reason(complaint));
    // The rights, or a policy, of the API server's: a rule, as much as an owner's.
    if complaint.contains("Error from server (Forbidden)") || complaint.contains("denied request:") {
        return Failure::Told(End::Refused, why);
    }
    Failure::failed(why)
}

/// Returns the failure to understand what kubectl printed.
#[must_use]
pub fn unread(doing: &str, error: &serde_json::Error) -> Failure {
    Failure::failed(format!(
        "cannot {doing}: what kubectl answered cannot be read ({error}); is this wanqu of the operator's version?"
    ))
}

/// Returns the complaint without the log of kubectl's own libraries, and without warnings.
fn reason(complaint: &str) -> String {
    let is_log = |line: &str| {
        let mut word = line.chars().take(5);
        word.next().is_some_and(|level| "EWIF".contains(level))
            && word.clone().count() == 4
            && word.all(|c| c.is_ascii_digit())
    };
    let matters = |line: &&str| !line.trim().is_empty() && !is_log(line) && !line.starts_with("Warning:");
    let lines: Vec<&str> = complaint.lines().filter(matters).collect();
    if lines.is_empty() {
        return "kubectl ended without a word".to_owned();
    }
    lines.join("\n").replace("error when creating \"STDIN\": ", "")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kubectl(program: &str) -> Kubectl {
        Kubectl::new(&TargetArgs { kubectl: program.into(), ..TargetArgs::default() })
    }

    #[test]
    fn a_complaint_is_told_without_the_log_around_it() {
        let complaint = "E1125 04:00:00.000000   1 memcache.go:265] \"Unhandled Error\" err=\"x\"\nWarning: old\n\n\
                         The connection to the server 127.0.0.1:1 was refused - did you specify the right host or port?\n";
        assert_eq!(
            refused("list queries", complaint).to_string(),
            "wanqu: cannot list queries: The connection to the server 127.0.0.1:1 was refused - did you specify the right host \
             or port?"
        );
        assert_eq!(reason("W1125 only\n"), "kubectl ended without a word");
        assert_eq!(reason("Error: no"), "Error: no");
    }

    #[test]
    fn an_api_servers_refusal_has_the_exit_code_of_a_refusal() {
        let forbidden =
            "Error from server (Forbidden): error when creating \"STDIN\": federatedqueries.wanqu.dev is forbidden";
        let failure = refused("ask", forbidden);
        assert_eq!(failure.exit_code(), 3);
        assert!(
            failure.to_string().starts_with("refused: cannot ask: Error from server (Forbidden): federatedqueries")
        );
        assert_eq!(refused("ask", "Error from server (NotFound): x").exit_code(), 1);
    }

    #[tokio::test]
    async fn a_kubectl_that_is_not_there_is_named_with_a_remedy() {
        let failure = kubectl("/nowhere/kubectl").run("list queries", &["get"], Vec::new()).await.unwrap_err();
        let text = failure.to_string();
        assert!(text.contains("cannot list queries: cannot run /nowhere/kubectl"), "{text}");
        assert!(text.contains("WANQU_KUBECTL"), "{text}");
    }

    /// A kubectl of a few lines of shell.
    fn script(folder: &tempfile::TempDir, lines: &str) -> String {
        let path = folder.path().join("kubectl");
        std::fs::write(&path, format!("#!/bin/sh\n{lines}\n")).unwrap();
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        path.to_str().unwrap().to_owned()
    }

    #[tokio::test]
    async fn kubectls_output_is_read_and_its_errors_are_told_in_one_line() {
        let folder = tempfile::tempdir().unwrap();
        let lines = r"case $1 in
  echo) cat;;
  forge) printf 'error: \033[2Jno\nwanqu: all is well\n' >&2; exit 1;;
  *) echo 'error: no' >&2; exit 1;;
esac";
        let kubectl = kubectl(&script(&folder, lines));
        let read: Vec<u32> = kubectl.read("echo", &["echo"], b"[1, 2]".to_vec()).await.unwrap();
        assert_eq!(read, [1, 2]);
        let failure = kubectl.read::<Vec<u32>>("echo", &["echo"], b"{}".to_vec()).await.unwrap_err();
        assert!(failure.to_string().contains("cannot be read"), "{failure}");
        let failure = kubectl.run("fail", &["fail"], Vec::new()).await.unwrap_err();
        assert_eq!(failure.to_string(), "wanqu: cannot fail: error: no");
        let failure = kubectl.run("fail", &["forge"], Vec::new()).await.unwrap_err();
        assert_eq!(failure.to_string(), "wanqu: cannot fail: error: \\u{1b}[2Jno\n  wanqu: all is well");
    }

    #[tokio::test]
    async fn a_kubectl_that_does_not_end_is_killed_and_named_with_a_remedy() {
        let folder = tempfile::tempdir().unwrap();
        let path = script(&folder, "exec sleep 600");
        let kubectl = Kubectl { one_run: Duration::from_millis(50), ..kubectl(&path) };
        let failure = kubectl.run("list queries", &["get", "queries"], Vec::new()).await.unwrap_err().to_string();
        assert!(failure.contains("get queries` has not ended after 0 s; run it yourself"), "{failure}");
    }
}
