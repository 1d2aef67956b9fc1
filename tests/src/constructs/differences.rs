//! Expressions that are answered otherwise than in PostgreSQL: listed on the page, and held to it.

use crate::compare::Order;
use crate::edges::{Outcome, Three};
use crate::federation::SHENZHEN;

/// An expression with two answers.
#[derive(Debug)]
pub struct Difference {
    /// The English reason.
    pub why: &'static str,
    /// The Chinese reason.
    pub zh: &'static str,
    /// The expression.
    pub expression: &'static str,
    /// Its value here.
    pub ours: &'static str,
    /// Its value in PostgreSQL and DuckDB.
    pub theirs: &'static str,
}

/// Every difference.
pub const DIFFERENCES: &[Difference] = &[Difference {
    why: "`^` is the exclusive OR of bits; write `power(x, y)`",
    zh: "`^` 是按位异或；乘方请写 `power(x, y)`",
    expression: "2 ^ 3",
    ours: "1",
    theirs: "8.0",
}];

/// Checks that each difference is as it is listed. Gives in words whatever is not.
pub(super) async fn check(three: &Three) -> String {
    let mut wrong = String::new();
    for Difference { expression, ours, theirs, .. } in DIFFERENCES {
        let select = |value: &str| format!("SELECT {value} AS x");
        let (asked, here, there) = (select(expression), select(ours), select(theirs));
        for (ours, theirs) in [(&asked, &here), (&there, &asked)] {
            let outcome = three.outcome(SHENZHEN, ours, theirs, Order::Any, true).await;
            if outcome != Outcome::Same {
                wrong += &format!("{expression}: {outcome:?}, where {ours} here is {theirs} in DuckDB\n");
            }
        }
    }
    wrong
}
