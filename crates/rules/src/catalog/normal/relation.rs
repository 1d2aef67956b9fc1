//! Forms of the rows of plans.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, JoinType, NullEquality, Result as DfResult, ScalarValue, plan_err};
use datafusion::logical_expr::expr::{InSubquery, Sort as SortKey};
use datafusion::logical_expr::logical_plan::builder::build_join_schema;
use datafusion::logical_expr::utils::split_conjunction_owned;
use datafusion::logical_expr::{
    Aggregate, BinaryExpr, Expr, ExprSchemable, FetchType, Join, Limit, LogicalPlan, Operator, Projection, SkipType,
    TableScan, lit,
};

use super::Reading;
use super::expression::order_form;

/// Kinds of columns: those of tables and groupings are NULL where an outer join found no row, the others are computed.
const ROW: &str = "row";
const FILLED: &str = "filled";
const MEMBER: &str = "member";
/// Sign before a condition that may be met another way each time: two of them are not one.
const VOLATILE: char = '~';

/// Rows of a plan in normal form.
pub(super) struct Relation {
    rows: String,
    /// Terms of the filters that lie on top.
    conditions: Vec<String>,
    /// Columns in the order of the plan's schema, as expressions over columns of the normal form.
    pub columns: Vec<Expr>,
}

impl Relation {
    fn of(rows: String, columns: Vec<Expr>) -> Self {
        Self { rows, conditions: vec![], columns }
    }
}

