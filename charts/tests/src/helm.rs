//! Helm as a program, without the user's own settings.

use std::path::{Path, PathBuf};
use std::process::Command;

use wanqu_testbed::binaries::{Tool, ensure};

use crate::Rendered;

/// The release's name in the tests.
const RELEASE: &str = "wanqu";
/// Its namespace.
const NAMESPACE: &str = "wanqu-system";

/// Helm, built from source on first use.
#[derive(Debug)]
pub struct Helm {
    program: PathBuf,
    kubeconfig: Option<PathBuf>,
}

/// Result of a run.
#[derive(Debug)]
pub struct Output {
    /// True if it succeeded.
    pub success: bool,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Helm {
    /// Returns Helm without a cluster. The first use builds it, which takes minutes.
    #[must_use]
    pub fn new() -> Self {
        let program = ensure(Tool::Helm).unwrap_or_else(|error| panic!("{error}"));
        Self { program, kubeconfig: None }
    }

    /// Returns Helm for the cluster of this kubeconfig.
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

    /// Renders the chart with these arguments, such as `--set` and `--values`.
    ///
    /// # Panics
    /// If it does not render.
    #[must_use]
    pub fn template(&self, arguments: &[&str]) -> Rendered {
        let output = self.try_template(arguments);
        assert!(output.success, "helm template {arguments:?}: {}", output.stderr);
        Rendered::parse(output.stdout)
    }

    /// Renders the chart with these arguments, and returns the result whether it succeeded or not.
    #[must_use]
    pub fn try_template(&self, arguments: &[&str]) -> Output {
        let chart = crate::chart();
        let chart = chart.to_str().expect("the path is text");
        // Without a cluster helm knows no version of Kubernetes, and the chart needs one.
        self.run(&[&["template", RELEASE, chart, "--kube-version", "1.34.0"], arguments].concat())
    }
}

impl Default for Helm {
    fn default() -> Self {
        Self::new()
    }
}
