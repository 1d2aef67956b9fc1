//! Where each part of a plan runs. Bottom-up, every operator is either part of a [`Region`], which each owner runs on
//! what it holds, or at home, over releases. Where a region ends, it is cut: it becomes a fragment, and in the plan a
//! leaf that reads what was released for it.

use std::sync::Arc;

use datafusion::common::Column;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::{
    Expr, Limit, LogicalPlan, LogicalPlanBuilder, Projection, Sort, SubqueryAlias, Union, lit,
};
use wanqu_model::refusal::{Code, Refusal};

use super::aggregate::column_at;
use super::fragments::{Fragments, hiding_owners};
use super::spread::Region;
use super::{Context, invalid, limit};
use crate::catalog;

/// A placed part of the plan.
pub(super) enum Placed {
    /// Each owner can run it.
    Owners(Region),
    /// It runs at home.
    Home(HomePart),
}

/// A plan over releases.
#[derive(Debug, Clone)]
pub(super) struct HomePart {
    pub plan: LogicalPlan,
    /// Boolean columns, behind the plan's own, that mark rows which may lack an owner's part.
    pub lacks: Vec<Column>,
    /// Something may be lacking that no column marks.
    pub lost: bool,
}

impl HomePart {
    /// A plan that lacks nothing.
    pub fn complete(plan: LogicalPlan) -> Self {
        Self { plan, lacks: vec![], lost: false }
    }

    fn may_lack(&self) -> bool {
        self.lost || !self.lacks.is_empty()
    }

    /// The same without its marks, remembering that there were some.
    fn unmarked(self) -> Result<Self, Refusal> {
        if self.lacks.is_empty() {
            return Ok(self);
        }
        let width = self.plan.schema().fields().len() - self.lacks.len();
        let columns = (0..width).map(|i| column_at(self.plan.schema(), i)).collect();
        let plan = Projection::try_new(columns, Arc::new(self.plan)).map_err(invalid)?;
        Ok(Self { plan: LogicalPlan::Projection(plan), lacks: vec![], lost: true })
    }
}

/// Places a plan, collecting its fragments.
pub(super) struct Placer<'a> {
    pub context: &'a Context<'a>,
    pub fragments: Fragments<'a>,
    marks: usize,
}

impl<'a> Placer<'a> {
    pub fn new(context: &'a Context<'a>) -> Self {
        Self { context, fragments: Fragments::new(context), marks: 0 }
    }

    /// A fresh name for a column of marks.
    pub fn lack_name(&mut self) -> String {
        self.marks += 1;
        format!("__lack_{}", self.marks)
    }

    /// Places a plan and brings it home.
    pub fn place_at_home(&mut self, plan: &LogicalPlan) -> Result<HomePart, Refusal> {
        let placed = self.place(plan)?;
        self.home(placed)
    }

    /// Places one operator after its inputs.
    pub fn place(&mut self, plan: &LogicalPlan) -> Result<Placed, Refusal> {
        refuse_subqueries(plan)?;
        match plan {
            LogicalPlan::TableScan(scan) => match catalog::table_of(scan) {
                Some(table) => Ok(Placed::Owners(Region::of_table(scan, table))),
                None => Err(Refusal::new(Code::Internal, "a table of the plan is not in the catalog")),
            },
            LogicalPlan::EmptyRelation(_) | LogicalPlan::Values(_) => {
                Ok(Placed::Home(HomePart::complete(plan.clone())))
            }
            LogicalPlan::Join(join) => self.join(join),
            LogicalPlan::Union(union) => self.union(union).map(Placed::Home),
            LogicalPlan::Aggregate(aggregate) => match self.place(&aggregate.input)? {
                Placed::Owners(region) => self.aggregate(aggregate, region),
                Placed::Home(part) => {
                    let part = part.unmarked()?;
                    over_home(plan, part).map(Placed::Home)
                }
            },
            _ => match &plan.inputs()[..] {
                [input] => match self.place(input)? {
                    Placed::Owners(region) => self.over_region(plan, region),
                    Placed::Home(part) => over_home(plan, part).map(Placed::Home),
                },
                inputs => {
                    let homes = inputs.iter().map(|input| self.place_at_home(input)?.unmarked());
                    let homes = homes.collect::<Result<Vec<_>, _>>()?;
                    let lost = homes.iter().any(HomePart::may_lack);
                    let mut part = at_home(plan, homes.into_iter().map(|h| h.plan).collect())?;
                    part.lost |= lost;
                    Ok(Placed::Home(part))
                }
            },
        }
    }