impl Reading<'_> {
    pub(super) fn relation(&mut self, plan: &LogicalPlan) -> DfResult<Relation> {
        match plan {
            LogicalPlan::TableScan(scan) => self.scan(scan),
            LogicalPlan::SubqueryAlias(alias) => self.relation(&alias.input),
            LogicalPlan::Projection(projection) => {
                let input = self.relation(&projection.input)?;
                if projection.expr.iter().any(Expr::is_volatile) {
                    return plan_err!("a column that has another value each time has no normal form");
                }
                let columns = self.resolve_all(&projection.expr, projection.input.schema(), &input.columns)?;
                Ok(Relation { columns, ..input })
            }
            LogicalPlan::Filter(filter) => {
                let mut input = self.relation(&filter.input)?;
                let predicate = self.resolve(&filter.predicate, filter.input.schema(), &input.columns)?;
                self.restrict(&mut input.conditions, predicate)?;
                Ok(input)
            }
            LogicalPlan::Aggregate(aggregate) => self.aggregate(aggregate),
            LogicalPlan::Join(join) => self.join(join),
            LogicalPlan::Sort(sort) => {
                let input = self.relation(&sort.input)?;
                let mut keys = vec![];
                for key in &sort.expr {
                    let expr = self.resolve(&key.expr, sort.input.schema(), &input.columns)?;
                    let expr = if self.simplify { self.simplified(expr)? } else { expr };
                    keys.push(SortKey { expr, ..key.clone() });
                }
                let keys = order_form(&keys, &self.types)?;
                let columns = input.columns.clone();
                let mut rows = self.closed(input);
                if !keys.is_empty() {
                    rows = self.numbered(format!("sort({rows} {keys:?})"));
                }
                let sorted = Relation::of(rows, columns);
                Ok(if sort.fetch.is_some() { self.limited(sorted, 0, sort.fetch) } else { sorted })
            }
            LogicalPlan::Limit(limit) => self.limit(limit),
            other => plan_err!("this part of a plan has no normal form: {}", other.display()),
        }
    }

    /// Returns the form of rows with the filters that lie on top of them.
    pub(super) fn closed(&mut self, relation: Relation) -> String {
        let Relation { rows, mut conditions, .. } = relation;
        if conditions.is_empty() {
            return rows;
        }
        conditions.sort();
        self.numbered(format!("filter({rows} {conditions:?})"))
    }

    fn numbered(&mut self, form: String) -> String {
        format!("#{}", self.numbers.of(form))
    }

    fn scan(&mut self, scan: &TableScan) -> DfResult<Relation> {
        let Some(table) = (self.table)(scan) else { return plan_err!("a table of the plan has no name") };
        let number = self.next();
        let fields = scan.projected_schema.fields().iter();
        let columns = fields.map(|f| self.column(ROW, format!("{number}.{}", f.name()), f.data_type())).collect();
        let mut relation = Relation::of(format!("table({number} {table:?})"), columns);
        for filter in &scan.filters {
            let predicate = self.resolve(filter, &scan.projected_schema, &relation.columns)?;
            self.restrict(&mut relation.conditions, predicate)?;
        }
        Ok(if scan.fetch.is_some() { self.limited(relation, 0, scan.fetch) } else { relation })
    }

    fn limit(&mut self, limit: &Limit) -> DfResult<Relation> {
        let input = self.relation(&limit.input)?;
        let (SkipType::Literal(skip), FetchType::Literal(fetch)) = (limit.get_skip_type()?, limit.get_fetch_type()?)
        else {
            return plan_err!("LIMIT and OFFSET must be numbers");
        };
        Ok(if skip == 0 && fetch.is_none() { input } else { self.limited(input, skip, fetch) })
    }

    fn limited(&mut self, relation: Relation, skip: usize, fetch: Option<usize>) -> Relation {
        let columns = relation.columns.clone();
        let rows = self.closed(relation);
        Relation::of(self.numbered(format!("limit({rows} {skip} {fetch:?})")), columns)
    }

    fn aggregate(&mut self, aggregate: &Aggregate) -> DfResult<Relation> {
        let input = self.relation(&aggregate.input)?;
        let schema = aggregate.input.schema();
        // A key that is written twice has one column.
        let mut written: Vec<Expr> = vec![];
        for group in &aggregate.group_expr {
            if !written.contains(group) {
                written.push(group.clone());
            }
        }
        let groups = self.resolve_all(&written, schema, &input.columns)?;
        let values = self.resolve_all(&aggregate.aggr_expr, schema, &input.columns)?;
        let number = self.next();
        let (mut keys, mut columns) = (vec![], vec![]);
        let mut types = aggregate.schema.fields().iter().map(|field| field.data_type());
        for group in groups {
            let Some(data_type) = types.next() else { return plan_err!("a group has a column") };
            // A constant is a constant in every group.
            if matches!(group, Expr::Literal(..)) {
                columns.push(group);
                continue;
            }
            if group.is_volatile() {
                return plan_err!("a key that has another value each time has no normal form");
            }
            let form = self.form(group)?;
            let key = self.numbers.of(form.clone());
            columns.push(self.column(ROW, format!("{number}.key.{key}"), data_type));
            keys.push(form);
        }
        keys.sort();
        keys.dedup();
        for (value, data_type) in values.into_iter().zip(types) {
            let volatile = value.is_volatile();
            let value = self.form(value)?;
            let value = self.numbers.of(value);
            let column = format!("{number}.value.{value}");
            if volatile && columns.iter().any(|c| matches!(c, Expr::Column(c) if c.name == column)) {
                return plan_err!("an aggregate that has another value each time has no normal form");
            }
            columns.push(self.column(ROW, column, data_type));
        }
        let grouped = !aggregate.group_expr.is_empty();
        let rows = self.closed(input);
        let rows = self.numbered(format!("group({number} {rows} {grouped} {keys:?})"));
        Ok(Relation::of(rows, columns))
    }

    fn join(&mut self, join: &Join) -> DfResult<Relation> {
        let mut left = self.relation(&join.left)?;
        if join.join_type == JoinType::LeftMark && is_unconditional(join) {
            let found = self.subquery(&found_rows(&join.right, &lit(1_i64))?)?;
            let member = self.member(lit(1_i64), &found)?;
            left.columns.push(member);
            return Ok(left);
        }
        let is_membership = join.on.len() == 1
            && join.filter.is_none()
            && (join.join_type == JoinType::LeftMark || join.null_aware && join.join_type == JoinType::LeftAnti);
        if let ([(value, found)], true) = (&join.on[..], is_membership) {
            let value = self.resolve(value, join.left.schema(), &left.columns)?;
            let found = found_rows(&join.right, found)?;
            let found = self.subquery(&found)?;
            let member = self.member(value, &found)?;
            if join.join_type == JoinType::LeftMark {
                // A mark is true or false, never NULL.
                left.columns.push(Expr::IsTrue(Box::new(member)));
            } else {
                self.restrict(&mut left.conditions, Expr::Not(Box::new(member)))?;
            }
            return Ok(left);
        }
        if join.null_aware {
            return plan_err!("this NOT IN has no normal form");
        }
        let right = self.relation(&join.right)?;
        let on = self.join_conditions(join, &left, &right)?;
        self.joined(join.join_type, left, right, on)
    }

    fn join_conditions(&mut self, join: &Join, left: &Relation, right: &Relation) -> DfResult<Vec<String>> {
        let mut on = vec![];
        let op = match join.null_equality {
            NullEquality::NullEqualsNothing => Operator::Eq,
            NullEquality::NullEqualsNull => Operator::IsNotDistinctFrom,
        };
        for (l, r) in &join.on {
            let l = self.resolve(l, join.left.schema(), &left.columns)?;
            let r = self.resolve(r, join.right.schema(), &right.columns)?;
            self.restrict(&mut on, Expr::BinaryExpr(BinaryExpr::new(Box::new(l), op, Box::new(r))))?;
        }
        if let Some(filter) = &join.filter {
            let schema = build_join_schema(join.left.schema(), join.right.schema(), &JoinType::Inner)?;
            let columns: Vec<Expr> = left.columns.iter().chain(&right.columns).cloned().collect();
            let filter = self.resolve(filter, &schema, &columns)?;
            self.restrict(&mut on, filter)?;
        }
        on.sort();
        Ok(on)
    }

    fn joined(&mut self, kind: JoinType, left: Relation, right: Relation, on: Vec<String>) -> DfResult<Relation> {
        let number = if kind == JoinType::Inner { 0 } else { self.next() };
        let (left_columns, right_columns) = (left.columns.clone(), right.columns.clone());
        // Filters on the rows that a join keeps may as well come after it.
        let (left_over, right_over) = match kind {
            JoinType::Inner => (true, true),
            JoinType::Left | JoinType::LeftSemi | JoinType::LeftAnti => (true, false),
            JoinType::Right | JoinType::RightSemi | JoinType::RightAnti => (false, true),
            _ => (false, false),
        };
        let mut conditions = vec![];
        let mut side = |reading: &mut Self, mut relation: Relation, over: bool| {
            if over {
                let lifted = std::mem::take(&mut relation.conditions);
                conditions.extend(lifted);
            }
            reading.closed(relation)
        };
        let (left, right) = (side(self, left, left_over), side(self, right, right_over));
        let rows = if kind == JoinType::Inner {
            conditions.extend(on);
            self.numbered(format!("pairs({left} {right})"))
        } else {
            self.numbered(format!("join({number} {kind:?} {left} {right} {on:?})"))
        };
        conditions.sort();
        conditions.dedup_by(|a, b| a == b && !a.starts_with(VOLATILE));
        let columns = match kind {
            JoinType::Inner => [left_columns, right_columns].concat(),
            JoinType::Left => [left_columns, self.filled(number, right_columns)?].concat(),
            JoinType::Right => [self.filled(number, left_columns)?, right_columns].concat(),
            JoinType::Full => [self.filled(number, left_columns)?, self.filled(number, right_columns)?].concat(),
            JoinType::LeftSemi | JoinType::LeftAnti => left_columns,
            JoinType::RightSemi | JoinType::RightAnti => right_columns,
            JoinType::LeftMark | JoinType::RightMark => return plan_err!("this mark join has no normal form"),
        };
        Ok(Relation { rows, conditions, columns })
    }

    /// Returns the columns of a side that an outer join fills with NULL: what is computed of them is NULL there too.
    fn filled(&mut self, join: usize, columns: Vec<Expr>) -> DfResult<Vec<Expr>> {
        let filled = columns.into_iter().map(|expr| {
            let plain = matches!(&expr, Expr::Column(c) if c.relation.as_ref().is_some_and(|kind| kind.table() == ROW));
            if plain {
                return Ok(expr);
            }
            let data_type = expr.get_type(&self.types)?;
            let form = self.form(expr)?;
            let form = self.numbers.of(form);
            Ok(self.column(FILLED, format!("{join}.{form}"), &data_type))
        });
        filled.collect()
    }

    /// Returns the column that says whether a value is among the rows of a subquery.
    fn member(&mut self, value: Expr, found: &str) -> DfResult<Expr> {
        let value = self.form(value)?;
        let number = self.numbers.of(format!("in({value} {found})"));
        Ok(self.column(MEMBER, number.to_string(), &DataType::Boolean))
    }

    /// Adds the terms of a condition.
    fn restrict(&mut self, conditions: &mut Vec<String>, predicate: Expr) -> DfResult<()> {
        let predicate = if self.simplify { self.simplified(predicate)? } else { predicate };
        for term in split_conjunction_owned(predicate) {
            let volatile = term.is_volatile();
            // Met or not is all that a filter asks of a term.
            let term = match term {
                Expr::IsTrue(inner) => *inner,
                other => other,
            };
            if matches!(&term, Expr::Literal(ScalarValue::Boolean(Some(true)), _)) {
                continue;
            }
            let form = super::expression::form(&term, &self.types)?;
            if volatile {
                conditions.push(format!("{VOLATILE}{form}"));
            } else if !conditions.contains(&form) {
                conditions.push(form);
            }
        }
        Ok(())
    }

    fn resolve_all(&mut self, exprs: &[Expr], schema: &DFSchema, columns: &[Expr]) -> DfResult<Vec<Expr>> {
        exprs.iter().map(|expr| self.resolve(expr, schema, columns)).collect()
    }

    /// Rewrites an expression over the columns of a plan into one over columns of the normal form.
    fn resolve(&mut self, expr: &Expr, schema: &DFSchema, columns: &[Expr]) -> DfResult<Expr> {
        let resolved = expr.clone().transform_up(|part| match part {
            Expr::Alias(alias) => Ok(Transformed::yes(*alias.expr)),
            Expr::Column(column) => {
                if let Some(expr) = columns.get(schema.index_of_column(&column)?) {
                    Ok(Transformed::yes(expr.clone()))
                } else {
                    plan_err!("the plan has no column {column}")
                }
            }
            Expr::InSubquery(InSubquery { expr, subquery, negated }) => {
                if !subquery.outer_ref_columns.is_empty() {
                    return plan_err!("a correlated subquery has no normal form");
                }
                let found = self.subquery(&subquery.subquery)?;
                let member = self.member(*expr, &found)?;
                Ok(Transformed::yes(if negated { Expr::Not(Box::new(member)) } else { member }))
            }
            other => Ok(Transformed::no(other)),
        });
        resolved.map(|resolved| resolved.data)
    }
}

/// Returns true if a join has no condition, or one that always holds.
pub(crate) fn is_unconditional(join: &Join) -> bool {
    let holds = |filter: &Expr| matches!(filter, Expr::Literal(ScalarValue::Boolean(Some(true)), _));
    join.on.is_empty() && join.filter.as_ref().is_none_or(holds)
}

/// Returns the plan of the values that a membership compares with.
fn found_rows(plan: &Arc<LogicalPlan>, found: &Expr) -> DfResult<LogicalPlan> {
    let projection = Projection::try_new(vec![found.clone().unalias()], Arc::clone(plan))?;
    Ok(LogicalPlan::Projection(projection))
}
