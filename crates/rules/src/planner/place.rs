//! Placing of a plan: the choice where each part of it runs. Bottom-up, every operator is either part of a [`Region`],
//! which each owner runs on what it holds, or at home, over releases. Where a region ends, it is cut: it becomes a
//! fragment, and in the plan a leaf that reads what was released for it.

use std::sync::Arc;

use datafusion::common::Column;
use datafusion::logical_expr::{Expr, Limit, LogicalPlan, LogicalPlanBuilder, Sort, Union, lit};
use wanqu_model::refusal::{Code, Refusal};

use super::doubt::Doubt;
use super::fragments::Fragments;
use super::invalid::invalid;
use super::part::{HomePart, Placed, any_of, at_home, column_at, over_home};
use super::spread::Region;
use super::total::{self, Total};
use super::{aggregate, join, limit, subquery};
use crate::catalog;
use crate::expressions::has_subquery;

/// Places plans, collecting their fragments.
pub(super) struct Placer<'f, 'a>(pub &'f mut Fragments<'a>);

impl Placer<'_, '_> {
    /// Places a plan and brings it home.
    pub fn place_at_home(&mut self, plan: &LogicalPlan) -> Result<HomePart, Refusal> {
        let placed = self.place(plan)?;
        self.0.home(placed)
    }

    /// Places one operator after its inputs.
    fn place(&mut self, plan: &LogicalPlan) -> Result<Placed, Refusal> {
        refuse_subqueries(plan)?;
        match plan {
            LogicalPlan::TableScan(scan) => match catalog::table_of(scan) {
                Some(table) => Ok(Placed::Owners(Region::of_table(scan, table))),
                None if catalog::is_work_table(&scan.source) => Ok(Placed::Home(HomePart::complete(plan.clone()))),
                None => Err(Refusal::new(Code::Internal, "a table of the plan is not in the catalog")),
            },
            LogicalPlan::EmptyRelation(_) | LogicalPlan::Values(_) => {
                Ok(Placed::Home(HomePart::complete(plan.clone())))
            }
            LogicalPlan::Join(join) => {
                let left = self.place(&join.left)?;
                let whole = match &left {
                    Placed::Owners(region) if !region.public => subquery::without_first_row_limit(join),
                    _ => None,
                };
                let right = self.place(whole.as_ref().unwrap_or(join.right.as_ref()))?;
                join::place(join, left, right, self.0)
            }
            LogicalPlan::RecursiveQuery(recursive) => {
                let first = self.place_at_home(&recursive.static_term)?.unmarked()?;
                let repeated = self.0.repeating(|fragments| Placer(fragments).place_at_home(&recursive.recursive_term));
                of_unmarked(plan, vec![first, repeated?.unmarked()?]).map(Placed::Home)
            }
            LogicalPlan::Union(union) => self.union(union).map(Placed::Home),
            LogicalPlan::Aggregate(aggregate) => match self.place(&aggregate.input)? {
                Placed::Owners(region) => aggregate::place(aggregate, region, self.0),
                Placed::Home(part) => over_home(plan, part).map(Placed::Home),
            },
            _ => match &plan.inputs()[..] {
                [input] => match self.place(input)? {
                    Placed::Owners(region) => self.over_region(plan, region),
                    Placed::Home(part) => over_home(plan, part).map(Placed::Home),
                },
                inputs => {
                    let homes = inputs.iter().map(|input| self.place_at_home(input)?.unmarked());
                    let homes = homes.collect::<Result<Vec<_>, _>>()?;
                    of_unmarked(plan, homes).map(Placed::Home)
                }
            },
        }
    }

    /// Places an operator with one input over a region: inside it, if each owner's share of the result is the operator
    /// over its share of the input. Otherwise the region ends here.
    fn over_region(&mut self, plan: &LogicalPlan, mut region: Region) -> Result<Placed, Refusal> {
        let rebuilt =
            |region: &Region| plan.with_new_exprs(plan.expressions(), vec![region.plan.clone()]).map_err(invalid);
        if total::leaves_one(plan) && Total::beneath(&region.plan).is_some() {
            return Ok(Placed::Owners(region));
        }
        match plan {
            LogicalPlan::Filter(filter) => {
                region.prune(&filter.predicate, self.0.home_node());
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
                        Expr::Column(c) => Some((e.clone().unalias_nested().data, c)),
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
        let input = self.0.cut(region)?;
        at_home(plan, vec![input]).map(Placed::Home)
    }

    /// Brings all inputs of a union home; rows keep their marks.
    fn union(&mut self, union: &Union) -> Result<HomePart, Refusal> {
        let parts = union.inputs.iter().map(|input| self.place_at_home(input));
        let parts = parts.collect::<Result<Vec<_>, _>>()?;
        let lost = parts.iter().any(|p| p.lost);
        let rows_kept_back = parts.iter().any(|p| p.rows_kept_back);
        let marked = parts.iter().any(|p| !p.lacks.is_empty());
        let marked_anyway = parts.iter().any(|p| p.marked_anyway);
        let hidden = parts.iter().any(|p| p.hidden);
        let (values, absent) = (greatest(&parts, |p| p.values), greatest(&parts, |p| p.absent));
        let name = self.0.lack_name();
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
        Ok(HomePart { plan, lacks, lost, rows_kept_back, marked_anyway, hidden, values, absent })
    }
}

/// Puts an operator with several inputs over plans at home whose rows carry no marks. Any row may decide about others.
fn of_unmarked(plan: &LogicalPlan, homes: Vec<HomePart>) -> Result<HomePart, Refusal> {
    let (lost, hidden) = (homes.iter().any(HomePart::may_lack), homes.iter().any(|home| home.hidden));
    let rows_kept_back = homes.iter().any(|home| home.rows_kept_back);
    let values = greatest(&homes, |home| home.values);
    let absent = values.max(greatest(&homes, |home| home.absent));
    let part = at_home(plan, homes.into_iter().map(|home| home.plan).collect())?;
    Ok(HomePart { lost, rows_kept_back, hidden, values, absent, ..part })
}

/// Returns the greatest doubt of several parts.
fn greatest(parts: &[HomePart], of: impl Fn(&HomePart) -> Doubt) -> Doubt {
    parts.iter().map(of).max().unwrap_or_default()
}

/// Limits each owner's share to its first rows: above a sort if there is one, so that the top rows are among them.
fn limited(plan: LogicalPlan, rows: usize) -> LogicalPlan {
    let fetch = i64::try_from(rows).unwrap_or(i64::MAX);
    LogicalPlan::Limit(Limit { skip: None, fetch: Some(Box::new(lit(fetch))), input: Arc::new(plan) })
}

/// Refuses subqueries that could not be turned into joins.
fn refuse_subqueries(plan: &LogicalPlan) -> Result<(), Refusal> {
    if !plan.expressions().iter().any(has_subquery) {
        return Ok(());
    }
    Err(Refusal::new(Code::NotSplittable, "this form of subquery cannot be turned into a join")
        .with_rule("subqueries are run as joins")
        .with_remedy("write it as a join, or as a common table expression that is joined"))
}
