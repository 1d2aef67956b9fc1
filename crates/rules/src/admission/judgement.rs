//! Judgement of a whole plan: rows of public tables, or `[Projection] Aggregate tree` over non-public ones.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::{Column, DFSchemaRef};
use datafusion::logical_expr::expr::{Cast, TryCast};
use datafusion::logical_expr::{Aggregate, Distinct, Expr, LogicalPlan, Projection};
use wanqu_model::names::JurisdictionId;

use super::families::{Condition, Values, families};
use super::judge::Judge;
use super::node::Node;
use super::shape::{GatedShape, Judged, Judgement, Shape};
use super::total::Total;
use super::{aggregate, base, predicate, public, reads, refusals};
use wanqu_model::bundle::ContributionRule;
use wanqu_model::refusal::{Code, Refusal};

/// The most conditions of one fragment. The gate counts the units of each in every cell.
const MAX_CONDITIONS: usize = 200;

/// Judges a plan. See [`judge`](super::judge).
pub(super) fn judge(plan: LogicalPlan, owner: &JurisdictionId) -> Judgement {
    let tables = match reads::tables_of(&plan) {
        Ok(tables) => tables,
        Err(refusal) => return Judgement { findings: vec![], verdict: Err(refusal.with_owner(owner.clone())) },
    };
    let Some(rule) = reads::strictest_rule(&tables) else {
        let findings = tables.iter().map(|table| public::finding(table, owner)).collect();
        let verdict = public::judged(plan, tables).map_err(|refusal| refusal.with_owner(owner.clone()));
        return Judgement { findings, verdict };
    };
    let mut judge = Judge::new(owner, rule);
    let built = judge.gated(&plan);
    let Judge { rule, must_be_empty, findings, refusals, .. } = judge;
    let verdict = match (refusals.into_iter().next(), built) {
        (Some(refusal), _) => Err(refusal),
        (None, Some((plan, Values { conditions, groups: value_groups, totals, once }))) => {
            let families = families(&conditions);
            let once = once.into_iter().map(base::leaf_name).collect();
            let shape = GatedShape { rule, conditions, families, value_groups, totals, once, must_be_empty };
            let shape = Shape::Gated(shape);
            Ok(Judged { plan, shape, tables })
        }
        (None, None) => Err(Refusal::new(Code::Internal, "a fragment was neither admitted nor refused")),
    };
    Judgement { findings, verdict }
}

/// One column of the release: an output of the aggregate by index, with the casts on it, innermost first; or a literal.
enum Output {
    Aggregate(usize, Vec<DataType>),
    Literal(Expr),
}

