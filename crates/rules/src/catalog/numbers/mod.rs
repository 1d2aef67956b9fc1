//! Types where decimals meet other numbers: numbers as they are written, and columns.
//!
//! A number written with a point is a decimal of its own digits, as in PostgreSQL and DuckDB. The engine's rules for decimals
//! beside other types lose digits without a word: a decimal and a float are compared as decimals of 15 digits after the
//! point, two decimals as one of 38 digits that may not hold both, the average of a decimal has four digits more than its
//! values, a quotient four more than its dividend. So before the engine's rules see a plan, operands are given types that
//! keep every value:
//!
//! | operands | here |
//! |---|---|
//! | a decimal and a float, in arithmetic, compared, or as values of one CASE or column | floats |
//! | decimals and integers compared that 38 digits do not hold | up to 76 digits |
//! | a quotient with a written number in it; an average or other statistic of one | floats, as DuckDB has it |
//! | a function that is not on a list of those that are exact for decimals | floats, for written numbers |
//! | a text compared with a decimal, if the text is a literal number | a decimal of its own digits |
//!
//! Written numbers are followed through arithmetic, CASE and derived tables, so that a query means the same with its parts
//! in a WITH; a CAST to a decimal ends that. Fragments have a CAST around every decimal, so that an owner's plan of one does
//! not depend on this.
//!
//! The plan is coerced on the way, from the leaves up, since the engine's own rules decide what is below.

mod nodes;
mod operands;
mod written;

use std::cell::RefCell;
use std::collections::HashSet;
use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion, TreeNodeRewriter};
use datafusion::common::{Column, DFSchema, ExprSchema as _, Result as DfResult};
use datafusion::logical_expr::expr::{Exists, InSubquery, SetComparison};
use datafusion::logical_expr::{Expr, LogicalPlan, Subquery};
use datafusion::optimizer::analyzer::type_coercion::TypeCoercionRewriter;

use crate::expressions::schema_of;

/// Returns the plan with operands of types that keep every value. Its types are coerced.
///
/// # Errors
/// A type that does not fit, or the refusal of what has no type that keeps its values.
pub(super) fn settled(plan: LogicalPlan) -> DfResult<LogicalPlan> {
    if !has_decimals(&plan)? {
        return Ok(plan);
    }
    Walk::default().plan(plan, &[])
}

/// Returns the expression over these columns with operands of types that keep every value.
///
/// # Errors
/// As [`settled`].
pub(super) fn settled_expr(expr: Expr, columns: &DFSchema) -> DfResult<Expr> {
    // The engine's coercion knows no UNNEST; who takes the expression refuses it.
    if expr.exists(|part| Ok(matches!(part, Expr::Unnest(_))))? {
        return Ok(expr);
    }
    Walk::default().expr(expr, columns, &[])
}

fn is_decimal(data_type: &DataType) -> bool {
    data_type.is_decimal()
}

