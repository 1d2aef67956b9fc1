//! Commands as a person types them.

use std::ffi::OsString;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::{Command, Output};

use wanqu_chart_tests::Step;
use wanqu_testbed::Cluster;
use wanqu_testbed::binaries::{Tool, ensure};

use crate::{programs, root};

/// A shell at the root of the project, whose `kubectl` and `helm` are the administrator's; `wanqu` is there as a plugin of kubectl.
pub struct Shell {
    kubeconfig: PathBuf,
    path: OsString,
    home: PathBuf,
    variables: Vec<(String, String)>,
}

impl Shell {
    /// A shell for a cluster.
    ///
    /// # Panics
    /// If a tool cannot be built.
    #[must_use]
    pub fn new(cluster: &Cluster) -> Self {
        let home = cluster.state().join("shell");
        let tools = home.join("bin");
        std::fs::create_dir_all(&tools).expect("the folder of the cluster's state can be written");
        for tool in [Tool::Kubectl, Tool::Helm] {
            symlink(ensure(tool).expect("the tool is built"), tools.join(tool.name())).expect("a link");
        }
        // The cluster's image holds what was built there.
        symlink(programs::folder().join("wanqu"), tools.join("kubectl-wanqu")).expect("a link");
        let mut path = tools.into_os_string();
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap_or_default());
        Self { kubeconfig: cluster.admin().path().to_owned(), path, home, variables: Vec::new() }
    }

    /// Returns the shell with a variable set.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.variables.push((name.to_owned(), value.into()));
        self
    }

    /// Runs one step and gives what it printed.
    ///
    /// # Errors
    /// With the line of the page, the command and what it said, if it does not succeed.
    pub fn run(&self, step: &Step) -> Result<String, String> {
        let output = self.output(&step.command).map_err(|error| error.to_string())?;
        let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if output.status.success() {
            return Ok(said(&output.stdout));
        }
        let (out, err) = (said(&output.stdout), said(&output.stderr));
        Err(format!("line {}: `{}` failed ({})\n{out}{err}", step.line, step.command, output.status))
    }

    /// Runs a command, whatever comes of it.
    ///
    /// # Errors
    /// If there is no shell.
    pub fn output(&self, command: &str) -> std::io::Result<Output> {
        Command::new("sh")
            .args(["-c", command])
            .current_dir(root())
            .env("KUBECONFIG", &self.kubeconfig)
            .env("PATH", &self.path)
            .env("HOME", &self.home)
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .output()
    }
}
