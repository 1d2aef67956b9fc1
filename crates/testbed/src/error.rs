//! Failures of a testbed, each with enough to know what to do.

use std::path::{Path, PathBuf};

use wanqu_testing::TooLate;

/// Failure to build a binary, or to start or query a cluster.
#[derive(Debug, thiserror::Error)]
pub enum TestbedError {
    /// A program that the machine lacks.
    #[error("{program} is missing: {install}")]
    Missing {
        /// Its name.
        program: String,
        /// The remedy.
        install: String,
    },
    /// `go build` failed.
    #[error("building {tool} failed ({status}); the end of what go said:\n{output}")]
    Build {
        /// Name of the tool.
        tool: String,
        /// Exit status of go.
        status: String,
        /// The last lines of its output.
        output: String,
    },
    /// A command that a step needs failed.
    #[error("`{command}` failed ({status}): {output}")]
    Command {
        /// The command line.
        command: String,
        /// Its exit status.
        status: String,
        /// Its output.
        output: String,
    },
    /// A process that should run has ended.
    #[error("{process} ended by itself ({status}); the end of its log:\n{log}")]
    Ended {
        /// Its name.
        process: String,
        /// Its exit status.
        status: String,
        /// The last lines of its log.
        log: String,
    },
    /// A condition did not come true in time.
    #[error(transparent)]
    TooLate(#[from] TooLate),
    /// A file or folder could not be used.
    #[error("{}: {source}", path.display())]
    Io {
        /// Its path.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// A file does not hold what it should.
    #[error("{}: {reason}", path.display())]
    Content {
        /// Its path.
        path: PathBuf,
        /// The fault in its content.
        reason: String,
    },
    /// The bill of materials of an image could not be made.
    #[error("the bill of materials: {0}")]
    Bill(#[from] wanqu_sbom::SbomError),
    /// A certificate could not be made.
    #[error("a certificate could not be made: {0}")]
    Certificate(#[from] rcgen::Error),
    /// A kubeconfig does not lead to a cluster.
    #[error("a kubeconfig of the testbed cannot be used: {0}")]
    Kubeconfig(#[from] kube::config::KubeconfigError),
    /// The API server refused, or could not be reached.
    #[error("the API server: {0}")]
    Api(#[from] kube::Error),
}

impl TestbedError {
    /// Puts the path to an error of the file system.
    pub(crate) fn io(path: impl AsRef<Path>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.as_ref().to_owned();
        move |source| Self::Io { path, source }
    }
}

/// Result of a step of the testbed.
pub type Result<T> = std::result::Result<T, TestbedError>;

/// The last lines of a text: where a program says why it stopped.
pub(crate) fn tail(text: &str) -> String {
    const LINES: usize = 25;
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LINES)..].join("\n")
}
