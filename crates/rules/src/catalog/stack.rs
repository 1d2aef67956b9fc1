//! Bounds on how deep a query may be, and room for those that are within them.
//!
//! Planning walks over a query by calling itself. The parser and the engine move to a fresh stack when they find little
//! left of theirs, but some of their steps take more than what they call little: on a thread's usual 2 MiB, twenty
//! derived tables within each other ended the process. A peer must not be able to do that with a text.

use std::collections::HashMap;
use std::ops::ControlFlow;

use datafusion::common::DataFusionError;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion, TreeNodeVisitor};
use datafusion::logical_expr::LogicalPlan;
use datafusion::sql::sqlparser::ast::{Expr, Query, Select, SetExpr, Statement, TableFactor, Visit, Visitor};
use wanqu_model::refusal::{Code, Refusal};

/// Least stack left, in bytes; below it a larger stack is taken.
const RED_ZONE: usize = 32 << 20;
/// Size of the larger stack, in bytes. Pages are made as they are used.
const STACK: usize = 64 << 20;
/// The most operators of an expression below each other. A chain `a AND b AND c` is as deep as it is long, and the time
/// that planning takes grows with its square. Threads that run plans have the stack for it too.
const MAX_EXPRESSION: usize = 500;
/// The most columns of one SELECT. The time that the engine takes to plan them grows with their square.
const MAX_COLUMNS: usize = 1_000;
/// The most operators of a plan below each other.
const MAX_PLAN: usize = 128;

/// Runs something that recurses over a query with enough stack for every query within the bounds.
pub fn with_room<T>(work: impl FnOnce() -> T) -> T {
    stacker::maybe_grow(RED_ZONE, STACK, work)
}

fn too_deep(what: &str, most: usize, remedy: &str) -> Refusal {
    Refusal::new(Code::Limit, format!("{what} of the query is nested too deeply"))
        .with_rule(format!("at most {most} operators lie below each other"))
        .with_subject(what)
        .with_remedy(remedy)
}

/// Checks a statement before it is planned.
pub(super) fn check_statement(statement: &Statement) -> Result<(), Refusal> {
    match statement.visit(&mut StatementSize::default()) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(refusal) => Err(refusal),
    }
}

/// Measures of a statement that make its plan deep: nested operators, set operations and tables in a row.
#[derive(Default)]
struct StatementSize {
    expression: usize,
    /// Tables of the queries that are being walked over, the innermost last.
    tables: Vec<usize>,
    /// Names of the WITH queries that have been met, by the address of each in the statement.
    names: HashMap<usize, String>,
    /// Tables of the WITH queries that have been walked over. Each reference to one plans it again.
    with: HashMap<String, usize>,
}

impl StatementSize {
    /// Adds tables to the innermost query.
    fn add_tables(&mut self, more: usize) -> ControlFlow<Refusal> {
        let Some(tables) = self.tables.last_mut() else { return ControlFlow::Continue(()) };
        *tables = tables.saturating_add(more);
        if *tables > MAX_PLAN {
            let remedy = "use fewer tables in one query, and refer to WITH queries less often";
            return ControlFlow::Break(too_deep("the list of tables", MAX_PLAN, remedy));
        }
        ControlFlow::Continue(())
    }
}

fn address(query: &Query) -> usize {
    std::ptr::from_ref(query).addr()
}

