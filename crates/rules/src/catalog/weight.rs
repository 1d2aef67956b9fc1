//! A bound on the work of planning.
//!
//! A short text can be long to plan. The engine writes a value twice where `coalesce`, BETWEEN or a short list is written in
//! other terms, puts the expressions of a derived table in place of its columns, plans a WITH query again for each reference,
//! and looks at both branches of a CASE anew for each level around it: with each level of nesting a query grows by a factor,
//! and thirty levels fit into a kilobyte. Nothing ends such work once it has begun. So it is estimated, first on
//! the statement and then, with what is put in place of columns, on the plan that was made of it, before any rule has touched
//! that. A query that is too heavy is refused.
//!
//! The estimates count the parts of all expressions, each as often as it may be written by the end. They are right within a
//! small factor, and the bound is far above what people write.

use std::ops::ControlFlow;
use std::sync::Arc;

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchemaRef};
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::sql::sqlparser::ast::{Expr as SqlExpr, Statement, Visit, Visitor};
use wanqu_model::refusal::{Code, Refusal};

use crate::workarounds::cast_by_name;

/// The most parts of a query's expressions, once they are written out.
const MOST: u64 = 10_000;

/// Literals in a list, or values of VALUES, that count as one part: they are neither rewritten nor looked at together.
const LITERALS: u64 = 16;

/// The longest list that the engine writes as comparisons of its value.
const SHORT_LIST: usize = 3;

/// Functions that are written as a CASE which tests and gives each argument.
const AS_CASE: [&str; 4] = ["coalesce", "nvl", "ifnull", "nvl2"];

fn too_heavy() -> Refusal {
    Refusal::new(Code::Limit, "the query is too complex to plan")
        .with_rule(format!(
            "written out, the expressions of a query have at most {MOST} parts; a value is written again by each \
             coalesce, BETWEEN and CASE around it, and by each use of a WITH query or a derived table's column"
        ))
        .with_subject("nested expressions")
        .with_remedy(
            "nest less: one coalesce with several arguments, one CASE with several WHENs, IN with a list, a public \
             table in place of a long CASE, fewer references to WITH queries",
        )
}

/// Refuses a statement of which an expression would take too long to plan.
///
/// # Errors
/// [`Code::Limit`] with the bound and the remedy.
pub(super) fn check_statement(statement: &Statement) -> Result<(), Refusal> {
    match statement.visit(&mut StatementWeight::default()) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(too_heavy()),
    }
}

/// Parts of the expressions of a statement.
#[derive(Default)]
struct StatementWeight {
    /// Parts within each expression that is being walked over, the innermost last.
    open: Vec<u64>,
    total: u64,
    /// Literals that stand alone, as in VALUES.
    literals: u64,
}

impl Visitor for StatementWeight {
    type Break = ();

