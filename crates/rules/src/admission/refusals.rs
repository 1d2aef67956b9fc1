//! Refusals of what stands above, in or below the aggregate of a fragment where it may not.

use datafusion::logical_expr::{Distinct, LogicalPlan};

use super::base::BaseTables;
use super::remedy;
use wanqu_model::refusal::{Code, Refusal};

/// Returns the refusal of an operator that does not belong below (or above) the aggregate.
pub(super) fn operator(plan: &LogicalPlan, tables: &BaseTables) -> Refusal {
    let what = match plan {
        LogicalPlan::Aggregate(_) => "an aggregate of an aggregate",
        LogicalPlan::Sort(_) => "ORDER BY",
        LogicalPlan::Limit(_) => "LIMIT",
        LogicalPlan::Window(_) => "a window function",
        LogicalPlan::Union(_) => "a set operation",
        LogicalPlan::Distinct(Distinct::All(_)) => "DISTINCT",
        LogicalPlan::Distinct(Distinct::On(_)) => "DISTINCT ON",
        LogicalPlan::Subquery(_) => "a subquery",
        LogicalPlan::Values(_) | LogicalPlan::EmptyRelation(_) => "a list of literal rows",
        LogicalPlan::Unnest(_) => "UNNEST",
        LogicalPlan::RecursiveQuery(_) => "a recursive query",
        LogicalPlan::Projection(_)
        | LogicalPlan::Filter(_)
        | LogicalPlan::Join(_)
        | LogicalPlan::TableScan(_)
        | LogicalPlan::SubqueryAlias(_) => "rows",
        _ => "a statement that is not a query",
    };
    let grouped = remedy::grouped_count(tables);
    let remedy = match plan {
        LogicalPlan::Aggregate(_) => {
            format!("{grouped}; or ask for the inner aggregate first, and write its value as a literal")
        }
        _ => grouped,
    };
    Refusal::new(Code::NotAnAggregate, format!("{what} over non-public data cannot be released"))
        .with_rule("a fragment over non-public data is one aggregate over filtered and joined tables, and nothing else")
        .with_subject(what)
        .with_remedy(remedy)
}

/// Returns the refusal of an output that is more than a column of the aggregate.
pub(super) fn computed_output() -> Refusal {
    Refusal::new(Code::NotAnAggregate, "a fragment releases the aggregate's own columns")
        .with_rule("what is computed from aggregates is computed at home, from released cells")
        .with_subject("SELECT")
        .with_remedy("release the aggregates themselves, and compute with them afterwards")
}

/// Returns the refusal of a name that the engine keeps for itself.
pub(super) fn reserved(name: &str) -> Refusal {
    Refusal::new(Code::UnknownName, "a name that begins with __ or # is reserved")
        .with_rule("names of columns and aliases do not begin with __ or #")
        .with_subject(name.chars().take(40).collect::<String>())
        .with_remedy("choose another name")
}
