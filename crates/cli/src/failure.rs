//! How a command ends when it does not end well: one message, and an exit code that scripts can tell apart.

use std::fmt;
use std::io;
use std::path::Path;
use std::process::ExitCode;

use wanqu_model::io_reason;
use wanqu_model::refusal::{Code, Refusal};

/// How a query ended that was not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// A rule refused it.
    Refused,
    /// An owner is missing, or a node ends.
    Missing,
    /// Something broke.
    Failed,
    /// It was called off.
    Cancelled,
}

impl End {
    fn exit_code(self) -> u8 {
        match self {
            Self::Refused => 3,
            Self::Missing => 4,
            Self::Failed => 1,
            Self::Cancelled => 130,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Missing => "missing",
            Self::Failed | Self::Cancelled => "failed",
        }
    }
}

impl From<Code> for End {
    fn from(code: Code) -> Self {
        match code {
            Code::OwnerUnavailable | Code::Draining => Self::Missing,
            Code::Cancelled => Self::Cancelled,
            Code::Internal | Code::ReleaseShape | Code::Source => Self::Failed,
            _ => Self::Refused,
        }
    }
}

/// Why a command did not do what it was asked.
#[derive(Debug)]
pub enum Failure {
    /// It failed, and this sentence says why.
    Failed(String),
    /// The command line makes sense to the parser, but not together with what was found.
    Usage(String),
    /// The query was refused, or an owner is missing.
    Refused(Box<Refusal>),
    /// The same, as somebody else has put it into words.
    Told(End, String),
    /// Rows were written, but a jurisdiction is missing from them; it was said already.
    Partial,
    /// Ctrl-C.
    Interrupted,
    /// Nobody reads our output any more, so there is nobody to tell.
    BrokenPipe,
}

/// What a command gives.
pub type Outcome<T = ()> = Result<T, Failure>;

impl Failure {
    /// A failure with a sentence.
    pub fn failed(text: impl Into<String>) -> Self {
        Self::Failed(text.into())
    }

    /// A failure to read or write a file.
    #[must_use]
    pub fn file(verb: &str, path: &Path, error: &io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::BrokenPipe;
        }
        Self::Failed(format!("cannot {verb} {}: {}", path.display(), io_reason(error)))
    }

    /// A failure to write to standard output.
    #[must_use]
    pub fn output(error: &io::Error) -> Self {
        Self::file("write", Path::new("standard output"), error)
    }

    /// The exit code; `--help` lists them.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Failed(_) => 1,
            Self::Usage(_) => 2,
            Self::Refused(refusal) => End::from(refusal.code).exit_code(),
            Self::Told(end, _) => end.exit_code(),
            Self::Partial => 4,
            Self::Interrupted => 130,
            Self::BrokenPipe => 0,
        }
    }

    /// Says it on standard error, if there is anything to say, and gives the exit code.
    #[must_use]
    pub fn report(&self) -> ExitCode {
        match self {
            Self::Partial | Self::BrokenPipe => {}
            _ => eprintln!("{self}"),
        }
        ExitCode::from(self.exit_code())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(text) | Self::Usage(text) => write!(f, "wanqu: {text}"),
            Self::Refused(refusal) => write!(f, "{}: {refusal}", End::from(refusal.code).word()),
            Self::Told(end, text) => write!(f, "{}: {text}", end.word()),
            Self::Partial => f.write_str("wanqu: the answer lacks a jurisdiction"),
            Self::Interrupted => f.write_str("wanqu: interrupted"),
            Self::BrokenPipe => f.write_str("wanqu: nobody reads the output"),
        }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(Box::new(refusal))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_tell_failure_refusal_and_a_missing_owner_apart() {
        for (code, exit) in [
            (Code::ColumnClass, 3),
            (Code::InvalidSql, 3),
            (Code::NoAgreement, 3),
            (Code::OwnerUnavailable, 4),
            (Code::Internal, 1),
            (Code::Source, 1),
            (Code::Cancelled, 130),
        ] {
            assert_eq!(Failure::from(Refusal::new(code, "x")).exit_code(), exit, "{code}");
        }
        assert_eq!(Failure::Partial.exit_code(), 4);
        assert_eq!(Failure::Usage(String::new()).exit_code(), 2);
    }

    #[test]
    fn a_broken_pipe_is_the_end_of_it_and_no_error() {
        let failure = Failure::output(&io::Error::from(io::ErrorKind::BrokenPipe));
        assert_eq!(failure.exit_code(), 0);
        let full = Failure::output(&io::Error::from(io::ErrorKind::StorageFull));
        assert_eq!(full.to_string(), "wanqu: cannot write standard output: the disk is full");
    }

    #[test]
    fn a_refusal_is_printed_with_code_hit_rule_and_remedy() {
        let refusal = Refusal::new(Code::ColumnClass, "patient_id may not leave as a row")
            .with_subject("gba.health.visits.patient_id (identifier)")
            .with_rule("an identifier never leaves")
            .with_owner("MO".parse().unwrap())
            .with_remedy("SELECT count(DISTINCT patient_id) FROM gba.health.visits");
        assert_eq!(
            Failure::from(refusal).to_string(),
            "refused: patient_id may not leave as a row [column-class]\n  \
             hit:    gba.health.visits.patient_id (identifier)\n  \
             rule:   an identifier never leaves (MO)\n  \
             remedy: SELECT count(DISTINCT patient_id) FROM gba.health.visits"
        );
    }
}
