//! The kubectl whose plugin this is: run for every word with the API server.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdout, Command, Stdio};

use serde::de::DeserializeOwned;
use wanqu_model::io_reason;

use super::args::PlaceArgs;
use crate::failure::{End, Failure, Outcome};
use crate::render::cells::printable;

/// How long the API server may take for one answer.
const PATIENCE: &str = "--request-timeout=60s";

/// The longest complaint that is read, in bytes.
const COMPLAINT: u64 = 64 * 1024;

/// Which kubectl, and with which flags.
#[derive(Debug, Clone)]
pub struct Kubectl {
    program: OsString,
    flags: Vec<OsString>,
}

impl Kubectl {
    /// As the command line says.
    #[must_use]
    pub fn new(place: &PlaceArgs) -> Self {
        Self { program: place.kubectl.clone(), flags: place.flags() }
    }

    /// The same in another namespace.
    #[must_use]
    pub fn within(&self, namespace: &str) -> Self {
        // Of two flags that say a namespace, the last one holds.
        let flags = self.flags.iter().cloned().chain([format!("--namespace={namespace}").into()]).collect();
        Self { program: self.program.clone(), flags }
    }

    /// Runs it to its end; what it printed, as JSON.
    pub async fn read<T: DeserializeOwned>(&self, doing: &str, args: &[&str], input: Vec<u8>) -> Outcome<T> {
        let printed = self.run(doing, args, input).await?;
        serde_json::from_slice(&printed).map_err(|error| unread(doing, &error))
    }

    /// Runs it to its end; what it printed.
    pub async fn run(&self, doing: &str, args: &[&str], input: Vec<u8>) -> Outcome<Vec<u8>> {
        let mut command = self.command(args);
        command.arg(PATIENCE);
        let ended = tokio::task::spawn_blocking(move || to_the_end(command, &input));
        let ended = ended.await.map_err(|error| Failure::failed(format!("cannot {doing}: {error}")))?;
        let (printed, complaint) = ended.map_err(|error| self.not_run(doing, &error))?;
        complaint.map_or(Ok(printed), |complaint| Err(refused(doing, &complaint)))
    }

    /// Starts it, to be read while it runs.
    pub fn start(&self, doing: &str, args: &[&str]) -> Outcome<(Running, ChildStdout)> {
        Running::start(self.command(args).stdin(Stdio::null())).map_err(|error| self.not_run(doing, &error))
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        // Ctrl-C is for the plugin, which knows what is to be taken back, and not for what it runs.
        command.args(args).args(&self.flags).process_group(0);
        command
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

/// What was printed, and the complaint if it did not succeed.
fn to_the_end(mut command: Command, input: &[u8]) -> io::Result<(Vec<u8>, Option<String>)> {
    let (mut running, mut stdout) = Running::start(command.stdin(Stdio::piped()))?;
    if let Some(mut stdin) = running.child.stdin.take() {
        // One that ends before it has read everything says why.
        let _ = stdin.write_all(input);
    }
    let mut printed = Vec::new();
    stdout.read_to_end(&mut printed)?;
    Ok((printed, running.complaint()?))
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

    /// Waits for its end; what it complained of, if it did not succeed.
    pub fn complaint(&mut self) -> io::Result<Option<String>> {
        if self.child.wait()?.success() {
            return Ok(None);
        }
        self.said.rewind()?;
        let mut said = Vec::new();
        (&self.said).take(COMPLAINT).read_to_end(&mut said)?;
        Ok(Some(String::from_utf8_lossy(&said).into_owned()))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // One that has ended already is no matter.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What kubectl complained of, in one message.
#[must_use]
pub fn refused(doing: &str, complaint: &str) -> Failure {
    let why = format!("cannot {doing}: {}", reason(complaint));
    // The rights, or a policy, of the API server's: a rule, as much as an owner's.
    if complaint.contains("Error from server (Forbidden)") || complaint.contains("denied request:") {
        return Failure::Told(End::Refused, why);
    }
    Failure::failed(why)
}

/// The answer is not what this version understands.
#[must_use]
pub fn unread(doing: &str, error: &serde_json::Error) -> Failure {
    Failure::failed(format!(
        "cannot {doing}: what kubectl answered cannot be read ({error}); is this wanqu of the operator's version?"
    ))
}

/// The complaint without the log of kubectl's own libraries, and without warnings.
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
    printable(&lines.join("\n").replace("error when creating \"STDIN\": ", ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kubectl(program: &str) -> Kubectl {
        Kubectl::new(&PlaceArgs { kubectl: program.into(), ..PlaceArgs::default() })
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
    fn what_a_rule_of_the_api_server_refuses_has_the_code_of_a_refusal() {
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

    #[tokio::test]
    async fn what_it_prints_is_read_and_what_it_complains_of_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kubectl");
        let script = "#!/bin/sh\ncase \"$1\" in echo) cat;; *) echo 'error: no' >&2; exit 1;; esac\n";
        std::fs::write(&path, script).unwrap();
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let kubectl = kubectl(path.to_str().unwrap());
        let read: Vec<u32> = kubectl.read("echo", &["echo"], b"[1, 2]".to_vec()).await.unwrap();
        assert_eq!(read, [1, 2]);
        let failure = kubectl.read::<Vec<u32>>("echo", &["echo"], b"{}".to_vec()).await.unwrap_err();
        assert!(failure.to_string().contains("cannot be read"), "{failure}");
        let failure = kubectl.run("fail", &["fail"], Vec::new()).await.unwrap_err();
        assert_eq!(failure.to_string(), "wanqu: cannot fail: error: no");
    }
}
