//! The casts of a plan that can fail on a value, for a refusal that cannot say more about an error.

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::expr::Cast;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan};

use super::cast::text_of;
use crate::expressions::schema_of;

/// Most casts that are named.
const MOST: usize = 3;

/// Returns the casts of texts to something else, in SQL; none if they are too many to be named. Other casts name themselves
/// where they fail.
#[must_use]
pub fn casts_of_texts(plan: &LogicalPlan) -> Vec<String> {
    let mut casts: Vec<String> = vec![];
    let walked = plan.apply_with_subqueries(|node| {
        let schema = schema_of(node)?;
        node.apply_expressions(|expr| {
            expr.apply(|part| {
                if let Expr::Cast(Cast { expr, field }) = part
                    && !field.data_type().is_string()
                    && expr.get_type(&schema).is_ok_and(|from| from.is_string())
                {
                    let text = text_of(expr, field.data_type(), &schema);
                    if !casts.contains(&text) {
                        casts.push(text);
                    }
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })
    });
    if walked.is_err() || casts.len() > MOST { vec![] } else { casts }
}
