//! Rules that every release of a region meets, read from the region's plan.

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, ExprSchema};
use datafusion::logical_expr::expr::{AggregateFunction, Cast};
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{Aggregate, Distinct, Expr, JoinType, LogicalPlan};
use wanqu_model::aggregates::{self, Split, Statistic};
use wanqu_model::names::JURISDICTION_COLUMN;

use super::spread::Region;
use crate::catalog;
use crate::expressions::{has_grouping_sets, has_subquery};
use crate::promise::{Promise, Rule};

/// Returns the rules of the releases of a region. `names` are those of the release's columns, in the order of the region's.
pub(super) fn promise(region: &Region, names: &[String]) -> Promise {
    let plan = &region.plan;
    let mut rules: Vec<Rule> = (0..plan.schema().fields().len())
        .filter_map(|column| jurisdiction(plan, column).map(|or_null| Rule::Jurisdiction { column, or_null }))
        .collect();
    let aggregate = match plan {
        LogicalPlan::Aggregate(aggregate) if !has_grouping_sets(aggregate) => Some(aggregate),
        _ => None,
    };
    if let Some(aggregate) = aggregate {
        rules.extend(of_values(aggregate));
        rules.extend(asked(aggregate, names));
    }
    let keys = aggregate.map(|aggregate| aggregate.group_expr.len());
    let rounded = region.rounding_owners().into_iter().collect();
    Promise { keys, public: region.public, rules, rounded, ..Promise::default() }
}

/// Returns the rules of the columns of aggregates.
fn of_values(aggregate: &Aggregate) -> Vec<Rule> {
    let first = aggregate.group_expr.len();
    let functions: Vec<(usize, AggregateFunction)> = (aggregate.aggr_expr.iter().enumerate())
        .filter_map(|(index, expr)| match expr.clone().unalias_nested().data {
            Expr::AggregateFunction(function) => Some((first + index, function)),
            _ => None,
        })
        .collect();
    let all_rows = functions.iter().find(|(_, function)| is_count_of_rows(function)).map(|(column, _)| *column);
    let mut rules = Vec::new();
    for (column, function) in &functions {
        let split = aggregates::aggregate(function.func.name()).map(|row| row.split);
        if is_count(function) {
            rules.push(Rule::Count(*column));
            rules.extend(all_rows.filter(|all| all != column).map(|all| Rule::Part { some: *column, all }));
        }
        let squares = Split::Pair(Statistic::RegrSxx) == split.unwrap_or(Split::Whole)
            || Split::Pair(Statistic::RegrSyy) == split.unwrap_or(Split::Whole)
            || matches!(split, Some(Split::Variable(_)));
        if squares {
            rules.push(Rule::NotNegative(*column));
        }
        if !matches!(function.func.name(), "sum" | "avg" | "min" | "max") {
            continue;
        }
        let same = |other: &AggregateFunction| is_over_the_same(function, other);
        let count = functions.iter().find(|(_, other)| other.func.name() == "count" && same(other));
        rules.extend(count.map(|(count, _)| Rule::Empty { count: *count, value: *column }));
        if function.func.name() == "min" {
            let greatest = functions.iter().find(|(_, other)| other.func.name() == "max" && same(other));
            rules.extend(greatest.map(|(greatest, _)| Rule::Ordered { least: *column, greatest: *greatest }));
        }
    }
    rules
}

fn is_count(function: &AggregateFunction) -> bool {
    matches!(function.func.name(), "count" | "regr_count")
}

/// Returns true for `count(*)` of all rows of a cell.
fn is_count_of_rows(function: &AggregateFunction) -> bool {
    let params = &function.params;
    let of_rows = params.args.iter().all(|arg| matches!(arg, Expr::Literal(value, _) if !value.is_null()));
    function.func.name() == "count" && !params.distinct && params.filter.is_none() && of_rows
}

/// Returns true if two aggregates take in the same values, or none.
fn is_over_the_same(one: &AggregateFunction, other: &AggregateFunction) -> bool {
    let args = |function: &AggregateFunction| function.params.args.iter().map(uncast).collect::<Vec<_>>();
    args(one) == args(other) && one.params.filter == other.params.filter
}

fn uncast(expr: &Expr) -> Expr {
    match expr {
        Expr::Cast(cast) => uncast(&cast.expr),
        other => other.clone(),
    }
}

