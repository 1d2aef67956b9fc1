//! The refusal of a query that the engine cannot rearrange.

use datafusion::common::DataFusionError;

use wanqu_model::refusal::{Code, Refusal};

use crate::fault::known;
use crate::words::planning_words;

/// Makes a refusal of an error of DataFusion while a plan is rearranged. No data has been read, so it may be shown.
#[expect(clippy::needless_pass_by_value, reason = "it is given to map_err")]
pub(super) fn invalid(error: DataFusionError) -> Refusal {
    known(&error).unwrap_or_else(|| match planning_words(&error) {
        Some(words) => Refusal::new(Code::InvalidSql, format!("the query cannot be planned: {words}"))
            .with_rule("a query is answered only if the engine can plan it as it is meant")
            .with_remedy("write the part that is named in another form"),
        None => cannot_be_split(),
    })
}

/// Makes the refusal of a query of which the engine says nothing that its writer could use.
pub(super) fn cannot_be_split() -> Refusal {
    Refusal::new(Code::NotSplittable, "the planner cannot split this query")
        .with_rule("a query is answered only if the engine can plan it as it is meant")
        .with_remedy(
            "write subqueries as joins or as common table expressions, and compare with them by equalities; \
             take the query apart to find the part",
        )
}