impl Visitor for StatementSize {
    type Break = Refusal;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<Refusal> {
        // `a UNION b UNION c` is a set operation whose left is a set operation: as deep as it is long.
        let mut body = query.body.as_ref();
        let mut operations = 0;
        while let SetExpr::SetOperation { left, .. } = body {
            operations += 1;
            body = left;
        }
        if operations > MAX_PLAN {
            return ControlFlow::Break(too_deep("a chain of set operations", MAX_PLAN, "ask in several queries"));
        }
        for cte in query.with.iter().flat_map(|with| &with.cte_tables) {
            self.names.insert(address(&cte.query), cte.alias.name.value.to_lowercase());
        }
        self.tables.push(0);
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, query: &Query) -> ControlFlow<Refusal> {
        let tables = self.tables.pop().unwrap_or(0);
        match self.names.get(&address(query)) {
            Some(name) => {
                self.with.insert(name.clone(), tables);
                ControlFlow::Continue(())
            }
            None => self.add_tables(tables),
        }
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<Refusal> {
        if select.projection.len() > MAX_COLUMNS {
            return ControlFlow::Break(
                Refusal::new(Code::Limit, format!("a SELECT has {} columns", select.projection.len()))
                    .with_rule(format!("a SELECT has at most {MAX_COLUMNS} columns"))
                    .with_subject("the columns of a SELECT")
                    .with_remedy("ask in several queries"),
            );
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<Refusal> {
        let named = match factor {
            TableFactor::Table { name, .. } => match &name.0[..] {
                [only] => only.as_ident().and_then(|name| self.with.get(&name.value.to_lowercase())),
                _ => None,
            },
            _ => None,
        };
        // One level of a plan for the name, if it is that of a WITH query.
        let tables = named.map_or(1, |tables| tables.saturating_add(1));
        self.add_tables(tables)
    }

    fn pre_visit_expr(&mut self, _: &Expr) -> ControlFlow<Refusal> {
        self.expression += 1;
        if self.expression > MAX_EXPRESSION {
            let remedy = "write long chains of OR as IN, or join a public table";
            return ControlFlow::Break(too_deep("an expression", MAX_EXPRESSION, remedy));
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, _: &Expr) -> ControlFlow<Refusal> {
        self.expression -= 1;
        ControlFlow::Continue(())
    }
}

/// Checks a plan before anything else is done with it.
pub(super) fn check_plan(plan: &LogicalPlan) -> Result<(), Refusal> {
    let mut depth = PlanDepth { now: 0, most: 0 };
    match plan.visit(&mut depth) {
        Ok(_) if depth.most <= MAX_PLAN => Ok(()),
        Ok(_) | Err(_) => Err(too_deep("a table", MAX_PLAN, "use fewer levels of derived tables and joins")),
    }
}

struct PlanDepth {
    now: usize,
    most: usize,
}

impl TreeNodeVisitor<'_> for PlanDepth {
    type Node = LogicalPlan;

    fn f_down(&mut self, _: &LogicalPlan) -> Result<TreeNodeRecursion, DataFusionError> {
        self.now += 1;
        self.most = self.most.max(self.now);
        Ok(TreeNodeRecursion::Continue)
    }

    fn f_up(&mut self, _: &LogicalPlan) -> Result<TreeNodeRecursion, DataFusionError> {
        self.now -= 1;
        Ok(TreeNodeRecursion::Continue)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admission::testing::{bundle, shenzhen};
    use crate::catalog::Catalog;

    #[test]
    fn a_select_has_bounded_columns() {
        let bundle = bundle();
        let catalog = Catalog::owner(&bundle, &shenzhen());
        let planned = |columns: usize| {
            let items: Vec<String> = (0..columns).map(|i| format!("ward AS c{i}")).collect();
            catalog.plan(&format!("SELECT {} FROM shenzhen.health.visits", items.join(", ")), 1 << 20)
        };
        assert!(planned(100).is_ok());
        assert_eq!(planned(MAX_COLUMNS + 1).unwrap_err().code, Code::Limit);
    }

    #[test]
    fn a_text_that_is_long_to_read_is_refused_with_the_place_to_look_at() {
        let bundle = bundle();
        let catalog = Catalog::owner(&bundle, &shenzhen());
        let nested = |core: &str| format!("SELECT\n{}{core}{} AS x", "CAST((".repeat(40), ") AS INT)".repeat(40));
        assert!(catalog.plan(&nested("1"), 1 << 20).is_ok());
        let refusal = catalog.plan(&nested("1 1"), 1 << 20).unwrap_err();
        assert_eq!(refusal.code, Code::Limit, "{refusal}");
        assert_eq!(refusal.message, "the SQL cannot be read: it takes too many steps to read");
        assert!(refusal.remedy.unwrap().contains("innermost brackets, at line 2, column 240"), "{:?}", refusal.rule);
        let refusal = catalog.plan(&format!("SELECT {}1", "NOT ".repeat(200)), 1 << 20).unwrap_err();
        assert_eq!(refusal.code, Code::Limit, "{refusal}");
        assert_eq!(refusal.rule.unwrap(), "at most 128 expressions and queries lie within each other");
    }

    #[test]
    fn tables_of_every_kind_are_bounded() {
        let bundle = bundle();
        let catalog = Catalog::owner(&bundle, &shenzhen());
        let tables: Vec<String> = (0..=MAX_PLAN).map(|i| format!("(VALUES (1)) AS t{i}(v)")).collect();
        let refusal = catalog.plan(&format!("SELECT t0.v FROM {}", tables.join(", ")), 1 << 20).unwrap_err();
        assert_eq!(refusal.code, Code::Limit, "{refusal}");
    }
}
