//! A process of a testbed: started with a log, watched, and ended for certain.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{LazyLock, mpsc};

use crate::binaries::require;
use crate::error::{Result, TestbedError, tail};

/// A running process. It ends when this is dropped, and when the test process dies by whatever cause.
#[derive(Debug)]
pub(crate) struct Process {
    name: &'static str,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts a program; what it says goes into `FOLDER/NAME.log`.
    pub(crate) fn start(name: &'static str, program: &Program, folder: &Path) -> Result<Self> {
        let log = folder.join(format!("{name}.log"));
        let (out, err) =
            File::create(&log).and_then(|file| Ok((file.try_clone()?, file))).map_err(TestbedError::io(&log))?;
        let mut command = program.guarded()?;
        command.stdin(Stdio::null()).stdout(out).stderr(err);
        let child = spawn(command).map_err(TestbedError::io(&program.path))?;
        Ok(Self { name, child, log })
    }

    /// Its id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// An error if it has ended, with the end of its log.
    pub(crate) fn check(&mut self) -> Result<()> {
        match self.child.try_wait() {
            Ok(None) => Ok(()),
            Ok(Some(status)) => Err(self.ended(status)),
            Err(source) => Err(TestbedError::Io { path: self.log.clone(), source }),
        }
    }

    fn ended(&self, status: ExitStatus) -> TestbedError {
        TestbedError::Ended { process: self.name.to_owned(), status: status.to_string(), log: self.log() }
    }

    /// The end of its log.
    pub(crate) fn log(&self) -> String {
        std::fs::read(&self.log).map(|bytes| tail(&String::from_utf8_lossy(&bytes))).unwrap_or_default()
    }

    /// Ends it at once. Returns when it is gone.
    pub(crate) fn kill(&mut self) {
        // Both fail only if it is gone already, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A program to run, with its arguments and the network namespace that it runs in, if not this one.
#[derive(Debug, Clone)]
pub(crate) struct Program {
    path: PathBuf,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    namespace: Option<PathBuf>,
}

impl Program {
    pub(crate) fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), arguments: Vec::new(), environment: Vec::new(), namespace: None }
    }

    /// One more argument.
    pub(crate) fn arg(mut self, argument: impl AsRef<str>) -> Self {
        self.arguments.push(argument.as_ref().to_owned());
        self
    }

    /// More arguments.
    pub(crate) fn args<S: AsRef<str>>(mut self, arguments: impl IntoIterator<Item = S>) -> Self {
        self.arguments.extend(arguments.into_iter().map(|a| a.as_ref().to_owned()));
        self
    }

    /// One more variable of its environment.
    pub(crate) fn env(mut self, name: &str, value: impl AsRef<str>) -> Self {
        self.environment.push((name.to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Runs in a network namespace. `nsenter`, not `ip netns exec`: that one mounts /sys anew and hides the cgroups.
    pub(crate) fn inside(mut self, namespace: Option<&Path>) -> Self {
        self.namespace = namespace.map(Path::to_owned);
        self
    }

    /// The command, which dies with the test process.
    fn guarded(&self) -> Result<Command> {
        let setpriv = require("setpriv", "install the package `util-linux`")?;
        let mut command = Command::new(setpriv);
        command.args(["--pdeathsig", "KILL"]);
        if let Some(namespace) = &self.namespace {
            command.arg(require("nsenter", "install the package `util-linux`")?);
            command.arg(format!("--net={}", namespace.display()));
        }
        command.arg(&self.path).args(&self.arguments).envs(self.environment.iter().cloned());
        Ok(command)
    }
}

type Order = (Command, mpsc::Sender<std::io::Result<Child>>);

/// Thread that starts all processes, and ends with this one. A child gets the signal of its parent's death when the *thread*
/// that started it ends, and each test is a thread.
static STARTER: LazyLock<mpsc::Sender<Order>> = LazyLock::new(|| {
    let (orders, incoming) = mpsc::channel::<Order>();
    std::thread::spawn(move || {
        for (mut command, reply) in incoming {
            let _ = reply.send(command.spawn());
        }
    });
    orders
});

fn spawn(command: Command) -> std::io::Result<Child> {
    let (reply, answer) = mpsc::channel();
    let gone = || std::io::Error::other("the thread that starts processes is gone");
    STARTER.send((command, reply)).map_err(|_| gone())?;
    answer.recv().map_err(|_| gone())?
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use wanqu_testing::until_blocking;

    use super::*;

    const WITHIN: Duration = Duration::from_secs(30);

    fn sh(script: &str) -> Program {
        Program::new("/bin/sh").args(["-c", script])
    }

    fn alive(id: u32) -> bool {
        Path::new(&format!("/proc/{id}")).exists()
    }

    #[test]
    fn a_process_outlives_the_thread_that_asked_for_it_and_not_its_handle() {
        let folder = tempfile::tempdir().unwrap();
        let (path, go) = (folder.path().to_owned(), folder.path().join("go"));
        let script = format!("echo here; until [ -e {} ]; do sleep 0.02; done; echo went; exec sleep 60", go.display());
        let started = std::thread::spawn(move || {
            let mut process = Process::start("walker", &sh(&script), &path).unwrap();
            says(&mut process, "here");
            (process, Path::new("/proc").join(std::fs::read_link("/proc/thread-self").unwrap()))
        });
        let (mut process, thread) = started.join().unwrap();
        // Its signal is sent before it is gone, and a process that was sent KILL says nothing more.
        until_blocking("the thread being gone", WITHIN, || if thread.exists() { Err("it ends") } else { Ok(()) });
        std::fs::write(go, "").unwrap();
        says(&mut process, "went");
        let id = process.id();
        drop(process);
        assert!(!alive(id));
    }

    /// Waits until a process has said a word.
    fn says(process: &mut Process, word: &str) {
        until_blocking(&format!("the process saying {word:?}"), WITHIN, || {
            process.check().map_err(|error| error.to_string())?;
            let log = process.log();
            if log.contains(word) { Ok(()) } else { Err(log) }
        });
    }

    #[test]
    fn a_process_that_ends_by_itself_is_told_with_its_last_lines() {
        let folder = tempfile::tempdir().unwrap();
        let mut process = Process::start("loud", &sh("echo the reason >&2; exit 3"), folder.path()).unwrap();
        process.child.wait().unwrap();
        let error = process.check().unwrap_err().to_string();
        assert!(error.contains("loud ended by itself") && error.contains("the reason"), "{error}");
    }
}
