//! Refusals made of the engine's errors. DataFusion's error texts quote values; over non-public data only their kind is
//! kept, and that for the owner's log alone.

use std::error::Error;

use arrow::error::ArrowError;
use datafusion::common::DataFusionError;
use wanqu_model::refusal::{Code, Refusal};

use crate::words::{planning_words, regex_words, with_sql_types};

/// Makes a refusal of an error over non-public data: a fixed text, whatever happened.
#[must_use]
pub fn refusal_without_values(error: &DataFusionError) -> Refusal {
    known(error).unwrap_or_else(|| {
        tracing::debug!(kind = error_kind(error), "a query over non-public data failed");
        Refusal::new(Code::Internal, "the fragment could not be computed")
            .with_remedy("the owner's log names the kind of fault")
    })
}

/// Makes a refusal of an error over public data. An operation that has no result for some row is the query's fault, and the
/// engine's words about it are told, since the rows are public; nothing is told about the machine.
#[must_use]
pub fn refusal_over_public(error: &DataFusionError) -> Refusal {
    known(error).unwrap_or_else(|| {
        tracing::debug!(error = %error.strip_backtrace(), "a query over public data failed");
        match without_result(error.find_root()) {
            Some(why) => Refusal::new(Code::InvalidSql, format!("the query has no result for some row: {why}"))
                .with_rule("an expression must have a result for each row")
                .with_remedy(remedy(error.find_root())),
            None => Refusal::new(Code::Internal, format!("the query failed while it ran: {}", error_kind(error)))
                .with_remedy("the owner's log has the cause"),
        }
    })
}

/// Makes a refusal of an error over released values. A refusal that is in it is passed on. The engine's messages can quote
/// such values, and a refusal goes further than an answer does, into statuses and logs: only the kind of an error is told, and
/// of a cast which it can be, of the query's `casts`.
#[must_use]
pub fn refusal_over_released(error: &DataFusionError, casts: &[String]) -> Refusal {
    // An owner's part that needed more is a refusal of its own.
    if matches!(error.find_root(), DataFusionError::ResourcesExhausted(_)) {
        return Refusal::new(Code::Limit, "merging what was released needs more memory than one query may use at home")
            .with_rule("joins, groups, orders and windows over released rows are computed by the home node, within limits.memoryMib")
            .with_remedy(
                "ask for fewer rows or groups, filter and aggregate before a join, order or window, or have the home node's \
                 limits.memoryMib raised",
            );
    }
    known(error).unwrap_or_else(|| {
        let (code, why, remedy) = match error.find_root() {
            DataFusionError::ArrowError(arrow, _) if is_cast(arrow) => {
                let which = if casts.is_empty() { "a CAST".to_owned() } else { casts.join(" or ") };
                let why = format!("{which} has no result for some value");
                (Code::InvalidSql, why, CAST_REMEDY)
            }
            root @ (DataFusionError::Plan(_)
            | DataFusionError::SchemaError(..)
            | DataFusionError::NotImplemented(_)) => {
                let why =
                    planning_words(root).unwrap_or_else(|| "an expression is none that the engine computes".to_owned());
                (Code::InvalidSql, why, "write the part that is named in another form")
            }
            root => {
                tracing::debug!(kind = error_kind(error), "a merge failed");
                let why = format!("an expression has no result for some value ({})", error_kind(error));
                (Code::InvalidSql, why, remedy(root))
            }
        };
        Refusal::new(code, format!("the released values cannot be merged: {why}"))
            .with_rule("an expression over released values has a result for each of them")
            .with_remedy(remedy)
    })
}

/// Remedy for a cast without a result.
const CAST_REMEDY: &str = "use TRY_CAST, which gives NULL for a value that is none of the type";

fn is_cast(arrow: &ArrowError) -> bool {
    matches!(arrow, ArrowError::CastError(_) | ArrowError::ParseError(_))
}

/// Returns what to do about an operation without a result.
fn remedy(root: &DataFusionError) -> &'static str {
    match root {
        DataFusionError::ArrowError(arrow, _) if is_cast(arrow) => CAST_REMEDY,
        DataFusionError::ArrowError(arrow, _) if matches!(**arrow, ArrowError::DivideByZero) => {
            "use NULLIF for a divisor that can be zero"
        }
        _ => "give each function arguments that it has a result for, and keep out others by CASE WHEN",
    }
}

/// Returns why an operation has no result for a value; `None` for a fault that is not the value's.
fn without_result(root: &DataFusionError) -> Option<String> {
    let text = match root {
        DataFusionError::ArrowError(arrow, _) => match arrow.as_ref() {
            ArrowError::DivideByZero => "a division by zero",
            ArrowError::ArithmeticOverflow(text)
            | ArrowError::CastError(text)
            | ArrowError::ComputeError(text)
            | ArrowError::InvalidArgumentError(text)
            | ArrowError::ParseError(text) => text,
            _ => return None,
        },
        DataFusionError::Execution(text) | DataFusionError::NotImplemented(text) => text,
        DataFusionError::External(error) => return regex_words(&error.to_string()),
        _ => return None,
    };
    if let Some(words) = regex_words(text) {
        return Some(words);
    }
    // The lines after the first are a backtrace or a list of values.
    Some(with_sql_types(text.lines().next().unwrap_or_default()))
}

