//! The refusal of a query that the engine cannot rearrange.

use datafusion::common::DataFusionError;

use wanqu_model::refusal::{Code, Refusal};

use crate::fault::known;

/// Makes a refusal of an error of DataFusion while a plan is rearranged. No data has been read, so it may be shown.
#[expect(clippy::needless_pass_by_value, reason = "it is given to map_err")]
pub(super) fn invalid(error: DataFusionError) -> Refusal {
    known(&error).unwrap_or_else(|| {
        Refusal::new(Code::InvalidSql, format!("the query cannot be planned: {}", error.strip_backtrace()))
    })
}