    /// An operator with one input over a region: part of it where each owner's share of the result is the operator
    /// over its share of the input; else the region ends here.
    fn over_region(&mut self, plan: &LogicalPlan, mut region: Region) -> Result<Placed, Refusal> {
        let rebuilt =
            |region: &Region| plan.with_new_exprs(plan.expressions(), vec![region.plan.clone()]).map_err(invalid);
        match plan {
            LogicalPlan::Filter(filter) => {
                region.prune(&filter.predicate);
                region.size = region.size.map(|size| size.filtered(&filter.predicate));
                let plan = rebuilt(&region)?;
                Ok(Placed::Owners(region.with_plan(plan, |c| Some(c.clone()))))
            }
            LogicalPlan::SubqueryAlias(alias) => {
                let plan = rebuilt(&region)?;
                let name = alias.alias.clone();
                Ok(Placed::Owners(region.with_plan(plan, |c| Some(Column::new(Some(name.clone()), &c.name)))))
            }
            LogicalPlan::Projection(projection) if !projection.expr.iter().any(Expr::is_volatile) => {
                let plan = rebuilt(&region)?;
                let outputs: Vec<(Expr, Column)> = projection
                    .expr
                    .iter()
                    .enumerate()
                    .filter_map(|(i, e)| match column_at(plan.schema(), i) {
                        Expr::Column(c) => Some((e.clone().unalias(), c)),
                        _ => None,
                    })
                    .collect();
                let renamed = |c: &Column| {
                    let found = outputs.iter().find(|(e, _)| matches!(e, Expr::Column(inner) if inner == c));
                    found.map(|(_, output)| output.clone())
                };
                Ok(Placed::Owners(region.with_plan(plan, renamed)))
            }
            LogicalPlan::Sort(Sort { fetch: Some(_), .. }) if region.public => {
                let sorted = rebuilt(&region)?;
                let region = region.with_plan(sorted, |c| Some(c.clone()));
                self.cut_and_repeat(plan, region)
            }
            LogicalPlan::Limit(limit) if region.public => {
                let (skip, fetch) = (limit::skip_of(limit), limit::fetch_of(limit));
                if let (Ok(skip), Ok(Some(fetch))) = (skip, fetch) {
                    region.plan = limited(region.plan, skip.saturating_add(fetch));
                }
                self.cut_and_repeat(plan, region)
            }
            _ => self.cut_and_repeat(plan, region),
        }
    }

    fn cut_and_repeat(&mut self, plan: &LogicalPlan, region: Region) -> Result<Placed, Refusal> {
        let input = self.cut(region)?;
        at_home(plan, vec![input]).map(Placed::Home)
    }

    /// All inputs of a union come home; rows keep their marks.
    fn union(&mut self, union: &Union) -> Result<HomePart, Refusal> {
        let parts = union.inputs.iter().map(|input| self.place_at_home(input));
        let parts = parts.collect::<Result<Vec<_>, _>>()?;
        let lost = parts.iter().any(|p| p.lost);
        let marked = parts.iter().any(|p| !p.lacks.is_empty());
        let name = self.lack_name();
        let width = union.schema.fields().len();
        let mut inputs = parts.into_iter().map(|part| {
            let mut columns: Vec<Expr> =
                (0..width).map(|i| column_at(part.plan.schema(), i).alias(union.schema.field(i).name())).collect();
            if marked {
                columns.push(any_of(&part.lacks).alias(name.clone()));
            }
            LogicalPlanBuilder::from(part.plan).project(columns).map_err(invalid)
        });
        let Some(first) = inputs.next() else {
            return Err(Refusal::new(Code::InvalidSql, "a union has at least one input"));
        };
        let all = inputs.try_fold(first?, |all, next| {
            next.and_then(|next| next.build().map_err(invalid)).and_then(|next| all.union(next).map_err(invalid))
        })?;
        let plan = all.build().map_err(invalid)?;
        let lacks = if marked { vec![Column::new_unqualified(name)] } else { vec![] };
        Ok(HomePart { plan, lacks, lost })
    }