impl Judge<'_> {
    /// Judges `[Projection] Aggregate tree`. Returns the plan over base columns, and the conditions of its aggregates.
    fn gated(&mut self, plan: &LogicalPlan) -> Option<(LogicalPlan, Values)> {
        if let Some(name) = base::reserved_name(plan) {
            self.refuse("SELECT", refusals::reserved(&name));
            return None;
        }
        let (top, below) = match plan {
            LogicalPlan::Projection(projection) if is_grouping(&projection.input) => {
                (Some(projection), projection.input.as_ref())
            }
            other => (None, other),
        };
        let outputs = self.outputs(top, below)?;
        let (aggregate, values) = match below {
            LogicalPlan::Aggregate(aggregate) => self.aggregate(aggregate)?,
            LogicalPlan::Distinct(Distinct::All(input)) => self.distinct(input)?,
            other => {
                // The walk names every column that the rows would hold, and then there is no aggregate over them.
                self.tree(other, &[]);
                if self.refusals.is_empty() {
                    let refusal = refusals::operator(other, &self.tables);
                    self.refuse("SELECT", refusal);
                }
                return None;
            }
        };
        let released = self.release(aggregate, &outputs, plan.schema())?;
        Some((released, values))
    }

    /// Reads each column of the release. The projection on top only picks, renames and casts.
    fn outputs(&mut self, top: Option<&Projection>, below: &LogicalPlan) -> Option<Vec<Output>> {
        let Some(projection) = top else {
            return Some((0..below.schema().fields().len()).map(|i| Output::Aggregate(i, vec![])).collect());
        };
        let mut outputs = Vec::new();
        for expr in &projection.expr {
            let mut casts = Vec::new();
            let mut inner = expr;
            let output = loop {
                match inner {
                    Expr::Alias(alias) => inner = &alias.expr,
                    Expr::Cast(Cast { expr, field }) | Expr::TryCast(TryCast { expr, field }) => {
                        casts.insert(0, field.data_type().clone());
                        inner = expr;
                    }
                    Expr::Literal(..) if casts.is_empty() => break Some(Output::Literal(inner.clone())),
                    Expr::Column(c) => {
                        break below.schema().maybe_index_of_column(c).map(|i| Output::Aggregate(i, casts));
                    }
                    _ => break None,
                }
            };
            let Some(output) = output else {
                self.refuse("SELECT", refusals::computed_output());
                return None;
            };
            outputs.push(output);
        }
        Some(outputs)
    }

    fn aggregate(&mut self, aggregate: &Aggregate) -> Option<(Aggregate, Values)> {
        self.aggregating = true;
        let node = self.tree(&aggregate.input, &[])?;
        self.tables.enter_once(node.rows.once.clone());
        let mut groups = Vec::new();
        for key in &aggregate.group_expr {
            if matches!(key, Expr::GroupingSet(_)) {
                self.refuse("GROUP BY", grouping_set());
                return None;
            }
            let key = self.over_base(key, &aggregate.input, &node.columns)?.expr;
            self.group_key(&key);
            groups.push(key);
        }
        let mut values = Vec::new();
        let (mut conditions, mut totals) = (Vec::new(), Vec::new());
        for expr in &aggregate.aggr_expr {
            let Expr::AggregateFunction(function) = self.over_base(expr, &aggregate.input, &node.columns)?.expr else {
                self.refuse("SELECT", refusals::computed_output());
                return None;
            };
            let operator = function.func.name().to_owned();
            match aggregate::check(&function, &self.tables) {
                Ok(passed) => {
                    self.admit_columns(
                        &operator,
                        &passed.expr,
                        "may be aggregated: the units of every cell are counted",
                    );
                    if passed.expr.column_refs().is_empty() {
                        self.admit_operator(
                            &operator,
                            "*".to_owned(),
                            "rows may be counted: the units of every cell are counted, too",
                        );
                    }
                    conditions.push(passed.conditions);
                    totals.push(passed.total);
                    values.push(passed.expr);
                }
                Err(refusal) => self.refuse(&operator, refusal),
            }
        }
        if !self.refusals.is_empty() {
            return None;
        }
        let once = node.rows.once.clone();
        let (aggregate, values) = self.finished(node, groups, values, conditions, totals)?;
        Some((aggregate, Values { once, ..values }))
    }

    /// Judges `SELECT DISTINCT` of rows: an aggregate without aggregate functions.
    fn distinct(&mut self, input: &LogicalPlan) -> Option<(Aggregate, Values)> {
        self.aggregating = true;
        let node = self.tree(input, &[])?;
        let groups: Vec<Expr> = node.columns.iter().map(|c| c.expr.clone()).collect();
        for key in &groups {
            self.group_key(key);
        }
        if !self.refusals.is_empty() {
            return None;
        }
        self.finished(node, groups, vec![], vec![], vec![])
    }

    fn group_key(&mut self, key: &Expr) {
        match predicate::group_key(key, &self.tables) {
            Ok(()) => self.admit_columns("GROUP BY", key, "dimensions and public columns may be group keys"),
            Err(refusal) => self.refuse("GROUP BY", refusal),
        }
    }

    fn finished(
        &mut self,
        node: Node,
        groups: Vec<Expr>,
        aggregates: Vec<Expr>,
        conditions: Vec<Vec<Condition>>,
        totals: Vec<Total>,
    ) -> Option<(Aggregate, Values)> {
        let values = Values { totals, ..Values::new(conditions, &groups) };
        let groups = groups.into_iter().enumerate().map(|(i, key)| key.alias(format!("g{i}"))).collect();
        let aggregates = aggregates.into_iter().enumerate().map(|(i, value)| value.alias(format!("a{i}"))).collect();
        let aggregate = self.built(Aggregate::try_new(Arc::new(node.plan), groups, aggregates))?;
        let k = self.rule.min_units;
        let of_none = if self.rule.publish_zeros { "" } else { " or of none" };
        let withheld = match (k > 1 && !values.groups.is_empty(), values.conditions.iter().any(|one| one.common)) {
            (true, true) => format!("a value whose conditions leave a part of fewer{of_none} is NULL in its row, "),
            (true, false) => "a value whose conditions leave a part of fewer is NULL in its row, ".to_owned(),
            (false, _) => String::new(),
        };
        let measured = values.totals.iter().any(|total| !total.magnitudes.is_empty());
        let few = if measured { self.contributions() } else { String::new() };
        let base = self.rule.rounding;
        let remembered = if self.rule.remembers() {
            "; what differs from an earlier release by fewer than that has its values, or none (rememberCells)"
        } else {
            ""
        };
        let rule = format!(
            "cells of fewer than {k} units are kept back, {withheld}{few}and counts are rounded to {base}{remembered}"
        );
        self.admit_operator("release", "every cell".to_owned(), &rule);
        if values.conditions.len() > MAX_CONDITIONS {
            self.refuse("SELECT", many_conditions(values.conditions.len()));
            return None;
        }
        Some((aggregate, values))
    }

    /// Returns the rule on what single units may add to a measure's statistics.
    fn contributions(&self) -> String {
        let ContributionRule { dominant_units: units, dominant_percent: percent, p_percent, .. } =
            self.rule.contributions;
        let values = self.rule.contributions.values(self.rule.min_units);
        let mut rules = Vec::new();
        if percent < 100 {
            rules.push(format!("{units} units add more than {percent} %"));
        }
        if p_percent > 0 {
            rules.push(format!("all but two add less than {p_percent} % of the greatest"));
        }
        if values > 0 {
            rules.push(format!("fewer than {values} values are not each those of {} units", self.rule.min_units));
        }
        if rules.is_empty() {
            String::new()
        } else {
            format!("a statistic of a measure is NULL where {}, ", rules.join(", or "))
        }
    }

    /// Puts a projection on the aggregate that gives its columns the names of the original plan.
    fn release(&mut self, aggregate: Aggregate, outputs: &[Output], schema: &DFSchemaRef) -> Option<LogicalPlan> {
        let mut columns = Vec::new();
        for (output, (qualifier, field)) in outputs.iter().zip(schema.iter()) {
            let value = match output {
                Output::Literal(literal) => literal.clone(),
                Output::Aggregate(index, casts) => {
                    let column = Expr::Column(Column::from(aggregate.schema.qualified_field(*index)));
                    casts.iter().fold(column, |e, t| Expr::TryCast(TryCast::new(Box::new(e), t.clone())))
                }
            };
            columns.push(value.alias_qualified(qualifier.cloned(), field.name()));
        }
        self.built(
            Projection::try_new(columns, Arc::new(LogicalPlan::Aggregate(aggregate))).map(LogicalPlan::Projection),
        )
    }
}

fn is_grouping(plan: &LogicalPlan) -> bool {
    matches!(plan, LogicalPlan::Aggregate(_) | LogicalPlan::Distinct(Distinct::All(_)))
}

fn many_conditions(count: usize) -> Refusal {
    Refusal::new(Code::Limit, format!("the aggregates hold {count} conditions"))
        .with_rule(format!("FILTERs, CASEs and arguments that can be NULL make at most {MAX_CONDITIONS} conditions"))
        .with_subject("SELECT")
        .with_remedy("group by what the conditions are about, or ask in several queries")
}

fn grouping_set() -> Refusal {
    Refusal::new(Code::NotAnAggregate, "a fragment groups by a plain list of keys")
        .with_rule("ROLLUP, CUBE and GROUPING SETS are derived at home, from released cells")
        .with_subject("GROUP BY")
        .with_remedy("group by all keys, and add up the released cells")
}
