//! Failures of commands: one message each, and an exit code that scripts can tell apart.

use std::fmt;
use std::io;
use std::path::Path;
use std::process::ExitCode;

use wanqu_model::io_reason;
use wanqu_model::refusal::{Code, Refusal};

use super::escape;

/// Reasons for which a query has no answer, as far as exit codes tell them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// A rule refused it.
    Refused,
    /// An owner is missing or too late, or a node ends.
    Missing,
    /// A fault of a node or a source.
    Failed,
    /// The query was cancelled.
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

impl From<&Refusal> for End {
    fn from(refusal: &Refusal) -> Self {
        // Whoever is too late did not answer; no rule forbids the question.
        if refusal.is_too_late() { Self::Missing } else { refusal.code.into() }
    }
}

/// A command's failure.
#[derive(Debug)]
pub enum Failure {
    /// A fault, as a sentence.
    Failed(String),
    /// Arguments that the parser accepts, but that do not fit together or with what was found.
    Usage(String),
    /// A refusal of the query, or a missing owner.
    Refused(Box<Refusal>),
    /// The same, in the words of the operator or the API server.
    Told(End, String),
    /// Rows were written, but lack a jurisdiction; the account has said so already.
    Partial,
    /// Ctrl-C.
    Interrupted,
    /// Nobody reads standard output any more, so nothing is printed.
    BrokenPipe,
}

/// Result of a command.
pub type Outcome<T = ()> = Result<T, Failure>;

impl Failure {
    /// Returns a failure with this sentence.
    pub fn failed(text: impl Into<String>) -> Self {
        Self::Failed(text.into())
    }

    /// Returns the failure to read or write a file.
    #[must_use]
    pub fn file(verb: &str, path: &Path, error: &io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::BrokenPipe;
        }
        Self::Failed(format!("cannot {verb} {}: {}", path.display(), io_reason(error)))
    }

    /// Returns the failure to write to standard output.
    #[must_use]
    pub fn output(error: &io::Error) -> Self {
        Self::file("write", Path::new("standard output"), error)
    }

    /// Returns the exit code; `--help` lists them.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Failed(_) => 1,
            Self::Usage(_) => 2,
            Self::Refused(refusal) => End::from(&**refusal).exit_code(),
            Self::Told(end, _) => end.exit_code(),
            Self::Partial => 5,
            Self::Interrupted => 130,
            Self::BrokenPipe => 0,
        }
    }

    /// Prints the failure on standard error, if there is anything to print, and returns the exit code.
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
            Self::Failed(text) | Self::Usage(text) => write!(f, "wanqu: {}", escape::message(text)),
            Self::Refused(refusal) => write!(f, "{}: {}", End::from(&**refusal).word(), escape::refusal(refusal)),
            Self::Told(end, text) => write!(f, "{}: {}", end.word(), escape::message(text)),
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
    fn exit_codes_tell_failure_refusal_a_missing_owner_and_a_partial_answer_apart() {
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
        let late = Refusal::too_late("x").with_owner("MO".parse().unwrap());
        assert_eq!(Failure::from(late).exit_code(), 4, "nobody refused it, and there is no answer");
        assert_eq!(Failure::from(Refusal::new(Code::Limit, "x").with_rule("y")).exit_code(), 3);
        assert_eq!(Failure::from(Refusal::new(Code::Draining, "x")).exit_code(), 4);
        assert_eq!(Failure::from(Refusal::new(Code::ReleaseShape, "x")).exit_code(), 1);
        assert_eq!(Failure::Partial.exit_code(), 5);
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
    fn foreign_text_forges_no_message_of_ours() {
        let owners = Refusal::new(Code::Limit, "busy\u{1b}[2K\nwanqu: all is well");
        for (failure, shown) in [
            (Failure::from(owners), "refused: busy\\u{1b}[2K\n          wanqu: all is well [limit]"),
            (Failure::failed("no \u{7}\nnote: none"), "wanqu: no \\u{7}\n  note: none"),
            (Failure::Told(End::Refused, "a\rb\nnote: none".to_owned()), "refused: a\\u{d}b\n  note: none"),
        ] {
            assert_eq!(failure.to_string(), shown);
        }
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
