//! Shape of a judged fragment: rows of public tables, or one aggregate whose cells the gate decides.

use std::sync::Arc;

use datafusion::logical_expr::{Aggregate, Expr, LogicalPlan};
use wanqu_model::bundle::ReleaseRule;
use wanqu_model::refusal::Refusal;

use super::families::{Condition, Family, ValueGroup};
use super::finding::PolicyFinding;
use super::total::Total;
use crate::catalog::CatalogTable;

/// Outcome of the rules of classes and shape for one plan.
#[derive(Debug)]
pub struct Judgement {
    /// Every column and operator, with the rule that admits or refuses it.
    pub findings: Vec<PolicyFinding>,
    /// The plan that may run, or the first refusal.
    pub verdict: Result<Judged, Refusal>,
}

/// A plan that passed the rules of classes and shape. Made only by [`judge`](super::judge).
#[derive(Debug, Clone)]
pub struct Judged {
    pub(super) plan: LogicalPlan,
    pub(super) shape: Shape,
    pub(super) tables: Vec<Arc<CatalogTable>>,
}

impl Judged {
    /// Returns the plan to run: analysed, with fallible casts over non-public data made `TRY_CAST`, and `DISTINCT` over
    /// non-public data made an aggregate without aggregate functions.
    #[must_use]
    pub fn plan(&self) -> &LogicalPlan {
        &self.plan
    }

    /// Returns the shape of the release: public rows, or cells that the gate decides.
    #[must_use]
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// Returns the columns that the gate may withhold from rows of the release, those that it withholds together as one set. Of
    /// values that hold a count the set is the counts, which are NULL for no other reason.
    #[must_use]
    pub fn withheld(&self) -> Vec<Vec<usize>> {
        let (Shape::Gated(shape), Some(aggregate)) = (&self.shape, aggregate_of(&self.plan)) else { return vec![] };
        if shape.rule.min_units <= 1 {
            return vec![];
        }
        let outputs = outputs(&self.plan, aggregate);
        // Values without a condition can be withheld too, because of an earlier release.
        let apart = ValueGroup { conditions: vec![], aggregates: shape.without_conditions() };
        let apart = Some(&apart).filter(|_| shape.rule.remember_cells);
        let set = |group: &ValueGroup| {
            let columns = |counts: bool| -> Vec<usize> {
                let is_of_group = |index| group.aggregates.contains(&index);
                let is_chosen = |index: usize| is_of_group(index) && (!counts || is_count(&aggregate.aggr_expr[index]));
                let columns = outputs.iter().enumerate();
                columns.filter(|(_, index)| index.is_some_and(is_chosen)).map(|(column, _)| column).collect()
            };
            [columns(true), columns(false)].into_iter().find(|columns| !columns.is_empty())
        };
        shape.value_groups.iter().chain(apart).filter_map(set).collect()
    }

    /// Returns the tables it reads, each once.
    #[must_use]
    pub fn tables(&self) -> &[Arc<CatalogTable>] {
        &self.tables
    }
}

/// Shape of a fragment's release.
#[derive(Debug, Clone)]
pub enum Shape {
    /// Rows of public tables, which may leave without the gate.
    Public,
    /// One aggregate over non-public tables, each row of which the gate decides.
    Gated(GatedShape),
}

/// Aggregate over non-public data, as the gate needs to know it.
#[derive(Debug, Clone)]
pub struct GatedShape {
    /// The strictest of the rules of all non-public slices read.
    pub rule: ReleaseRule,
    /// The conditions inside aggregates, each of which counts like a group of its own. No two are equal.
    pub conditions: Vec<Condition>,
    /// Families of conditions that can be set against each other. Each condition is in at least one of them.
    pub families: Vec<Family>,
    /// The values of a row that conditions decide about, in the order in which they are decided.
    pub value_groups: Vec<ValueGroup>,
    /// Function and addends of each aggregate, in their order.
    pub totals: Vec<Total>,
    /// Names in the plan of the non-public tables each row of which is in one row of the aggregate's input at most. What is added up
    /// are rows of these.
    pub once: Vec<String>,
    /// Plans over public tables only that must each give no row; if one gives a row, the fragment is refused.
    ///
    /// A public table that joins a non-public one must hold at most one row for each value of the join key: with
    /// more, rows of the non-public table would be multiplied by numbers that the requester chooses through filters on
    /// the public table, and one sum would carry many small cells (`n_a + 1000 * n_b`). Each plan here finds a key that
    /// occurs twice. Admission sees no rows, so it can only say what must be looked at; what is read is public.
    pub must_be_empty: Vec<LogicalPlan>,
}

impl GatedShape {
    /// Returns the indexes of the aggregates that are in no group of values.
    fn without_conditions(&self) -> Vec<usize> {
        let is_in_group = |index: &usize| self.value_groups.iter().any(|group| group.aggregates.contains(index));
        (0..self.totals.len()).filter(|index| !is_in_group(index)).collect()
    }
}

/// Returns for each column of a gated plan which of the aggregates it shows; `None` for keys and literals.
fn outputs(plan: &LogicalPlan, aggregate: &Aggregate) -> Vec<Option<usize>> {
    let value = |index: usize| index.checked_sub(aggregate.group_expr.len());
    let LogicalPlan::Projection(top) = plan else {
        return (0..aggregate.schema.fields().len()).map(value).collect();
    };
    let shown = |expr: &Expr| {
        let mut inner = expr;
        loop {
            match inner {
                Expr::Alias(alias) => inner = &alias.expr,
                Expr::Cast(cast) => inner = &cast.expr,
                Expr::TryCast(cast) => inner = &cast.expr,
                Expr::Column(column) => return aggregate.schema.maybe_index_of_column(column).and_then(value),
                _ => return None,
            }
        }
    };
    top.expr.iter().map(shown).collect()
}

/// Returns true if an aggregate is a count: it has a value in every row.
fn is_count(aggregate: &Expr) -> bool {
    let function = aggregate.clone().unalias_nested().data;
    matches!(function, Expr::AggregateFunction(function) if matches!(function.func.name(), "count" | "regr_count"))
}

/// Returns the one aggregate of a gated plan: the plan itself, or the input of its one projection on top.
#[must_use]
pub fn aggregate_of(plan: &LogicalPlan) -> Option<&Aggregate> {
    match plan {
        LogicalPlan::Aggregate(aggregate) => Some(aggregate),
        LogicalPlan::Projection(projection) => match projection.input.as_ref() {
            LogicalPlan::Aggregate(aggregate) => Some(aggregate),
            _ => None,
        },
        _ => None,
    }
}
