//! NULL in conditions over lists (apache/datafusion#24246).
//!
//! DataFusion's simplifier takes `x NOT IN (10) OR x NOT IN (20)` for true, where it is NULL for a NULL, and
//! `x IN (1) AND x IN (2)` for false; lists of expressions it compares by how they are written. It finds two conditions on
//! one value by the value's equality. So while it works, the columns of each condition have names of their own, and no
//! two conditions meet; afterwards they get their names back.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, DFSchemaRef, Result as DfResult, TableReference};
use datafusion::logical_expr::expr::InList;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::utils::{merge_schema, split_binary_owned};
use datafusion::logical_expr::{BinaryExpr, Expr, LogicalPlan, Operator, Volatility};
use datafusion::optimizer::simplify_expressions::{ExprSimplifier, SimplifyExpressions};
use datafusion::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule};

use super::{long_cases, negation};

/// Name that stands for the qualifier of a column while a condition is kept apart. No query can name it.
const APART: &str = "__condition";

/// Conditions of one expression that were set apart: the columns that stand for others.
#[derive(Debug, Default)]
struct Apart {
    stands_for: HashMap<Column, Column>,
}

/// Simplifies an expression over the columns of `schema`; no condition on a list loses its NULL.
///
/// # Errors
/// An expression that has no value, such as a division of constants by zero.
pub fn simplify(
    expr: Expr,
    schema: &DFSchemaRef,
    context: &impl Fn(DFSchemaRef) -> ExprSimplifier,
) -> DfResult<Transformed<Expr>> {
    let expr = negation::as_difference(long_cases::brought_together(expr)?.data, schema)?.data;
    if !has_conditions_to_part(&expr)? {
        return context(Arc::clone(schema)).simplify_with_cycle_count_transformed(expr).map(|(expr, _)| expr);
    }
    let mut apart = Apart::default();
    let parted = part(expr, &mut apart)?;
    let extended = apart.schema(schema)?;
    let (simplified, _) = context(Arc::new(extended)).simplify_with_cycle_count_transformed(parted)?;
    let joined = simplified.data.transform(|e| {
        Ok(match e {
            Expr::Column(column) => match apart.stands_for.get(&column) {
                Some(original) => Transformed::yes(Expr::Column(original.clone())),
                None => Transformed::no(Expr::Column(column)),
            },
            other => Transformed::no(other),
        })
    })?;
    joined.data.transform_down(merge_alternatives).map(|merged| Transformed::new_transformed(merged.data, true))
}

