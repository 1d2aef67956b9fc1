//! What can go wrong with a testbed, told so that a person knows what to do.

use std::path::{Path, PathBuf};
use std::time::Duration;

/// Why a binary could not be built, or a cluster not be started or asked.
#[derive(Debug, thiserror::Error)]
pub enum TestbedError {
    /// A program that the machine lacks.
    #[error("{program} is missing: {install}")]
    Missing {
        /// Its name.
        program: String,
        /// What to do about it.
        install: String,
    },
    /// `go build` failed.
    #[error("building {tool} failed ({status}); the end of what go said:\n{output}")]
    Build {
        /// What was built.
        tool: String,
        /// How go ended.
        status: String,
        /// The last lines of its output.
        output: String,
    },
    /// A command that a step needs failed.
    #[error("`{command}` failed ({status}): {output}")]
    Command {
        /// The command line.
        command: String,
        /// How it ended.
        status: String,
        /// What it said.
        output: String,
    },
    /// A process that should run has ended.
    #[error("{process} ended by itself ({status}); the end of its log:\n{log}")]
    Ended {
        /// Its name.
        process: String,
        /// How it ended.
        status: String,
        /// The last lines of its log.
        log: String,
    },
    /// A condition did not come true in time.
    #[error("{what} did not happen within {} s{}", limit.as_secs(), if log.is_empty() { String::new() } else { format!("; last seen:\n{log}") })]
    TooLate {
        /// What was waited for.
        what: String,
        /// How long.
        limit: Duration,
        /// What was seen last, or the last lines of a log.
        log: String,
    },
    /// A file or folder could not be used.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file does not hold what it should.
    #[error("{}: {reason}", path.display())]
    Content {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
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

/// What a step of the testbed gives back.
pub type Result<T> = std::result::Result<T, TestbedError>;

/// The last lines of a text: where a program says why it stopped.
pub(crate) fn tail(text: &str) -> String {
    const LINES: usize = 25;
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LINES)..].join("\n")
}