    fn pre_visit_expr(&mut self, _: &SqlExpr) -> ControlFlow<()> {
        self.open.push(0);
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &SqlExpr) -> ControlFlow<()> {
        let within = self.open.pop().unwrap_or(0);
        let parts = parts_of(expr, within);
        match self.open.last_mut() {
            Some(outer) => *outer = outer.saturating_add(parts),
            None if matches!(expr, SqlExpr::Value(_)) => self.literals += 1,
            None => self.total = self.total.saturating_add(parts),
        }
        let all = self.total.saturating_add(self.literals / LITERALS);
        if parts > MOST || all > MOST { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

/// Returns the parts of an expression with so many parts within it.
fn parts_of(expr: &SqlExpr, within: u64) -> u64 {
    let all = within.saturating_add(1);
    match expr {
        SqlExpr::Nested(_) => within.max(1),
        SqlExpr::Case { .. } | SqlExpr::Between { .. } => all.saturating_mul(2),
        SqlExpr::Function(call) => {
            let name = call.name.0.last().and_then(|part| part.as_ident());
            let grows = name.is_some_and(|name| AS_CASE.contains(&&*name.value.to_lowercase()));
            if grows { all.saturating_mul(4) } else { all }
        }
        SqlExpr::InList { list, .. } if list.len() <= SHORT_LIST => all.saturating_mul(list.len().max(1) as u64),
        SqlExpr::InList { list, .. } => {
            let literals: u64 = list.iter().filter_map(parts_of_sql_literal).sum();
            all.saturating_sub(literals).saturating_add(literals.div_ceil(LITERALS))
        }
        _ => all,
    }
}

/// Returns the parts of a literal, with the casts and signs around it as fragments have them; `None` for another expression.
fn parts_of_sql_literal(expr: &SqlExpr) -> Option<u64> {
    match expr {
        SqlExpr::Value(_) | SqlExpr::TypedString { .. } => Some(1),
        SqlExpr::Nested(expr) => parts_of_sql_literal(expr),
        SqlExpr::Cast { expr, .. } | SqlExpr::UnaryOp { expr, .. } => parts_of_sql_literal(expr).map(|parts| parts + 1),
        _ => None,
    }
}

/// Returns the parts of a literal in a plan, likewise.
fn parts_of_literal(expr: &Expr) -> Option<u64> {
    match expr {
        Expr::Literal(..) => Some(1),
        Expr::Cast(cast) => parts_of_literal(&cast.expr).map(|parts| parts + 1),
        Expr::TryCast(cast) => parts_of_literal(&cast.expr).map(|parts| parts + 1),
        Expr::Negative(expr) => parts_of_literal(expr).map(|parts| parts + 1),
        other => cast_by_name(other).and_then(parts_of_literal).map(|parts| parts + 1),
    }
}

/// Refuses a plan that would take too long to go on with.
///
/// # Errors
/// [`Code::Limit`] with the bound and the remedy.
pub(super) fn check_plan(plan: &LogicalPlan) -> Result<(), Refusal> {
    match (Weight { total: 0 }).of_plan(plan) {
        Some(_) => Ok(()),
        None => Err(too_heavy()),
    }
}

/// Parts counted so far.
struct Weight {
    total: u64,
}

impl Weight {
    /// Adds parts; `None` if there are too many.
    fn add(&mut self, parts: u64) -> Option<()> {
        self.total = self.total.saturating_add(parts);
        (self.total <= MOST).then_some(())
    }

    /// Adds the parts of a plan. Returns, for each of its columns, the parts of the expression that may be put in its place.
    fn of_plan(&mut self, plan: &LogicalPlan) -> Option<Vec<u64>> {
        self.add(1)?;
        let mut columns = Vec::new();
        for input in plan.inputs() {
            columns.push(self.of_plan(input)?);
        }
        let schema = match &plan.inputs()[..] {
            [input] => Arc::clone(input.schema()),
            inputs => Arc::new(merge_schema(inputs)),
        };
        let before = Columns { schema, parts: columns.iter().flatten().copied().collect() };
        let mut expressions = Vec::new();
        plan.apply_expressions(|expr| {
            expressions.push(expr.clone());
            Ok(TreeNodeRecursion::Continue)
        })
        .ok()?;
        let mut parts = Vec::with_capacity(expressions.len());
        for expr in &expressions {
            let weight = before.of(expr, self)?;
            if !matches!(plan, LogicalPlan::Values(_)) {
                self.add(weight)?;
            }
            parts.push(weight);
        }
        if matches!(plan, LogicalPlan::Values(_)) {
            self.add(parts.iter().fold(0_u64, |all, part| all.saturating_add(*part)).div_ceil(LITERALS))?;
        }
        let width = plan.schema().fields().len();
        Some(match plan {
            LogicalPlan::Projection(_) => parts,
            LogicalPlan::Filter(_)
            | LogicalPlan::Sort(_)
            | LogicalPlan::Limit(_)
            | LogicalPlan::Distinct(_)
            | LogicalPlan::SubqueryAlias(_)
            | LogicalPlan::Join(_)
            | LogicalPlan::Repartition(_)
                if before.parts.len() == width =>
            {
                before.parts
            }
            LogicalPlan::Union(_) => (0..width)
                .map(|index| columns.iter().filter_map(|input| input.get(index)).copied().max().unwrap_or(1))
                .collect(),
            // Keys of groups are expressions that conditions above are moved below.
            LogicalPlan::Aggregate(_) => parts.into_iter().chain(std::iter::repeat(1)).take(width).collect(),
            LogicalPlan::Window(_) => before.parts.into_iter().chain(std::iter::repeat(1)).take(width).collect(),
            _ => vec![1; width],
        })
    }
}

/// Columns that the expressions of an operator are over.
struct Columns {
    schema: DFSchemaRef,
    /// For each column, the parts of what may be put in its place.
    parts: Vec<u64>,
}

impl Columns {
    /// Returns the parts of an expression; `None` if a subquery in it has too many.
    fn of(&self, expr: &Expr, weight: &mut Weight) -> Option<u64> {
        let mut children = Vec::new();
        expr.apply_children(|child| {
            children.push(child);
            Ok(TreeNodeRecursion::Continue)
        })
        .ok()?;
        let mut parts = Vec::with_capacity(children.len());
        for child in children {
            parts.push(self.of(child, weight)?);
        }
        let all = parts.iter().fold(1_u64, |all, parts| all.saturating_add(*parts));
        let first = parts.first().copied().unwrap_or(0);
        Some(match expr {
            Expr::Column(column) => self.of_column(column),
            Expr::Case(_) => all.saturating_mul(2),
            Expr::ScalarFunction(call) if AS_CASE.contains(&call.name()) => all.saturating_mul(4),
            Expr::Between(_) => all.saturating_add(first),
            Expr::InList(list) if list.list.len() <= SHORT_LIST => {
                all.saturating_add(first.saturating_mul(list.list.len() as u64))
            }
            Expr::InList(list) => {
                let literals: u64 = list.list.iter().filter_map(parts_of_literal).sum();
                all.saturating_sub(literals).saturating_add(literals.div_ceil(LITERALS))
            }
            Expr::ScalarSubquery(subquery) => {
                weight.of_plan(&subquery.subquery)?;
                all
            }
            Expr::Exists(exists) => {
                weight.of_plan(&exists.subquery.subquery)?;
                all
            }
            Expr::InSubquery(member) => {
                weight.of_plan(&member.subquery.subquery)?;
                all
            }
            Expr::SetComparison(comparison) => {
                weight.of_plan(&comparison.subquery.subquery)?;
                all
            }
            _ => all,
        })
    }

    fn of_column(&self, column: &Column) -> u64 {
        let index = self.schema.maybe_index_of_column(column);
        index.and_then(|index| self.parts.get(index)).copied().unwrap_or(1).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admission::testing::{bundle, shenzhen};
    use crate::catalog::Catalog;

    /// Returns `levels` applications of a text with `@` in place of what it is applied to.
    fn nested(form: &str, levels: usize) -> String {
        (0..levels).fold("v.tests".to_owned(), |inner, _| form.replace('@', &inner))
    }

    fn planned(sql: &str) -> Result<LogicalPlan, Refusal> {
        let bundle = bundle();
        Catalog::owner(&bundle, &shenzhen()).plan(sql, 1 << 20)
    }

    fn selected(value: &str) -> Result<LogicalPlan, Refusal> {
        planned(&format!("SELECT {value} AS x FROM shenzhen.health.visits v"))
    }

    fn too_heavy(outcome: Result<LogicalPlan, Refusal>, what: &str) {
        let refusal = outcome.map(|_| what).expect_err(what);
        assert_eq!(refusal.code, Code::Limit, "{what}: {refusal}");
        assert!(refusal.remedy.is_some(), "{what}: {refusal}");
    }

    #[test]
    fn what_people_nest_is_planned() {
        for value in [
            nested("coalesce(nullif(@, 1), 2)", 3),
            nested("CASE WHEN v.age > 3 THEN 1 ELSE @ END", 8),
            nested("CAST((@ BETWEEN 1 AND 9) AS INT)", 6),
            format!(
                "CASE {} END",
                (0..200).map(|i| format!("WHEN v.tests = {i} THEN {i}")).collect::<Vec<_>>().join(" ")
            ),
            vec!["v.tests"; 200].join(" + "),
        ] {
            selected(&value).unwrap_or_else(|refusal| panic!("{value}: {refusal}"));
        }
        let items: Vec<String> = (0..10_000).map(|i| i.to_string()).collect();
        let list = format!("SELECT count(*) FROM shenzhen.health.visits v WHERE v.tests IN ({})", items.join(", "));
        planned(&list).unwrap();
    }

    #[test]
    fn what_grows_with_each_level_is_refused_before_it_is_planned() {
        for form in [
            "coalesce(nullif(@, 1), 2)",
            "abs(coalesce(@, 1))",
            "CASE WHEN @ > 3 THEN 1 ELSE 2 END",
            "CASE WHEN v.age > 3 THEN nullif(@, 1) ELSE 2 END",
            "CASE @ WHEN 1 THEN 2 ELSE 3 END",
            "CAST((@ BETWEEN 1 AND 9) AS INT)",
            "CAST((@ IN (1, 2, 3)) AS INT)",
            "nvl(@, 1)",
        ] {
            too_heavy(selected(&nested(form, 20)), form);
        }
    }

    #[test]
    fn tables_that_double_are_refused() {
        let mut with = "WITH a0 AS (SELECT v.tests FROM shenzhen.health.visits v)".to_owned();
        for level in 1..=30 {
            with += &format!(", a{level} AS (SELECT x.tests FROM a{0} x CROSS JOIN a{0} y)", level - 1);
        }
        too_heavy(planned(&format!("{with} SELECT count(*) FROM a30")), "WITH");
        let table = (0..16).fold("shenzhen.health.visits".to_owned(), |table, _| {
            format!("(SELECT v.tests + v.tests AS tests, v.age FROM {table} v)")
        });
        too_heavy(planned(&format!("SELECT v.age FROM {table} v WHERE v.tests > 5")), "derived tables");
    }

    #[test]
    fn long_chains_are_refused_or_planned() {
        for form in [" OR ", " AND "] {
            let terms: Vec<String> = (0..150).map(|i| format!("v.tests = {i} + v.age")).collect();
            planned(&format!("SELECT count(*) FROM shenzhen.health.visits v WHERE {}", terms.join(form))).unwrap();
        }
        for form in [" OR ", " AND "] {
            let terms: Vec<String> = (0..10_000).map(|i| format!("v.tests = {i} + v.age")).collect();
            let sql = format!("SELECT count(*) FROM shenzhen.health.visits v WHERE {}", terms.join(form));
            too_heavy(planned(&sql), form);
        }
        too_heavy(selected(&format!("v.tests{}", "::int".repeat(600))), "casts");
        let aggregates: Vec<String> = (0..1_500).map(|i| format!("sum(v.tests + {i}) AS a{i}")).collect();
        too_heavy(planned(&format!("SELECT {} FROM shenzhen.health.visits v", aggregates.join(", "))), "aggregates");
        let brackets = format!("{}v.tests{}", "(".repeat(2_000), ")".repeat(2_000));
        assert!(selected(&brackets).is_err());
        let between = nested("CAST((@ BETWEEN SYMMETRIC 1 AND 9) AS INT)", 8);
        assert!(selected(&between).is_err());
    }
}
