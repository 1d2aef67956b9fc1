//! Placing an Aggregate over a region: whole at the owners, merged at home from finished aggregates, or at home over
//! public rows.

use std::sync::Arc;

use datafusion::common::plan_datafusion_err;
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::{Aggregate, Expr, LogicalPlan};
use wanqu_model::refusal::{Code, Refusal};

use super::decompose::{Split, split};
use super::fragments::Fragments;
use super::invalid::invalid;
use super::lineage;
use super::merging::Merging;
use super::part::{HomePart, Placed, at_home};
use super::spread::Region;
use crate::expressions::has_grouping_sets;
use crate::workarounds::is_only_value;

/// Places an aggregate over a region.
pub(super) fn place(aggregate: &Aggregate, region: Region, fragments: &mut Fragments<'_>) -> Result<Placed, Refusal> {
    if aggregate.aggr_expr.iter().any(is_only_value) {
        return one_value(aggregate, region, fragments);
    }
    let whole_at_owner = is_whole_at_owner(aggregate, &region);
    if region.public && whole_at_owner {
        return Ok(Placed::Owners(at_owner(aggregate, region)?));
    }
    let splits = splits(aggregate, &region)?;
    if splits.iter().all(|(_, split)| !matches!(split, Split::Whole)) {
        if !region.public {
            check_unit_counts(&splits, aggregate, &region)?;
        }
        return Merging::new(aggregate, region, splits)?.place(fragments).map(Placed::Home);
    }
    if region.public {
        // Public rows may cross as they are.
        let input = fragments.cut(region)?;
        return at_home(&LogicalPlan::Aggregate(aggregate.clone()), vec![input]).map(Placed::Home);
    }
    let whole = at_owner(aggregate, region)?;
    if !whole_at_owner {
        return Err(fragments.explain_refusal(&whole));
    }
    // The one owner gives the whole of it; nothing more may be done to it there.
    let lost = !whole.hiding_owners().is_empty();
    let hidden = lost && !aggregate.group_expr.is_empty();
    let part = HomePart::complete(fragments.cut(whole)?);
    Ok(Placed::Home(HomePart { lost, hidden, values: fragments.doubt_of_last(), ..part }))
}

/// Places the check that a scalar subquery has one row. No owner knows its function.
fn one_value(aggregate: &Aggregate, region: Region, fragments: &mut Fragments<'_>) -> Result<Placed, Refusal> {
    if !region.public {
        return Err(Refusal::new(Code::NotSplittable, "a subquery over non-public data stands for one of its values")
            .with_rule("no value of non-public data leaves its owner")
            .with_remedy("let the subquery give an aggregate without GROUP BY, such as avg or count"));
    }
    let input = fragments.cut(region)?;
    at_home(&LogicalPlan::Aggregate(aggregate.clone()), vec![input]).map(Placed::Home)
}

/// Returns true if no group has rows at two owners.
fn is_whole_at_owner(aggregate: &Aggregate, region: &Region) -> bool {
    !has_grouping_sets(aggregate) && (region.is_single() || aggregate.group_expr.iter().any(|g| region.is_key(g)))
}

/// Decides for each aggregate function how it is split.
fn splits(aggregate: &Aggregate, region: &Region) -> Result<Vec<(AggregateFunction, Split)>, Refusal> {
    let function = |e: &Expr| match e.clone().unalias_nested().data {
        Expr::AggregateFunction(f) => Ok(f),
        other => Err(invalid(plan_datafusion_err!("{other} is no aggregate function"))),
    };
    let functions = aggregate.aggr_expr.iter().map(function);
    functions
        .map(|f| {
            let f = f?;
            let is_unit = |arg: &Expr| !region.public && lineage::is_identifier(arg, &aggregate.input);
            let how = split(&f, aggregate.input.schema().as_ref(), is_unit);
            Ok((f, how))
        })
        .collect()
}

/// Returns the region in which each owner runs the whole aggregate.
fn at_owner(aggregate: &Aggregate, region: Region) -> Result<Region, Refusal> {
    let plan =
        Aggregate::try_new(Arc::new(region.plan.clone()), aggregate.group_expr.clone(), aggregate.aggr_expr.clone());
    let plan = LogicalPlan::Aggregate(plan.map_err(invalid)?);
    let groups = aggregate.group_expr.clone();
    Ok(region.with_plan(plan, |c| groups.contains(&Expr::Column(c.clone())).then(|| c.clone())))
}

/// Refuses counts of distinct units that would be added up over owners or cells where a unit may be in two of them.
fn check_unit_counts(
    splits: &[(AggregateFunction, Split)],
    aggregate: &Aggregate,
    region: &Region,
) -> Result<(), Refusal> {
    let Some((function, _)) = splits.iter().find(|(_, s)| matches!(s, Split::Units(_))) else { return Ok(()) };
    let refuse = |rule: &str, remedy: &str| {
        Err(Refusal::new(Code::NotSplittable, "distinct units of several cells cannot be added up")
            .with_subject(Expr::AggregateFunction(function.clone()).schema_name().to_string())
            .with_rule(rule)
            .with_remedy(remedy))
    };
    if has_grouping_sets(aggregate) {
        return refuse(
            "totals are made at home of released cells, and one unit can be in several cells",
            "ask for the total in a query of its own, or use count(*)",
        );
    }
    if splits.iter().any(|(_, s)| matches!(s, Split::Key(_))) {
        return refuse(
            "a DISTINCT aggregate over a dimension divides the cells, and one unit can be in several of them",
            "ask for the two in queries of their own",
        );
    }
    if is_whole_at_owner(aggregate, region) || lineage::units_are_disjoint(&region.plan) {
        return Ok(());
    }
    refuse(
        "a unit may have records in several jurisdictions, and no owner tells another who its units are",
        "add `jurisdiction` to GROUP BY, so that each jurisdiction's units are counted on their own",
    )
}
