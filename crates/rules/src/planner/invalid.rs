//! The refusal of a query that the engine cannot rearrange.

use datafusion::common::DataFusionError;

use wanqu_model::refusal::{Code, Refusal};

use crate::fault::{error_kind, known, without_result};

/// Makes a refusal of an error of DataFusion while a plan is rearranged. The names and types of the query have been resolved
/// before, so what the engine says here is about its own plan, which the one who asks has not written: the log has it.
#[expect(clippy::needless_pass_by_value, reason = "it is given to map_err")]
pub(super) fn invalid(error: DataFusionError) -> Refusal {
    if let Some(refusal) = known(&error) {
        return refusal;
    }
    // A constant is computed while the plan is rearranged.
    if let DataFusionError::ArrowError(..) = error.find_root()
        && let Some(why) = without_result(error.find_root())
    {
        return Refusal::new(Code::InvalidSql, format!("an expression has no result: {why}"))
            .with_rule("an expression must have a result for each row")
            .with_remedy("use TRY_CAST for a cast, and NULLIF for a divisor that can be zero");
    }
    tracing::warn!(kind = error_kind(&error), error = %error.strip_backtrace(), "the engine cannot rearrange a query");
    Refusal::new(Code::NotSplittable, "this form of query cannot be split among owners")
        .with_rule("a query is split by rearranging its plan, and the engine has no plan for this form")
        .with_remedy(
            "write subqueries as joins or common table expressions, and give each computed column a name with AS",
        )
}
