//! Aggregates that differ by a cast alone: `avg(x)` beside `avg(CAST(x AS DOUBLE))` (kind of apache/datafusion#15032).
//!
//! DataFusion calls a cast by the name of what it casts, so that the two have one name, which no plan can hold. Here the
//! second gets a condition that is always true, `FILTER (WHERE 1 = 1)`, which is part of its name, and is taken away again
//! once the plan is there.

use std::collections::HashMap;
use std::ops::ControlFlow;

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Result as DfResult, ScalarValue};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr as SqlExpr, Function, Statement, Value, Visit, VisitMut, Visitor, VisitorMut,
};

/// Gives aggregates that differ by casts alone names of their own. `is_aggregate` knows the functions.
pub fn tell_apart(statement: &mut Statement, is_aggregate: impl Fn(&str) -> bool) {
    let mut calls = Calls { is_aggregate: &is_aggregate, by_bare_text: HashMap::new() };
    let _ = Visit::visit(&*statement, &mut calls);
    calls.by_bare_text.retain(|_, texts| texts.len() > 1);
    if !calls.by_bare_text.is_empty() {
        let _ = VisitMut::visit(statement, &mut calls);
    }
}

/// Calls of aggregates by their text without casts: each text once, in the order in which they stand.
struct Calls<'f> {
    is_aggregate: &'f dyn Fn(&str) -> bool,
    by_bare_text: HashMap<String, Vec<String>>,
}

impl Calls<'_> {
    fn is_aggregate(&self, function: &Function) -> bool {
        function.over.is_none() && (self.is_aggregate)(&function.name.to_string().to_lowercase())
    }
}

impl Visitor for Calls<'_> {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &SqlExpr) -> ControlFlow<()> {
        if let SqlExpr::Function(function) = expr
            && self.is_aggregate(function)
        {
            let (bare, text) = (bare_text(expr), expr.to_string());
            let texts = self.by_bare_text.entry(bare).or_default();
            if !texts.contains(&text) {
                texts.push(text);
            }
        }
        ControlFlow::Continue(())
    }
}

impl VisitorMut for Calls<'_> {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &mut SqlExpr) -> ControlFlow<()> {
        let (bare, text) = match expr {
            SqlExpr::Function(function) if self.is_aggregate(function) => (bare_text(expr), expr.to_string()),
            _ => return ControlFlow::Continue(()),
        };
        let index = self.by_bare_text.get(&bare).and_then(|texts| texts.iter().position(|t| *t == text)).unwrap_or(0);
        let SqlExpr::Function(function) = expr else { return ControlFlow::Continue(()) };
        if index > 0 {
            let number = || Box::new(SqlExpr::value(Value::Number(index.to_string(), false)));
            let always = SqlExpr::BinaryOp { left: number(), op: BinaryOperator::Eq, right: number() };
            function.filter = Some(Box::new(match function.filter.take() {
                None => always,
                Some(filter) => SqlExpr::BinaryOp {
                    left: Box::new(SqlExpr::Nested(filter)),
                    op: BinaryOperator::And,
                    right: Box::new(always),
                },
            }));
        }
        ControlFlow::Continue(())
    }
}

/// Returns the text of an expression without its casts, in lower case.
fn bare_text(expr: &SqlExpr) -> String {
    struct Bare;
    impl VisitorMut for Bare {
        type Break = ();

        fn post_visit_expr(&mut self, expr: &mut SqlExpr) -> ControlFlow<()> {
            while let SqlExpr::Cast { expr: inner, .. } | SqlExpr::Nested(inner) = expr {
                *expr = (**inner).clone();
            }
            ControlFlow::Continue(())
        }
    }
    let mut bare = expr.clone();
    let _ = VisitMut::visit(&mut bare, &mut Bare);
    bare.to_string().to_lowercase()
}

/// Takes the conditions away that are always true. Constants have been folded.
pub fn without_true_filters(plan: LogicalPlan) -> DfResult<LogicalPlan> {
    let stripped = plan.transform_up_with_subqueries(|node| {
        let LogicalPlan::Aggregate(aggregate) = &node else { return Ok(Transformed::no(node)) };
        if !aggregate.aggr_expr.iter().any(is_filtered_by_true) {
            return Ok(Transformed::no(node));
        }
        let names = NamePreserver::new(&node);
        node.map_expressions(|expr| {
            if !is_filtered_by_true(&expr) {
                return Ok(Transformed::no(expr));
            }
            let name = names.save(&expr);
            let stripped = expr.transform(|e| {
                Ok(match e {
                    Expr::AggregateFunction(mut function) => {
                        function.params.filter = None;
                        Transformed::yes(Expr::AggregateFunction(function))
                    }
                    other => Transformed::no(other),
                })
            })?;
            Ok(Transformed::yes(name.restore(stripped.data)))
        })
    });
    stripped.map(|stripped| stripped.data)
}

fn is_filtered_by_true(expr: &Expr) -> bool {
    match expr {
        Expr::Alias(alias) => is_filtered_by_true(&alias.expr),
        Expr::AggregateFunction(function) => function
            .params
            .filter
            .as_ref()
            .is_some_and(|filter| matches!(filter.as_ref(), Expr::Literal(ScalarValue::Boolean(Some(true)), _))),
        _ => false,
    }
}
