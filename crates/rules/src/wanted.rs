//! Planning that stops when nobody wants the plan any more.
//!
//! Planning is a long computation that waits for nothing, so nothing can interrupt it from outside. It looks here between
//! its steps: before each text that is planned, and before each of the optimiser's rules.

use std::cell::RefCell;

use datafusion::common::tree_node::Transformed;
use datafusion::common::{DataFusionError, Result as DfResult};
use datafusion::logical_expr::LogicalPlan;
use datafusion::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule};
use wanqu_model::refusal::{Code, Refusal};

type Asks = Box<dyn Fn() -> bool>;

thread_local! {
    /// Tells if the plan that is made on this thread is wanted.
    static WANTED: RefCell<Option<Asks>> = const { RefCell::new(None) };
}

/// Puts back what was asked before.
struct Before(Option<Asks>);

impl Drop for Before {
    fn drop(&mut self) {
        WANTED.replace(self.0.take());
    }
}

/// Does work on this thread, which is refused at its next step once `wanted` returns false.
pub fn while_wanted<T>(wanted: impl Fn() -> bool + 'static, work: impl FnOnce() -> T) -> T {
    let _before = Before(WANTED.replace(Some(Box::new(wanted))));
    work()
}

/// Returns nothing if the plan is wanted still.
///
/// # Errors
/// [`Code::Cancelled`] if it is not.
pub(crate) fn check() -> Result<(), Refusal> {
    if WANTED.with_borrow(|asks| asks.as_ref().is_none_or(|asks| asks())) {
        return Ok(());
    }
    Err(Refusal::new(Code::Cancelled, "whoever asked went away, or the time was over, before the query was planned"))
}

/// A rule of the optimiser that changes nothing, and fails once the plan is not wanted.
#[derive(Debug)]
pub(crate) struct Wanted;

impl OptimizerRule for Wanted {
    fn name(&self) -> &'static str {
        "wanted"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        None
    }

    fn rewrite(&self, plan: LogicalPlan, _: &dyn OptimizerConfig) -> DfResult<Transformed<LogicalPlan>> {
        check().map_err(|refusal| DataFusionError::External(Box::new(refusal)))?;
        Ok(Transformed::no(plan))
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::rc::Rc;

    use super::*;
    use crate::admission::testing::bundle;
    use crate::planner::Planner;

    #[test]
    fn planning_stops_between_any_two_of_its_steps() {
        let planner = Planner::new(&bundle());
        let sql = "SELECT ward, count(*) AS n FROM shenzhen.health.visits GROUP BY ward";
        let plan_for = |looks: u32| {
            let looked = Rc::new(Cell::new(0));
            let seen = Rc::clone(&looked);
            let wanted = move || {
                looked.set(looked.get() + 1);
                looked.get() <= looks
            };
            let planned = while_wanted(wanted, || planner.plan(sql));
            (planned.verdict.map(|_| ()).map_err(|refusal| refusal.code), seen.get())
        };
        let (whole, looks) = plan_for(u32::MAX);
        assert_eq!(whole, Ok(()));
        assert!(looks > 20, "{looks}");
        for wanted in [0, 1, looks / 2, looks - 1] {
            assert_eq!(plan_for(wanted), (Err(Code::Cancelled), wanted + 1), "of {looks} looks");
        }
        assert_eq!(planner.plan(sql).verdict.map(|_| ()), Ok(()), "and nothing is left of it");
    }
}
