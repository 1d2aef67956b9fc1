//! Helm, run as a person would run it, with nothing of the person's own settings.

use std::path::{Path, PathBuf};
use std::process::Command;

use wanqu_testbed::binaries::{Tool, ensure};

use crate::Rendered;

/// The release's name in the tests.
const RELEASE: &str = "wanqu";
/// Its namespace.
const NAMESPACE: &str = "wanqu-system";

/// The program.
#[derive(Debug)]
pub struct Helm {
    program: PathBuf,
    kubeconfig: Option<PathBuf>,
}

/// What it said.
#[derive(Debug)]
pub struct Output {
    /// Whether it did what it was asked.
    pub success: bool,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Helm {
    /// Helm without a cluster. It is built on first use, which takes minutes once.
    #[must_use]
    pub fn new() -> Self {
        let program = ensure(Tool::Helm).unwrap_or_else(|error| panic!("{error}"));
        Self { program, kubeconfig: None }
    }

    /// Helm for the cluster that this kubeconfig leads to.
    #[must_use]
    pub fn of(kubeconfig: &Path) -> Self {
        Self { kubeconfig: Some(kubeconfig.to_owned()), ..Self::new() }
    }

    /// Runs it with arguments.
    #[must_use]
    pub fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(&self.program);
        command.args(arguments).args(["--namespace", NAMESPACE]);
        for variable in ["HELM_NAMESPACE", "HELM_KUBECONTEXT", "KUBECONFIG"] {
            command.env_remove(variable);
        }
        if let Some(path) = &self.kubeconfig {
            command.arg("--kubeconfig").arg(path);
        }
        let output = command.output().unwrap_or_else(|error| panic!("{}: {error}", self.program.display()));
        Output {
            success: output.status.success(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// What the chart renders with these arguments, such as `--set` and `--values`.
    ///
    /// # Panics
    /// If it does not render.
    #[must_use]
    pub fn template(&self, arguments: &[&str]) -> Rendered {
        let output = self.try_template(arguments);
        assert!(output.success, "helm template {arguments:?}: {}", output.stderr);
        Rendered::parse(output.stdout)
    }

    /// The same, whatever comes of it.
    #[must_use]
    pub fn try_template(&self, arguments: &[&str]) -> Output {
        let chart = crate::chart();
        let chart = chart.to_str().expect("the path is text");
        // Without a cluster helm does not know its version, and the chart asks for one.
        self.run(&[&["template", RELEASE, chart, "--kube-version", "1.34.0"], arguments].concat())
    }
}

impl Default for Helm {
    fn default() -> Self {
        Self::new()
    }
}