/// Returns true if an expression holds two different conditions of the kind that the simplifier would combine.
fn has_conditions_to_part(expr: &Expr) -> DfResult<bool> {
    let (mut lists, mut equalities, mut combined) = (0, 0, false);
    expr.apply(|e| {
        match e {
            Expr::InList(_) => lists += 1,
            Expr::BinaryExpr(BinaryExpr { op: Operator::Eq | Operator::NotEq, left, right })
                if is_value(left) || is_value(right) =>
            {
                equalities += 1;
            }
            Expr::BinaryExpr(BinaryExpr { op: Operator::And | Operator::Or, .. }) => combined = true,
            _ => {}
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    // Two lists, or equalities that could become two.
    Ok(combined && (lists > 1 || lists == 1 && equalities > 1 || equalities > 3))
}

fn is_value(expr: &Expr) -> bool {
    match expr {
        Expr::Literal(..) => true,
        Expr::Cast(cast) => is_value(&cast.expr),
        // Arithmetic and casts of constants are such calls until they are folded.
        Expr::ScalarFunction(call) => {
            call.func.signature().volatility == Volatility::Immutable && call.args.iter().all(is_value)
        }
        _ => false,
    }
}

/// Gives the columns of every condition on a list or a value names of their own: the same in equal conditions.
fn part(expr: Expr, apart: &mut Apart) -> DfResult<Expr> {
    let mut conditions: HashMap<Expr, usize> = HashMap::new();
    let parted = expr.transform_down(|e| {
        let value = match &e {
            Expr::InList(list) => (*list.expr).clone(),
            Expr::BinaryExpr(BinaryExpr { op: Operator::Eq | Operator::NotEq, left, right }) => {
                match (is_value(left), is_value(right)) {
                    (false, true) => (**left).clone(),
                    (true, false) => (**right).clone(),
                    _ => return Ok(Transformed::no(e)),
                }
            }
            _ => return Ok(Transformed::no(e)),
        };
        if value.is_volatile() {
            return Ok(Transformed::no(e));
        }
        if !value.any_column_refs() {
            return Ok(one_by_one(e));
        }
        let next = conditions.len();
        let number = *conditions.entry(e.clone()).or_insert(next);
        let renamed = apart.rename(value, number)?;
        let parted = match e {
            Expr::InList(InList { list, negated, .. }) => Expr::InList(InList::new(Box::new(renamed), list, negated)),
            Expr::BinaryExpr(BinaryExpr { op, right, .. }) if is_value(&right) => {
                Expr::BinaryExpr(BinaryExpr::new(Box::new(renamed), op, right))
            }
            Expr::BinaryExpr(BinaryExpr { op, left, .. }) => {
                Expr::BinaryExpr(BinaryExpr::new(left, op, Box::new(renamed)))
            }
            other => other,
        };
        Ok(Transformed::new(parted, true, TreeNodeRecursion::Jump))
    });
    parted.map(|parted| parted.data)
}

/// Writes a list for a constant as comparisons: `5 IN (x, y)` is `5 = x OR 5 = y`.
fn one_by_one(expr: Expr) -> Transformed<Expr> {
    let Expr::InList(InList { expr: value, list, negated }) = expr else { return Transformed::no(expr) };
    let compared = list
        .iter()
        .map(|item| if negated { (*value).clone().not_eq(item.clone()) } else { (*value).clone().eq(item.clone()) });
    let all = if negated { compared.reduce(Expr::and) } else { compared.reduce(Expr::or) };
    all.map_or_else(|| Transformed::no(Expr::InList(InList::new(value, list, negated))), Transformed::yes)
}

impl Apart {
    /// Renames the columns of a value.
    fn rename(&mut self, value: Expr, number: usize) -> DfResult<Expr> {
        let renamed = value.transform(|e| {
            let Expr::Column(original) = e else { return Ok(Transformed::no(e)) };
            let qualifier = original.relation.as_ref().map_or_else(String::new, ToString::to_string);
            let relation = TableReference::partial(format!("{APART}_{number}"), qualifier);
            let column = Column::new(Some(relation), &original.name);
            self.stands_for.insert(column.clone(), original);
            Ok(Transformed::yes(Expr::Column(column)))
        });
        renamed.map(|renamed| renamed.data)
    }

    /// Returns the schema with the columns that stand for others.
    fn schema(&self, schema: &DFSchemaRef) -> DfResult<DFSchema> {
        let mut parted = vec![];
        for (column, original) in &self.stands_for {
            let (_, field) = schema.qualified_field_from_column(original)?;
            parted.push((column.relation.clone(), Arc::clone(field)));
        }
        let mut extended = schema.as_ref().clone();
        extended.merge(&DFSchema::new_with_metadata(parted, HashMap::new())?);
        Ok(extended)
    }
}

/// Alternatives for one column as one list, as the simplifier makes them: `a = 1 OR a IN (2, 3, 4)` is
/// `a IN (1, 2, 3, 4)`. Up to three stay as they are.
#[expect(clippy::unnecessary_wraps, reason = "it is given to transform_down")]
fn merge_alternatives(expr: Expr) -> DfResult<Transformed<Expr>> {
    let Expr::BinaryExpr(BinaryExpr { op: Operator::Or, .. }) = &expr else { return Ok(Transformed::no(expr)) };
    let alternatives = split_binary_owned(expr.clone(), Operator::Or);
    let mut lists: Vec<(Column, Vec<Expr>)> = vec![];
    let mut others = vec![];
    for alternative in alternatives {
        match values_of(&alternative) {
            Some((column, values)) => match lists.iter_mut().find(|(c, _)| *c == column) {
                Some((_, all)) => all.extend(values.into_iter().filter(|v| !all.contains(v)).collect::<Vec<_>>()),
                None => lists.push((column, values)),
            },
            None => others.push(alternative),
        }
    }
    if !lists.iter().any(|(_, values)| values.len() > 3) {
        return Ok(Transformed::no(expr));
    }
    let lists = lists.into_iter().flat_map(|(column, values)| {
        let column = Expr::Column(column);
        if values.len() > 3 {
            vec![column.in_list(values, false)]
        } else {
            values.into_iter().map(|value| column.clone().eq(value)).collect()
        }
    });
    Ok(lists.chain(others).reduce(Expr::or).map_or(Transformed::no(expr), Transformed::yes))
}

fn values_of(expr: &Expr) -> Option<(Column, Vec<Expr>)> {
    match expr {
        Expr::InList(InList { expr, list, negated: false }) => match expr.as_ref() {
            Expr::Column(column) if list.iter().all(|v| matches!(v, Expr::Literal(..))) => {
                Some((column.clone(), list.clone()))
            }
            _ => None,
        },
        Expr::BinaryExpr(BinaryExpr { op: Operator::Eq, left, right }) => match (left.as_ref(), right.as_ref()) {
            (Expr::Column(column), value @ Expr::Literal(..)) | (value @ Expr::Literal(..), Expr::Column(column)) => {
                Some((column.clone(), vec![value.clone()]))
            }
            _ => None,
        },
        _ => None,
    }
}

/// DataFusion's rule of this name, which keeps apart the conditions that it would combine wrong.
#[derive(Debug, Default)]
pub struct SoundSimplifyExpressions(SimplifyExpressions);

impl OptimizerRule for SoundSimplifyExpressions {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        self.0.apply_order()
    }

    fn supports_rewrite(&self) -> bool {
        true
    }

    fn rewrite(&self, plan: LogicalPlan, config: &dyn OptimizerConfig) -> DfResult<Transformed<LogicalPlan>> {
        let conditions = long_cases::in_operator(plan)?;
        let differences = negation::in_operator(conditions.data)?;
        let simplified = self.simplified(differences.data, config)?;
        let changed = conditions.transformed || differences.transformed || simplified.transformed;
        Ok(Transformed::new_transformed(simplified.data, changed))
    }
}

impl SoundSimplifyExpressions {
    fn simplified(&self, plan: LogicalPlan, config: &dyn OptimizerConfig) -> DfResult<Transformed<LogicalPlan>> {
        let mut to_part = false;
        plan.apply_expressions(|expr| {
            to_part |= has_conditions_to_part(expr)?;
            Ok(TreeNodeRecursion::Continue)
        })?;
        if !to_part {
            return self.0.rewrite(plan, config);
        }
        let schema = match &plan {
            LogicalPlan::TableScan(scan) => {
                DFSchema::try_from_qualified_schema(scan.table_name.clone(), &scan.source.schema())?
            }
            other if other.inputs().is_empty() => DFSchema::empty(),
            other => merge_schema(&other.inputs()),
        };
        let schema = Arc::new(schema);
        let canonical = !matches!(plan, LogicalPlan::Join(_));
        let context = |schema: DFSchemaRef| {
            let info = SimplifyContext::builder()
                .with_schema(schema)
                .with_config_options(config.options())
                .with_query_execution_start_time(config.query_execution_start_time())
                .build();
            ExprSimplifier::new(info).with_canonicalize(canonical)
        };
        let names = NamePreserver::new(&plan);
        let mut simplified = |expr: Expr| {
            let name = names.save(&expr);
            let before = expr.clone();
            let simplified = match expr {
                // DataFusion's rule rewrites the aggregate itself; its arguments are simplified here.
                Expr::AggregateFunction(_) => expr.map_children(|child| simplify(child, &schema, &context))?,
                other => simplify(other, &schema, &context)?,
            };
            let changed = simplified.data != before;
            Ok(Transformed::new_transformed(name.restore(simplified.data), changed))
        };
        plan.map_expressions(|expr| match expr {
            Expr::GroupingSet(_) | Expr::Alias(_) => expr.map_children(&mut simplified),
            other => simplified(other),
        })
    }
}
