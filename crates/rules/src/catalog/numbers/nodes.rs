//! Nodes of a plan that bring columns of several inputs to one type.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DFSchema, DataFusionError, Result as DfResult};
use datafusion::logical_expr::expr::Cast;
use datafusion::logical_expr::{
    Expr, ExprSchemable, Join, LogicalPlan, LogicalPlanBuilder, RecursiveQuery, Union, Values,
};
use datafusion::optimizer::analyzer::type_coercion::TypeCoercionRewriter;
use wanqu_model::refusal::{Code, Refusal};

use super::{Walk, is_decimal};
use crate::casts::is_exact;
use crate::catalog::is_work_table;
use crate::expressions::schema_of;

impl Walk {
    /// Settles a node whose inputs are settled.
    pub(super) fn node(&self, node: LogicalPlan, outer: &[&DFSchema]) -> DfResult<LogicalPlan> {
        let node = match node {
            LogicalPlan::Union(union) => return united(&union),
            LogicalPlan::Values(values) => self.in_one_type(values)?,
            other => other,
        };
        let node = self.expressions(node, outer)?;
        let node = match node {
            LogicalPlan::Join(join) => LogicalPlan::Join(self.joined(join)?),
            other => other,
        }
        .recompute_schema()?;
        if let LogicalPlan::RecursiveQuery(query) = &node {
            check(query)?;
        }
        Ok(node)
    }

    /// Settles the keys of a join, which are kept side by side.
    fn joined(&self, mut join: Join) -> DfResult<Join> {
        let schema = schema_of(&LogicalPlan::Join(join.clone()))?;
        let keys = std::mem::take(&mut join.on).into_iter().map(|pair| self.pair(pair, &schema));
        join.on = keys.collect::<DfResult<_>>()?;
        Ok(join)
    }

    /// Brings a column of VALUES in which floats stand beside decimals to floats. The engine casts all to a decimal.
    fn in_one_type(&self, values: Values) -> DfResult<LogicalPlan> {
        let none = DFSchema::empty();
        let mut rows = values.values.clone();
        let mut changed = false;
        for (index, field) in values.schema.fields().iter().enumerate() {
            if !is_decimal(field.data_type()) {
                continue;
            }
            let cells: Vec<Expr> = rows.iter().map(|row| before_cast(&row[index], field.data_type())).collect();
            let types = cells.iter().map(|cell| cell.get_type(&none)).collect::<DfResult<Vec<_>>>()?;
            if !types.iter().any(DataType::is_floating) {
                continue;
            }
            for (row, cell) in rows.iter_mut().zip(cells) {
                row[index] = self.as_float(cell, &none)?;
                if !row[index].get_type(&none)?.is_null() {
                    row[index] = row[index].clone().cast_to(&DataType::Float64, &none)?;
                }
            }
            changed = true;
        }
        if changed { LogicalPlanBuilder::values(rows)?.build() } else { Ok(LogicalPlan::Values(values)) }
    }
}

fn float(expr: Expr) -> Expr {
    Expr::Cast(Cast::new(Box::new(expr), DataType::Float64))
}

/// Returns a cell as it was before it was cast to the type of its column.
fn before_cast(cell: &Expr, column: &DataType) -> Expr {
    match cell {
        Expr::Cast(Cast { expr, field }) if field.data_type() == column => expr.as_ref().clone(),
        cell => cell.clone(),
    }
}

/// Checks that the rows that a recursive query adds fit into the types of those that it begins with, which the engine casts
/// them to whatever is lost.
fn check(query: &RecursiveQuery) -> DfResult<()> {
    let first = query.static_term.schema();
    let mut read = vec![];
    query.recursive_term.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node
            && is_work_table(&scan.source)
            && scan.table_name.table() == query.name
        {
            read.push(scan.source.schema());
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    for (index, field) in first.fields().iter().enumerate() {
        let data_type = field.data_type();
        let same = read.iter().all(|schema| schema.field(index).data_type() == data_type);
        if !same || (is_decimal(data_type) && loses(&query.recursive_term, index, data_type)) {
            let refusal = Refusal::new(
                Code::InvalidSql,
                format!("the rows that a recursive query adds do not keep the digits of its column {}", field.name()),
            )
            .with_rule("each row of a recursive query has the types of those that it begins with")
            .with_subject(field.name().clone())
            .with_remedy("CAST the value that it begins with to DOUBLE, or to a DECIMAL of all digits that are needed");
            return Err(DataFusionError::External(Box::new(refusal)));
        }
    }
    Ok(())
}

/// Returns true if a column of the added rows is cast to fewer digits.
fn loses(added: &LogicalPlan, index: usize, to: &DataType) -> bool {
    let LogicalPlan::Projection(projection) = added else { return false };
    let Some(Expr::Cast(Cast { expr, .. })) = projection.expr.get(index).map(|expr| expr.clone().unalias()) else {
        return false;
    };
    expr.get_type(projection.input.schema()).is_ok_and(|from| !is_exact(&from, to))
}

/// Brings the columns of a union to one type. Before, a union has the types of its first input.
fn united(union: &Union) -> DfResult<LogicalPlan> {
    let types = |index: usize| union.inputs.iter().map(move |input| input.schema().field(index).data_type());
    let floats: Vec<bool> = (0..union.schema.fields().len())
        .map(|index| types(index).any(DataType::is_floating) && types(index).any(is_decimal))
        .collect();
    let inputs = union.inputs.iter().map(|input| {
        let schema = input.schema();
        let there = |index: &usize| floats[*index] && is_decimal(schema.field(*index).data_type());
        if !(0..floats.len()).any(|index| there(&index)) {
            return Ok(Arc::clone(input));
        }
        let columns = schema.columns().into_iter().enumerate().map(|(index, column)| {
            let (relation, name) = (column.relation.clone(), column.name.clone());
            let column = Expr::Column(column);
            if there(&index) { float(column).alias_qualified(relation, name) } else { column }
        });
        let projected = LogicalPlanBuilder::from(input.as_ref().clone()).project(columns)?.build()?;
        Ok(Arc::new(projected))
    });
    let inputs = inputs.collect::<DfResult<Vec<_>>>()?;
    // By name, inputs have been brought into one order already.
    TypeCoercionRewriter::coerce_union(Union::try_new_with_loose_types(inputs)?)
}