/// Returns the refusal inside an error: one that a source or another member made, or that of a limit; `None` for a fault
/// of the engine.
pub(crate) fn known(error: &DataFusionError) -> Option<Refusal> {
    let mut next: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(current) = next {
        if let Some(refusal) = current.downcast_ref::<Refusal>() {
            return Some(refusal.clone());
        }
        next = match current.downcast_ref::<DataFusionError>() {
            Some(DataFusionError::External(inner)) => Some(inner.as_ref()),
            Some(DataFusionError::Shared(inner)) => Some(inner.as_ref()),
            Some(DataFusionError::ArrowError(inner, _)) => Some(inner.as_ref()),
            Some(DataFusionError::Context(_, inner)) => Some(inner.as_ref()),
            Some(other) => other.source(),
            None => match current.downcast_ref::<ArrowError>() {
                Some(ArrowError::ExternalError(inner)) => Some(inner.as_ref()),
                _ => current.source(),
            },
        };
    }
    let root = error.find_root();
    let of_a_file = match root {
        DataFusionError::ParquetError(_) | DataFusionError::ObjectStore(_) => true,
        DataFusionError::ArrowError(arrow, _) => matches!(**arrow, ArrowError::ParquetError(_)),
        _ => false,
    };
    match root {
        DataFusionError::ResourcesExhausted(_) => Some(
            Refusal::new(Code::Limit, "the fragment needs more memory than one query may use here")
                .with_remedy("ask for fewer groups, or filter first"),
        ),
        // Beginnings of files are read before a query runs, so this fault lies further back.
        _ if of_a_file => {
            tracing::warn!(kind = error_kind(error), "a file of a table that a query reads is damaged, or gone");
            Some(
                Refusal::new(Code::Source, "a file of a table that the query reads is damaged, or gone")
                    .with_remedy("the custodian replaces it; the owner's log says more"),
            )
        }
        _ => None,
    }
}

/// Returns a word for the kind of an error, without a value.
#[must_use]
pub fn error_kind(error: &DataFusionError) -> &'static str {
    match error.find_root() {
        DataFusionError::ArrowError(arrow, _) => match arrow.as_ref() {
            ArrowError::CastError(_) => "cast",
            ArrowError::DivideByZero => "division by zero",
            ArrowError::ArithmeticOverflow(_) => "arithmetic overflow",
            ArrowError::ComputeError(_) => "compute",
            ArrowError::ParseError(_) => "parse",
            _ => "arrow",
        },
        DataFusionError::ParquetError(_) => "parquet",
        DataFusionError::ObjectStore(_) | DataFusionError::IoError(_) => "input",
        DataFusionError::ResourcesExhausted(_) => "resources exhausted",
        DataFusionError::Execution(_) => "execution",
        DataFusionError::Plan(_) | DataFusionError::SchemaError(..) => "planning",
        DataFusionError::NotImplemented(_) => "not implemented",
        DataFusionError::External(_) => "external",
        _ => "internal",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn no_value_survives_in_a_refusal_over_non_public_data() {
        let cast = || ArrowError::CastError("Cannot cast string 'CANARY' to value of Int32 type".to_owned());
        for error in [
            DataFusionError::ArrowError(Box::new(cast()), None),
            DataFusionError::Execution("value CANARY is out of range".to_owned()),
            DataFusionError::External("CANARY".into()),
            DataFusionError::Context("CANARY".to_owned(), Box::new(DataFusionError::Internal("CANARY".to_owned()))),
            DataFusionError::ResourcesExhausted("CANARY".to_owned()),
        ] {
            let refusal = refusal_without_values(&error);
            assert!(!serde_json::to_string(&refusal).unwrap().contains("CANARY"), "{error}");
        }
    }

    #[test]
    fn a_merge_without_memory_says_that_it_was_the_merge() {
        let full = || DataFusionError::ResourcesExhausted("CANARY".to_owned());
        for error in [full(), DataFusionError::Shared(Arc::new(full()))] {
            let refusal = refusal_over_released(&error, &[]);
            assert_eq!(refusal.code, Code::Limit);
            assert!(refusal.message.starts_with("merging") && refusal.message.contains("at home"), "{refusal}");
            assert!(refusal.remedy.is_some_and(|remedy| remedy.contains("limits.memoryMib")));
        }
        assert!(refusal_over_public(&full()).message.starts_with("the fragment"));
    }

    #[test]
    fn an_operation_without_a_result_for_a_public_value_is_no_fault_of_the_node() {
        let arrow = |error| DataFusionError::ArrowError(Box::new(error), None);
        for (error, words) in [
            (arrow(ArrowError::DivideByZero), "a division by zero"),
            (
                arrow(ArrowError::CastError("Cannot cast string 'x' to Int32".to_owned())),
                "Cannot cast string 'x' to INT",
            ),
            (DataFusionError::Execution("too many rows\n\nbacktrace: 0".to_owned()), "too many rows"),
        ] {
            let refusal = refusal_over_public(&error);
            assert_eq!(refusal.code, Code::InvalidSql, "{refusal}");
            assert!(refusal.message.ends_with(words) && refusal.remedy.is_some(), "{refusal}");
        }
        let refusal = refusal_over_public(&DataFusionError::Internal("at /home/node/x.rs".to_owned()));
        assert!(refusal.code == Code::Internal && !refusal.message.contains("x.rs"), "{refusal}");
    }

    #[test]
    fn a_refusal_of_ours_passes_through_however_it_is_wrapped() {
        let refusal = Refusal::new(Code::Source, "shenzhen.health.visits cannot be read");
        let external = || DataFusionError::External(Box::new(refusal.clone()));
        for error in [
            external(),
            DataFusionError::Shared(Arc::new(external())),
            DataFusionError::Context("while".to_owned(), Box::new(external())),
            DataFusionError::ArrowError(Box::new(ArrowError::ExternalError(Box::new(external()))), None),
        ] {
            assert_eq!(refusal_without_values(&error), refusal);
        }
        let full = DataFusionError::ResourcesExhausted("pool".to_owned());
        assert_eq!(refusal_without_values(&full).code, Code::Limit);
    }
}
