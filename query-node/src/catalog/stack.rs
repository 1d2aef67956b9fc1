//! Bounds on how deep a query may be, and room for those that are within them.
//!
//! Planning walks over a query by calling itself. The parser and the engine move to a fresh stack when they find little
//! left of theirs, but some of their steps take more than what they call little: on a thread's usual 2 MiB, twenty
//! derived tables within each other ended the process. A peer must not be able to do that with a text.

use std::ops::ControlFlow;

use datafusion::common::DataFusionError;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion, TreeNodeVisitor};
use datafusion::logical_expr::LogicalPlan;
use datafusion::sql::sqlparser::ast::{Expr, Statement, Visit, Visitor};

use crate::refusal::{Code, Refusal};

/// Below this, a larger stack is taken.
const RED_ZONE: usize = 32 << 20;
/// How large it is. Only what is used of it is ever made.
const STACK: usize = 64 << 20;
/// The most operators of an expression below each other. A chain `a AND b AND c` is as deep as it is long, and the time
/// that planning takes grows with its square.
const MAX_EXPRESSION: usize = 1_000;
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
    let mut depth = ExpressionDepth(0);
    match statement.visit(&mut depth) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => {
            Err(too_deep("an expression", MAX_EXPRESSION, "write long chains of OR as IN, or join a public table"))
        }
    }
}

struct ExpressionDepth(usize);

impl Visitor for ExpressionDepth {
    type Break = ();

    fn pre_visit_expr(&mut self, _: &Expr) -> ControlFlow<()> {
        self.0 += 1;
        if self.0 > MAX_EXPRESSION { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn post_visit_expr(&mut self, _: &Expr) -> ControlFlow<()> {
        self.0 -= 1;
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
