//! Normal forms of plans: whether two plans ask the same question.
//!
//! The plan that a text was made of has been optimised; the plan that its reader makes of it has not. They differ in names, in
//! the places of filters and projections, and in the order of terms. A normal form leaves these out and keeps all that
//! decides the meaning:
//!
//! - a column is the table that it comes from, by its number within the plan, and its name there; a computed column is its
//!   expression over these. Projections and aliases are gone;
//! - filters lie as high as they may: above the joins that keep the rows of their side;
//! - terms of AND and OR are sets; comparisons have their sides in one order; casts between kinds of text are gone;
//! - everything else, operators, functions, types, values, kinds of joins, keys of groups and orders, limits, is there.
//!
//! Normal forms are built from the plans alone. Nothing here knows how the text was written.

mod expression;
mod literal;
mod relation;

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{
    Column, DFSchema, DFSchemaRef, DataFusionError, ExprSchema, Result as DfResult, TableReference, plan_err,
};
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::utils::split_binary_owned;
use datafusion::logical_expr::{BinaryExpr, Expr, LogicalPlan, Operator, TableScan};
use datafusion::optimizer::simplify_expressions::ExprSimplifier;

use super::analysis::coerced;
use super::planning_state;
use crate::functions;
use crate::workarounds::in_lists;
use literal::type_form;
pub(crate) use relation::is_unconditional;

/// Returns true if `read` asks what `meant` asks: the same rows, with the same columns in the same order. Names of columns
/// are not compared; nor are columns if `meant` has none, since a SELECT has at least one. `table` names the table of a
/// scan as the reader knows it.
///
/// # Errors
/// If either plan has a part without a normal form, which decides nothing about the other.
pub(crate) fn ask_the_same(
    meant: &LogicalPlan,
    read: &LogicalPlan,
    table: &dyn Fn(&TableScan) -> Option<String>,
) -> DfResult<bool> {
    let equal = |meant: &LogicalPlan, simplify: bool| {
        let mut numbers = Numbers::default();
        let mut form = |plan: &LogicalPlan| Reading::new(&mut numbers, simplify, table).question(plan);
        let (meant, read) = (form(meant)?, form(read)?);
        Ok::<_, DataFusionError>(meant.rows == read.rows && (meant.columns.is_empty() || meant.columns == read.columns))
    };
    if equal(meant, false).is_ok_and(|same| same) {
        return Ok(true);
    }
    // Expressions that were put together after planning have neither coerced types nor folded constants; the reader's plan has.
    let meant = coerced(meant.clone()).unwrap_or_else(|_| meant.clone());
    Ok(equal(&meant, false)? || equal(&meant, true)?)
}

/// The most passes of the simplifier over one expression.
const MOST_PASSES: usize = 4;

/// Normal form of a whole plan.
struct Question {
    rows: String,
    /// Expression and type of each column.
    columns: Vec<(String, String)>,
}

/// Numbers that stand for long forms, so that a form is as long as its plan. Both plans of a comparison share them.
#[derive(Default)]
struct Numbers(HashMap<String, usize>);

impl Numbers {
    fn of(&mut self, form: String) -> usize {
        let next = self.0.len();
        *self.0.entry(form).or_insert(next)
    }
}

/// Columns of normal forms, by what they are called there.
#[derive(Debug, Default)]
struct Types(HashMap<Column, FieldRef>);

impl ExprSchema for Types {
    fn field_from_column(&self, column: &Column) -> DfResult<&FieldRef> {
        if let Some(field) = self.0.get(column) { Ok(field) } else { plan_err!("a normal form has no column {column}") }
    }
}

/// Plan in the course of being brought into its normal form.
struct Reading<'a> {
    numbers: &'a mut Numbers,
    simplify: bool,
    table: &'a dyn Fn(&TableScan) -> Option<String>,
    types: Types,
    /// Tables, groupings and outer joins that have been met.
    met: usize,
}

impl<'a> Reading<'a> {
    fn new(numbers: &'a mut Numbers, simplify: bool, table: &'a dyn Fn(&TableScan) -> Option<String>) -> Self {
        Self { numbers, simplify, table, types: Types::default(), met: 0 }
    }

    fn question(&mut self, plan: &LogicalPlan) -> DfResult<Question> {
        let relation = self.relation(plan)?;
        let types = plan.schema().fields().iter().map(|field| type_form(field.data_type()));
        let forms = relation.columns.iter().map(|column| self.form(column.clone())).collect::<DfResult<Vec<_>>>()?;
        Ok(Question { rows: self.closed(relation), columns: forms.into_iter().zip(types).collect() })
    }

    /// Returns the normal form of a subquery that names nothing outside of it.
    fn subquery(&mut self, plan: &LogicalPlan) -> DfResult<String> {
        let Question { rows, columns } = Reading::new(self.numbers, self.simplify, self.table).question(plan)?;
        Ok(format!("({rows} {columns:?})"))
    }

    /// Returns the number of the next table, grouping or outer join.
    fn next(&mut self) -> usize {
        self.met += 1;
        self.met
    }

    /// Returns a column of the normal form. Over NULL, every column may be NULL.
    fn column(&mut self, kind: &str, name: String, data_type: &DataType) -> Expr {
        let column = Column::new(Some(TableReference::bare(kind)), name);
        self.types
            .0
            .entry(column.clone())
            .or_insert_with(|| Arc::new(Field::new(&column.name, data_type.clone(), true)));
        Expr::Column(column)
    }

    /// Returns the form of an expression over columns of the normal form.
    fn form(&self, expr: Expr) -> DfResult<String> {
        let expr = if self.simplify { self.simplified(expr)? } else { expr };
        expression::form(&expr, &self.types)
    }

    /// Returns the expression in as simple a form as it gets: simplified once, it may be simplified again.
    fn simplified(&self, expr: Expr) -> DfResult<Expr> {
        // The columns of this expression alone: a plan may have thousands.
        let read = expr.column_refs().into_iter().filter_map(|column| self.types.0.get_key_value(column));
        let columns = read.map(|(column, field)| (column.relation.clone(), Arc::clone(field)));
        let schema = Arc::new(DFSchema::new_with_metadata(columns.collect(), HashMap::new())?);
        let simplifier = |schema: DFSchemaRef| {
            let options = Arc::clone(planning_state().config_options());
            ExprSimplifier::new(SimplifyContext::builder().with_schema(schema).with_config_options(options).build())
        };
        let simplified = |expr: Expr| in_lists::simplify(expr, &schema, &simplifier);
        functions::kept_right_expr(expr, &schema, |mut expr| {
            for _ in 0..MOST_PASSES {
                let simpler = super::fold::fold(left_deep(expr.clone())?, &simplified)?.data;
                if simpler == expr {
                    break;
                }
                expr = simpler;
            }
            Ok(expr)
        })
    }
}

/// Returns the expression with its chains of AND and OR from left to right, as they are read: how far the simplifier gets
/// depends on it.
fn left_deep(expr: Expr) -> DfResult<Expr> {
    let whole = expr.transform_up(|part| {
        let op = match &part {
            Expr::BinaryExpr(BinaryExpr { op: op @ (Operator::And | Operator::Or), .. }) => *op,
            _ => return Ok(Transformed::no(part)),
        };
        let join = |left: Expr, right: Expr| Expr::BinaryExpr(BinaryExpr::new(Box::new(left), op, Box::new(right)));
        if let Some(chain) = split_binary_owned(part, op).into_iter().reduce(join) {
            Ok(Transformed::yes(chain))
        } else {
            plan_err!("a chain has terms")
        }
    });
    whole.map(|whole| whole.data)
}