    /// Brings a placed part home.
    pub fn home(&mut self, placed: Placed) -> Result<HomePart, Refusal> {
        match placed {
            Placed::Home(part) => Ok(part),
            Placed::Owners(region) => {
                let hides = !region.public && !hiding_owners(&region).is_empty();
                let plan = self.cut(region)?;
                Ok(HomePart { plan, lacks: vec![], lost: hides })
            }
        }
    }
}

/// An operator with one input over a plan at home: the marks are carried along where rows stay rows.
fn over_home(plan: &LogicalPlan, part: HomePart) -> Result<HomePart, Refusal> {
    let HomePart { plan: input, lacks, lost } = part;
    let mut exprs = plan.expressions();
    let mut lacks_after = lacks.clone();
    match plan {
        LogicalPlan::Projection(_) => exprs.extend(lacks.iter().cloned().map(Expr::Column)),
        LogicalPlan::SubqueryAlias(SubqueryAlias { alias, .. }) => {
            let qualified = |c: &Column| Column::new(Some(alias.clone()), &c.name);
            lacks_after = lacks.iter().map(qualified).collect();
        }
        LogicalPlan::Window(_) if !lacks.is_empty() => {
            // Its columns come behind the marks; marks are kept last.
            let rebuilt = plan.with_new_exprs(exprs, vec![input]).map_err(invalid)?;
            let is_mark = |e: &Expr| matches!(e, Expr::Column(c) if lacks.contains(c));
            let all = (0..rebuilt.schema().fields().len()).map(|i| column_at(rebuilt.schema(), i));
            let (marks, own): (Vec<Expr>, Vec<Expr>) = all.partition(is_mark);
            let order = own.into_iter().chain(marks).collect();
            let plan = Projection::try_new(order, Arc::new(rebuilt)).map_err(invalid)?;
            return Ok(HomePart { plan: LogicalPlan::Projection(plan), lacks, lost });
        }
        _ => {}
    }
    let plan = plan.with_new_exprs(exprs, vec![input]).map_err(invalid)?;
    let plan = plan.recompute_schema().map_err(invalid)?;
    Ok(HomePart { plan, lacks: lacks_after, lost })
}

/// An operator over plans at home that carry no marks.
pub(super) fn at_home(plan: &LogicalPlan, inputs: Vec<LogicalPlan>) -> Result<HomePart, Refusal> {
    let plan = plan.with_new_exprs(plan.expressions(), inputs).map_err(invalid)?;
    Ok(HomePart::complete(plan.recompute_schema().map_err(invalid)?))
}

/// The first rows of each owner's share: above a sort if there is one, so that the top rows are among them.
fn limited(plan: LogicalPlan, rows: usize) -> LogicalPlan {
    let fetch = i64::try_from(rows).unwrap_or(i64::MAX);
    LogicalPlan::Limit(Limit { skip: None, fetch: Some(Box::new(lit(fetch))), input: Arc::new(plan) })
}

/// True where any of the marks is, or where a mark is NULL: a row that an outer join filled in may lack that part.
pub(super) fn any_of(lacks: &[Column]) -> Expr {
    let marks =
        lacks.iter().map(|c| datafusion::functions::expr_fn::coalesce(vec![Expr::Column(c.clone()), lit(true)]));
    marks.reduce(Expr::or).unwrap_or_else(|| lit(false))
}

/// Subqueries that could not be turned into joins have no place.
fn refuse_subqueries(plan: &LogicalPlan) -> Result<(), Refusal> {
    let mut found = false;
    for expr in plan.expressions() {
        let walked = expr.apply(|e| {
            let is_subquery = matches!(
                e,
                Expr::ScalarSubquery(_)
                    | Expr::InSubquery(_)
                    | Expr::Exists(_)
                    | Expr::SetComparison(_)
                    | Expr::OuterReferenceColumn(..)
            );
            found |= is_subquery;
            Ok(if is_subquery { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
        });
        walked.map_err(invalid)?;
    }
    if !found {
        return Ok(());
    }
    Err(Refusal::new(Code::NotSplittable, "this form of subquery cannot be turned into a join")
        .with_rule("subqueries are placed as joins")
        .with_remedy("write it as a join, or as a common table expression that is joined"))
}
