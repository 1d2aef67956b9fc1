//! LIMIT and OFFSET, where they are numbers.

use datafusion::common::{Result as DfResult, plan_err};
use datafusion::logical_expr::{FetchType, Limit, SkipType};

/// Returns the rows that a LIMIT skips.
///
/// # Errors
/// An OFFSET that is not a literal.
pub(super) fn skip_of(limit: &Limit) -> DfResult<usize> {
    match limit.get_skip_type()? {
        SkipType::Literal(skip) => Ok(skip),
        SkipType::UnsupportedExpr => plan_err!("OFFSET must be a number"),
    }
}

/// Returns the rows that a LIMIT takes; `None` for all.
///
/// # Errors
/// A LIMIT that is not a literal.
pub(super) fn fetch_of(limit: &Limit) -> DfResult<Option<usize>> {
    match limit.get_fetch_type()? {
        FetchType::Literal(fetch) => Ok(fetch),
        FetchType::UnsupportedExpr => plan_err!("LIMIT must be a number"),
    }
}
