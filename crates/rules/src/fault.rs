//! Refusals made of the engine's errors. DataFusion's error texts quote values; over non-public data only their kind is
//! kept, and that for the owner's log alone.

use std::error::Error;

use arrow::error::ArrowError;
use datafusion::common::DataFusionError;
use wanqu_model::refusal::{Code, Refusal};

/// Makes a refusal of an error over non-public data: a fixed text, whatever happened.
#[must_use]
pub fn refusal_without_values(error: &DataFusionError) -> Refusal {
    known(error).unwrap_or_else(|| {
        tracing::debug!(kind = error_kind(error), "a query over non-public data failed");
        Refusal::new(Code::Internal, "the fragment could not be computed")
            .with_remedy("the owner's log names the kind of fault")
    })
}

/// Makes a refusal of an error over public data: DataFusion's text about the computation, and nothing about the machine.
#[must_use]
pub fn refusal_over_public(error: &DataFusionError) -> Refusal {
    known(error).unwrap_or_else(|| {
        let text = match error.find_root() {
            root @ (DataFusionError::ArrowError(..)
            | DataFusionError::Execution(_)
            | DataFusionError::NotImplemented(_)) => root.strip_backtrace(),
            _ => error_kind(error).to_owned(),
        };
        tracing::debug!(error = %error.strip_backtrace(), "a query over public data failed");
        Refusal::new(Code::Internal, format!("the query failed while it ran: {text}"))
    })
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
    matches!(error.find_root(), DataFusionError::ResourcesExhausted(_)).then(|| {
        Refusal::new(Code::Limit, "the fragment needs more memory than one query may use here")
            .with_remedy("ask for fewer groups, or filter first")
    })
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