/// Returns true if a decimal is anywhere in the plan.
fn has_decimals(plan: &LogicalPlan) -> DfResult<bool> {
    let mut found = false;
    plan.apply_with_subqueries(|node| {
        found |= node.schema().fields().iter().any(|field| is_decimal(field.data_type()));
        node.apply_expressions(|expr| {
            found |= expr.exists(|part| {
                Ok(match part {
                    Expr::Literal(value, _) => is_decimal(&value.data_type()),
                    Expr::Cast(cast) => is_decimal(cast.field.data_type()),
                    Expr::TryCast(cast) => is_decimal(cast.field.data_type()),
                    _ => false,
                })
            })?;
            Ok(TreeNodeRecursion::Continue)
        })?;
        Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    Ok(found)
}

/// Walk over a plan from its leaves up, with the columns and casts that have been found to be written numbers.
#[derive(Default)]
struct Walk {
    /// Columns that are computed with numbers as they are written.
    written: RefCell<HashSet<Column>>,
    /// Casts of such values that the engine's rules made: a CAST of the query's own ends what is followed.
    coerced: RefCell<HashSet<Expr>>,
}

impl Walk {
    /// Settles a plan, which may refer to columns of the queries around it: `outer`, the nearest last.
    fn plan(&self, plan: LogicalPlan, outer: &[&DFSchema]) -> DfResult<LogicalPlan> {
        let whole = plan.transform_up(|node| {
            let node = self.node(node, outer)?;
            self.note(&node)?;
            Ok(Transformed::yes(node))
        });
        whole.map(|whole| whole.data)
    }

    fn expr(&self, expr: Expr, columns: &DFSchema, outer: &[&DFSchema]) -> DfResult<Expr> {
        let whole = expr.transform_up(|part| {
            let part = self.with_subquery(part, columns, outer)?;
            let part = self.operands(part, columns)?;
            self.coerced(part, columns).map(Transformed::yes)
        });
        whole.map(|whole| whole.data)
    }

    /// Applies the engine's rules to the operands of a part.
    fn coerced(&self, part: Expr, columns: &DFSchema) -> DfResult<Expr> {
        let mut casts = vec![];
        part.apply_children(|child| {
            if matches!(child, Expr::Cast(_)) {
                casts.push(child.clone());
            }
            Ok(TreeNodeRecursion::Continue)
        })?;
        let part = TypeCoercionRewriter::new(columns).f_up(part)?.data;
        part.apply_children(|child| {
            if let Expr::Cast(cast) = child
                && is_decimal(cast.field.data_type())
                && self.is_written(&cast.expr)
                && !casts.contains(child)
            {
                self.coerced.borrow_mut().insert(child.clone());
            }
            Ok(TreeNodeRecursion::Continue)
        })?;
        Ok(part)
    }

    /// Settles the subquery of a part, and the type of a column of a query around it.
    fn with_subquery(&self, part: Expr, columns: &DFSchema, outer: &[&DFSchema]) -> DfResult<Expr> {
        let within = |subquery: Subquery| {
            let around: Vec<&DFSchema> = outer.iter().copied().chain([columns]).collect();
            let outer_ref_columns = subquery.outer_ref_columns.into_iter().map(|column| outer_column(column, &around));
            Ok::<_, datafusion::error::DataFusionError>(Subquery {
                outer_ref_columns: outer_ref_columns.collect(),
                subquery: Arc::new(self.plan(Arc::unwrap_or_clone(subquery.subquery), &around)?),
                spans: subquery.spans,
            })
        };
        Ok(match part {
            Expr::ScalarSubquery(subquery) => Expr::ScalarSubquery(within(subquery)?),
            Expr::Exists(Exists { subquery, negated }) => Expr::Exists(Exists { subquery: within(subquery)?, negated }),
            Expr::InSubquery(InSubquery { expr, subquery, negated }) => {
                let (expr, subquery) = self.compared_with(*expr, within(subquery)?, columns)?;
                Expr::InSubquery(InSubquery { expr: Box::new(expr), subquery, negated })
            }
            Expr::SetComparison(SetComparison { expr, subquery, op, quantifier }) => {
                let (expr, subquery) = self.compared_with(*expr, within(subquery)?, columns)?;
                Expr::SetComparison(SetComparison { expr: Box::new(expr), subquery, op, quantifier })
            }
            column @ Expr::OuterReferenceColumn(..) => outer_column(column, outer),
            other => other,
        })
    }

    /// Returns true if a value is computed with a number as it is written, so that its digits are no statement of a type.
    fn is_written(&self, expr: &Expr) -> bool {
        written::is_written(expr, &self.written.borrow(), &self.coerced.borrow())
    }

    /// Takes down which columns of a node are computed with written numbers.
    fn note(&self, node: &LogicalPlan) -> DfResult<()> {
        let columns = written::columns(node, |expr| self.is_written(expr))?;
        self.written.borrow_mut().extend(columns);
        Ok(())
    }

    /// Settles the expressions of a node whose inputs are settled.
    fn expressions(&self, node: LogicalPlan, outer: &[&DFSchema]) -> DfResult<LogicalPlan> {
        let (schema, names) = (schema_of(&node)?, datafusion::logical_expr::expr_rewriter::NamePreserver::new(&node));
        let mut one = |expr: Expr| {
            let name = names.save(&expr);
            Ok(Transformed::yes(name.restore(self.expr(expr, &schema, outer)?)))
        };
        let whole = node.map_expressions(|expr| match expr {
            // A grouping set has no name; its keys have.
            Expr::GroupingSet(_) => expr.map_children(&mut one),
            other => one(other),
        });
        whole.map(|whole| whole.data)
    }
}

/// Returns a column of a query around with the type that it has there by now.
fn outer_column(expr: Expr, outer: &[&DFSchema]) -> Expr {
    let Expr::OuterReferenceColumn(field, column) = expr else { return expr };
    let found = outer.iter().rev().find_map(|schema| schema.field_from_column(&column).ok());
    let data_type = found.map_or_else(|| field.data_type().clone(), |found| found.data_type().clone());
    Expr::OuterReferenceColumn(Arc::new(field.as_ref().clone().with_data_type(data_type)), column)
}
