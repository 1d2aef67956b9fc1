//! Threads the hidden privacy units of every non-public table up to the aggregate's input.
//!
//! Only the nodes that admission allows below an aggregate over non-public data are known here; any other is an error, so
//! that a gap in admission releases nothing.

use std::sync::Arc;

use datafusion::common::{Column, JoinType, Result as DfResult, internal_err};
use datafusion::logical_expr::{Expr, Filter, Join, LogicalPlan, LogicalPlanBuilder, Projection, SubqueryAlias};
use wanqu_rules::row::{RowKey, row_column};
use wanqu_rules::unit::unit_column;

use crate::engine::{Hidden, Run};

/// One privacy unit at the aggregate's input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    /// The hidden column's name.
    name: String,
    /// The hidden column with the hash of its record; `None` if none was asked for.
    row: Option<String>,
    /// Name that the plan has for its table.
    pub leaf: String,
    /// Dataset that its table is read from.
    pub dataset: String,
    /// True if it may be NULL: an outer join may have found no record.
    pub padded: bool,
}

impl Unit {
    /// Returns the column in `plan`, under the qualifier that it has there.
    pub fn column(&self, plan: &LogicalPlan) -> DfResult<Column> {
        Ok(Column::from(plan.schema().qualified_field_with_unqualified_name(&self.name)?))
    }

    /// Returns the column with the hash of its record.
    pub fn row(&self, plan: &LogicalPlan) -> DfResult<Column> {
        let Some(row) = &self.row else { return internal_err!("the records of a table were not hashed") };
        Ok(Column::from(plan.schema().qualified_field_with_unqualified_name(row)?))
    }

    fn columns(&self, plan: &LogicalPlan) -> DfResult<Vec<Column>> {
        let row = self.row.as_ref().map(|_| self.row(plan));
        std::iter::once(self.column(plan)).chain(row).collect()
    }
}

/// A table that a plan reads, in the order in which they are met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaf {
    /// Size of its files, in bytes: the cost of reading it.
    pub bytes: u64,
    /// True if it has a privacy unit to protect.
    pub private: bool,
    /// Most rows of one unit, if the custodian declared it.
    pub max_rows_per_unit: Option<u64>,
    /// True if fewer rows of it can only give fewer rows at the aggregate's input, never others.
    pub monotone: bool,
}

/// The aggregate's input over sources, with its units.
#[derive(Debug)]
pub struct Threaded {
    /// The bound plan.
    pub plan: LogicalPlan,
    /// The units that reach it.
    pub units: Vec<Unit>,
    /// The tables it reads.
    pub leaves: Vec<Leaf>,
}

/// At most so many rows of one table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prefix {
    /// Index of the table in [`Threaded::leaves`].
    pub leaf: usize,
    /// Number of its rows.
    pub rows: usize,
}

/// Binds an aggregate's input to its sources and threads the units through it; with a key, the hashes of the records too.
pub fn thread(run: &dyn Run, input: &LogicalPlan, prefix: Option<Prefix>, key: Option<RowKey>) -> DfResult<Threaded> {
    let mut threading = Threading { run, prefix, key, leaves: Vec::new() };
    let (plan, units) = threading.node(input, true)?;
    Ok(Threaded { plan, units, leaves: threading.leaves })
}

struct Threading<'a> {
    run: &'a dyn Run,
    prefix: Option<Prefix>,
    key: Option<RowKey>,
    leaves: Vec<Leaf>,
}

impl Threading<'_> {
    /// Binds a subtree. `monotone` is true if fewer rows here can only give fewer rows at the top.
    fn node(&mut self, plan: &LogicalPlan, monotone: bool) -> DfResult<(LogicalPlan, Vec<Unit>)> {
        match plan {
            LogicalPlan::TableScan(scan) => {
                let index = self.leaves.len();
                let name = unit_column(index);
                let row = row_column(index);
                let hashed = self.key.map(|key| (row.as_str(), key));
                let leaf = self.run.bind_leaf(scan, Some(Hidden { unit: &name, row: hashed }))?;
                let (private, max_rows_per_unit) = (leaf.unit, leaf.max_rows_per_unit);
                self.leaves.push(Leaf { bytes: leaf.bytes, private, max_rows_per_unit, monotone });
                let bound = match self.prefix {
                    Some(prefix) if prefix.leaf == index => {
                        LogicalPlanBuilder::from(leaf.plan).limit(0, Some(prefix.rows))?.build()?
                    }
                    _ => leaf.plan,
                };
                if !private {
                    return Ok((bound, Vec::new()));
                }
                let row = self.key.map(|_| row);
                Ok((bound, vec![Unit { name, row, leaf: String::new(), dataset: leaf.dataset, padded: false }]))
            }
            LogicalPlan::SubqueryAlias(alias) => {
                let (input, mut units) = self.node(&alias.input, monotone)?;
                if matches!(*alias.input, LogicalPlan::TableScan(_)) {
                    for unit in &mut units {
                        alias.alias.table().clone_into(&mut unit.leaf);
                    }
                }
                let alias = SubqueryAlias::try_new(Arc::new(input), alias.alias.clone())?;
                Ok((LogicalPlan::SubqueryAlias(alias), units))
            }
            LogicalPlan::Filter(filter) => {
                let (input, units) = self.node(&filter.input, monotone)?;
                let filter = Filter::try_new(self.run.bind_expr(&filter.predicate)?, Arc::new(input))?;
                Ok((LogicalPlan::Filter(filter), units))
            }
            LogicalPlan::Projection(projection) => {
                let (input, units) = self.node(&projection.input, monotone)?;
                let mut columns = projection.expr.clone();
                for unit in &units {
                    columns.extend(unit.columns(&input)?.into_iter().map(Expr::Column));
                }
                Ok((LogicalPlan::Projection(Projection::try_new(columns, Arc::new(input))?), units))
            }
            LogicalPlan::Join(join) => self.join(join, monotone),
            _ => internal_err!("this kind of plan cannot stand below an aggregate over non-public data"),
        }
    }

    fn join(&mut self, join: &Join, monotone: bool) -> DfResult<(LogicalPlan, Vec<Unit>)> {
        use JoinType as J;
        let (left_monotone, right_monotone) = match join.join_type {
            J::Inner => (monotone, monotone),
            J::Left | J::LeftSemi | J::LeftAnti => (monotone, false),
            J::Right | J::RightSemi | J::RightAnti => (false, monotone),
            _ => (false, false),
        };
        let (left, mut units) = self.node(&join.left, left_monotone)?;
        let (right, mut right_units) = self.node(&join.right, right_monotone)?;
        let pad = |units: &mut Vec<Unit>| units.iter_mut().for_each(|unit| unit.padded = true);
        match join.join_type {
            J::Inner => {}
            J::Left => pad(&mut right_units),
            J::Right => pad(&mut units),
            J::Full => {
                pad(&mut units);
                pad(&mut right_units);
            }
            J::LeftSemi | J::LeftAnti => right_units.clear(),
            J::RightSemi | J::RightAnti => units.clear(),
            _ => return internal_err!("this kind of join cannot stand below an aggregate over non-public data"),
        }
        units.append(&mut right_units);
        let joined = Join::try_new(
            Arc::new(left),
            Arc::new(right),
            join.on.clone(),
            join.filter.clone(),
            join.join_type,
            join.join_constraint,
            join.null_equality,
            join.null_aware,
        )?;
        Ok((LogicalPlan::Join(joined), units))
    }
}
