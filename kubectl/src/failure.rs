//! How a command ends when it does not end well: one message, and the exit codes of `wanqu`.

use std::fmt;
use std::process::ExitCode;

use wanqu_client::refusal::{Code, Refusal};

/// Why a command did not do what it was asked.
#[derive(Debug)]
pub enum Failure {
    /// It failed, and this sentence says why.
    Failed(String),
    /// The home node refused, or cannot be reached.
    Refused(Box<Refusal>),
    /// Rows were written, but a jurisdiction is missing from them; it was said already.
    Partial,
    /// Ctrl-C.
    Interrupted,
}

/// What a command gives.
pub type Outcome<T = ()> = Result<T, Failure>;

impl Failure {
    /// A failure with a sentence.
    pub fn failed(text: impl Into<String>) -> Self {
        Self::Failed(text.into())
    }

    /// Says it on standard error, if there is anything to say, and gives the exit code.
    #[must_use]
    pub fn report(&self) -> ExitCode {
        if !matches!(self, Self::Partial) {
            eprintln!("{self}");
        }
        ExitCode::from(match self {
            Self::Failed(_) => 1,
            Self::Refused(refusal) if matches!(refusal.code, Code::OwnerUnavailable | Code::Draining) => 4,
            Self::Refused(_) => 3,
            Self::Partial => 4,
            Self::Interrupted => 130,
        })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(text) => write!(f, "kubectl wanqu: {text}"),
            Self::Refused(refusal) => write!(f, "refused: {refusal}"),
            Self::Partial => f.write_str("kubectl wanqu: the answer lacks a jurisdiction"),
            Self::Interrupted => f.write_str("kubectl wanqu: interrupted"),
        }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(Box::new(refusal))
    }
}
