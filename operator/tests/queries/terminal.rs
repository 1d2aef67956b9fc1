//! A user's terminal: the real kubectl, and `wanqu` beside it as its plugin.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;
use wanqu_testbed::Login;
use wanqu_testbed::binaries::{Tool, ensure};

use crate::nodes::program;

/// The terminal of one user.
pub struct Terminal {
    home: TempDir,
    login: Login,
}

/// The outcome of a command.
pub struct Typed {
    pub code: Option<i32>,
    pub printed: String,
    pub said: String,
}

impl Terminal {
    pub fn of(login: Login) -> Self {
        let home = tempfile::tempdir().unwrap();
        symlink(ensure(Tool::Kubectl).unwrap(), home.path().join("kubectl")).unwrap();
        symlink(program("wanqu"), home.path().join("kubectl-wanqu")).unwrap();
        Self { home, login }
    }

    /// The folder of its files.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// `kubectl wanqu …` in the federation's namespace, to its end.
    pub fn wanqu(&self, arguments: &[&str]) -> Typed {
        let output = self.command(arguments).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Typed { code: output.status.code(), printed: text(output.stdout), said: text(output.stderr) }
    }

    /// The same, without waiting for the end.
    pub fn start(&self, arguments: &[&str]) -> Started {
        Started(self.command(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let path = [self.home.path().as_os_str().to_owned(), std::env::var_os("PATH").unwrap_or_default()];
        let mut command = Command::new(self.home.path().join("kubectl"));
        command
            .arg("wanqu")
            .args(arguments)
            .args(["--namespace", "gba"])
            .current_dir(self.home.path())
            .env("PATH", path.join(std::ffi::OsStr::new(":")))
            .env("HOME", self.home.path())
            .env("KUBECONFIG", self.login.path())
            .stdin(Stdio::null());
        command
    }
}

/// A command that runs.
pub struct Started(Child);

impl Started {
    /// Interrupts it as Ctrl-C does, and returns its exit code.
    pub fn interrupt(mut self) -> Option<i32> {
        kill(Pid::from_raw(self.0.id().try_into().unwrap()), Signal::SIGINT).unwrap();
        self.0.wait().unwrap().code()
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        // One that has ended already is no matter.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
