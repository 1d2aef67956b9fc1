//! Placed parts of a plan: a [`Region`] that each owner runs on what it holds, or a plan over releases at home, with the
//! marks of rows that may lack an owner's part.

use std::sync::Arc;

use datafusion::common::{Column, DFSchema};
use datafusion::logical_expr::{Expr, LogicalPlan, Projection, Sort, SubqueryAlias, lit};

use super::doubt::Doubt;
use super::invalid::invalid;
use super::spread::Region;
use super::total::Total;
use wanqu_model::refusal::Refusal;

/// A placed part of the plan.
pub(super) enum Placed {
    /// Each owner can run it.
    Owners(Region),
    /// It runs at home.
    Home(HomePart),
}

/// A plan over releases.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "they are independent of each other")]
pub(super) struct HomePart {
    pub plan: LogicalPlan,
    /// Boolean columns, behind the plan's own, that mark rows which may lack an owner's part.
    pub lacks: Vec<Column>,
    /// True if something may be lacking that no column marks.
    pub lost: bool,
    /// True if rows may be absent because each is one owner's cell, which that owner may have kept back.
    pub rows_kept_back: bool,
    /// True if rows can be marked although every owner released every cell: totals, and rows that an outer join filled in.
    pub marked_anyway: bool,
    /// True if a cell may be kept back at every owner, so that no row stands for it.
    pub hidden: bool,
    /// Doubt about values of which no mark tells that they may lack a part: a value that is made of several rows may lack what
    /// any of them lacks, and an owner may withhold one from a row that it releases.
    pub values: Doubt,
    /// Doubt about rows that are gone: a row that may lack a part may have decided about them.
    pub absent: Doubt,
}

impl HomePart {
    /// Makes a part of a plan that lacks nothing.
    pub fn complete(plan: LogicalPlan) -> Self {
        Self {
            plan,
            lacks: vec![],
            lost: false,
            rows_kept_back: false,
            marked_anyway: false,
            hidden: false,
            values: Doubt::Never,
            absent: Doubt::Never,
        }
    }

    /// Returns true if something may be lacking, marked or not.
    pub fn may_lack(&self) -> bool {
        self.lost || self.rows_kept_back || !self.lacks.is_empty()
    }

    /// Returns the doubt about rows that the part's rows decide about.
    pub fn doubt(&self) -> Doubt {
        let marked = match (self.lacks.is_empty(), self.marked_anyway) {
            (true, _) => Doubt::Never,
            (false, false) => Doubt::CellsLack,
            (false, true) => Doubt::Always,
        };
        self.values.max(marked)
    }

    /// Returns the doubt about rows of another part that a join chooses by matching this part's: those that match a hidden
    /// cell are gone.
    pub fn doubt_of_others(&self) -> Doubt {
        if self.hidden { Doubt::Always } else { self.doubt() }
    }

    /// Returns the part as an input of what makes a value of several rows: it lacks the rows that are absent.
    pub fn mixed(self) -> Self {
        let unseen = if self.hidden || self.rows_kept_back { Doubt::Always } else { Doubt::Never };
        let values = self.values.max(unseen).max(self.absent);
        Self { lost: self.lost || self.rows_kept_back || self.absent != Doubt::Never, values, ..self }
    }

    /// Takes the columns of marks away: what they tell of rows is from then on in doubt for all of them.
    pub fn unmarked(self) -> Result<Self, Refusal> {
        if self.lacks.is_empty() {
            return Ok(self.mixed());
        }
        let width = self.plan.schema().fields().len() - self.lacks.len();
        let columns = (0..width).map(|i| column_at(self.plan.schema(), i)).collect();
        let values = self.doubt();
        let plan = Projection::try_new(columns, Arc::new(self.plan)).map_err(invalid)?;
        let plan = LogicalPlan::Projection(plan);
        Ok(Self { plan, lacks: vec![], lost: true, marked_anyway: false, values, ..self }.mixed())
    }
}

/// Puts an operator with one input over a plan at home. The marks are carried along where rows stay rows.
pub(super) fn over_home(plan: &LogicalPlan, part: HomePart) -> Result<HomePart, Refusal> {
    let mut part = if mixes_rows(plan) { part.unmarked()? } else { part };
    if Total::is_one(plan) {
        // Its row is there, whatever it is made of.
        part = HomePart { absent: Doubt::Never, hidden: false, rows_kept_back: false, ..part };
    } else if !keeps_rows(plan) {
        part.absent = part.absent.max(part.doubt());
    }
    let mut exprs = plan.expressions();
    let mut lacks = part.lacks.clone();
    match plan {
        LogicalPlan::Projection(_) => exprs.extend(lacks.iter().cloned().map(Expr::Column)),
        LogicalPlan::SubqueryAlias(SubqueryAlias { alias, .. }) => {
            let qualified = |c: &Column| Column::new(Some(alias.clone()), &c.name);
            lacks = lacks.iter().map(qualified).collect();
        }
        _ => {}
    }
    let plan = plan.with_new_exprs(exprs, vec![part.plan]).map_err(invalid)?;
    let plan = plan.recompute_schema().map_err(invalid)?;
    Ok(HomePart { plan, lacks, ..part })
}

/// Returns true if a value of the result is made of many rows: it may lack what any of those lacks, or what is hidden at
/// every owner.
fn mixes_rows(plan: &LogicalPlan) -> bool {
    matches!(plan, LogicalPlan::Aggregate(_) | LogicalPlan::Window(_) | LogicalPlan::Distinct(_))
}

/// Returns true if every row of the input is in the result, whatever its values.
fn keeps_rows(plan: &LogicalPlan) -> bool {
    matches!(
        plan,
        LogicalPlan::Projection(_)
            | LogicalPlan::SubqueryAlias(_)
            | LogicalPlan::Window(_)
            | LogicalPlan::Sort(Sort { fetch: None, .. })
    )
}

/// Puts an operator over plans at home that carry no marks.
pub(super) fn at_home(plan: &LogicalPlan, inputs: Vec<LogicalPlan>) -> Result<HomePart, Refusal> {
    let plan = plan.with_new_exprs(plan.expressions(), inputs).map_err(invalid)?;
    Ok(HomePart::complete(plan.recompute_schema().map_err(invalid)?))
}

/// Moves the columns of marks behind the plan's own.
pub(super) fn with_marks_last(plan: LogicalPlan, lacks: &[Column]) -> Result<LogicalPlan, Refusal> {
    let all = (0..plan.schema().fields().len()).map(|i| column_at(plan.schema(), i));
    let is_mark = |e: &Expr| matches!(e, Expr::Column(c) if lacks.contains(c));
    let (marks, own): (Vec<Expr>, Vec<Expr>) = all.partition(is_mark);
    let order = own.into_iter().chain(marks).collect();
    Ok(LogicalPlan::Projection(Projection::try_new(order, Arc::new(plan)).map_err(invalid)?))
}

/// Returns the condition that any of the marks is set, or NULL: a row that an outer join filled in may lack that part.
pub(super) fn any_of(lacks: &[Column]) -> Expr {
    let marks =
        lacks.iter().map(|c| datafusion::functions::expr_fn::coalesce(vec![Expr::Column(c.clone()), lit(true)]));
    marks.reduce(Expr::or).unwrap_or_else(|| lit(false))
}

/// Returns the column of a schema by its number, qualified as it is there.
pub(super) fn column_at(schema: &DFSchema, index: usize) -> Expr {
    let (qualifier, field) = schema.qualified_field(index);
    Expr::Column(Column::new(qualifier.cloned(), field.name()))
}