/// Returns the conditions on group keys below an aggregate, over the columns of the release.
fn asked(aggregate: &Aggregate, names: &[String]) -> Vec<Rule> {
    let keys: Vec<Option<Column>> = (aggregate.group_expr.iter())
        .map(|key| match key.clone().unalias_nested().data {
            Expr::Column(column) => Some(column),
            _ => None,
        })
        .collect();
    let schema = aggregate.input.schema();
    let released = |condition: &Expr| -> Option<Rule> {
        let columns = condition.column_refs();
        if columns.is_empty() || condition.is_volatile() || has_subquery(condition) {
            return None;
        }
        let renamed = condition.clone().transform(|part| {
            let Expr::Column(column) = &part else { return Ok(Transformed::no(part)) };
            let index = keys.iter().position(|key| key.as_ref() == Some(column));
            let name = index.and_then(|index| names.get(index));
            let Some(name) = name else { return datafusion::common::plan_err!("no key") };
            let data_type = schema.field_from_column(column)?.data_type().clone();
            let value = Expr::Column(Column::new_unqualified(name.clone()));
            Ok(Transformed::yes(Expr::Cast(Cast::new(Box::new(value), data_type))))
        });
        renamed.ok().map(|renamed| Rule::Asked(renamed.data))
    };
    let mut rules = Vec::new();
    let mut plan = aggregate.input.as_ref();
    // A condition further down may be of rows that something in between has changed.
    loop {
        match plan {
            LogicalPlan::Filter(filter) => {
                rules.extend(split_conjunction(&filter.predicate).into_iter().filter_map(released));
                plan = &filter.input;
            }
            // Columns that only the condition below needs are left out.
            LogicalPlan::Projection(projection) if projection.expr.iter().all(|e| matches!(e, Expr::Column(_))) => {
                plan = &projection.input;
            }
            LogicalPlan::TableScan(scan) => {
                let filters = scan.filters.iter().flat_map(|filter| split_conjunction(filter));
                rules.extend(filters.filter_map(released));
                return rules;
            }
            _ => return rules,
        }
    }
}

/// Returns whether a column is the jurisdiction of rows that each owner has of its own: `Some(true)` if it can be NULL all the
/// same, `None` if it is another column.
fn jurisdiction(plan: &LogicalPlan, column: usize) -> Option<bool> {
    let below = |expr: &Expr, input: &LogicalPlan| match expr.clone().unalias_nested().data {
        Expr::Column(name) => jurisdiction(input, input.schema().maybe_index_of_column(&name)?),
        _ => None,
    };
    match plan {
        LogicalPlan::TableScan(scan) => {
            let info = catalog::table_of(scan)?.common.as_ref()?;
            let name = scan.projected_schema.fields().get(column)?.name();
            (!info.replicated && name == JURISDICTION_COLUMN).then_some(false)
        }
        LogicalPlan::Projection(projection) => below(projection.expr.get(column)?, &projection.input),
        LogicalPlan::SubqueryAlias(alias) => jurisdiction(&alias.input, column),
        LogicalPlan::Filter(filter) => jurisdiction(&filter.input, column),
        LogicalPlan::Sort(sort) => jurisdiction(&sort.input, column),
        LogicalPlan::Limit(limit) => jurisdiction(&limit.input, column),
        LogicalPlan::Distinct(Distinct::All(input)) => jurisdiction(input, column),
        LogicalPlan::Aggregate(aggregate) if !has_grouping_sets(aggregate) => {
            below(aggregate.group_expr.get(column)?, &aggregate.input)
        }
        LogicalPlan::Join(join) => match join.join_type {
            JoinType::LeftSemi | JoinType::LeftAnti => jurisdiction(&join.left, column),
            JoinType::RightSemi | JoinType::RightAnti => jurisdiction(&join.right, column),
            JoinType::Inner | JoinType::Left | JoinType::Right | JoinType::Full => {
                let width = join.left.schema().fields().len();
                let found = match column.checked_sub(width) {
                    None => jurisdiction(&join.left, column),
                    Some(column) => jurisdiction(&join.right, column),
                };
                found.map(|or_null| or_null || join.join_type != JoinType::Inner)
            }
            JoinType::LeftMark | JoinType::RightMark => None,
        },
        _ => None,
    }
}
