//! Guards against faults of the engine's simplification: constants wrap around, and `-(a & b)` becomes `(-a) | (-b)`, as if minus
//! inverted bits, and a cast that may lose something is taken off where it is compared.

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, Result as DfResult};
use datafusion::logical_expr::{Expr, LogicalPlan};

use super::checked::{checked_expr, checked_part, unchecked};
use crate::expressions::each_expression;

/// Returns the plan that `simplify` makes of another, with the values that expressions had before.
///
/// # Errors
/// A constant that does not fit into its type.
pub(crate) fn kept_right(
    plan: LogicalPlan,
    simplify: impl FnOnce(LogicalPlan) -> DfResult<LogicalPlan>,
) -> DfResult<LogicalPlan> {
    let folded = simplify(each_expression(plan, protected)?)?;
    // The type of a call can depend on what its arguments were folded to, so that schemas are made anew.
    each_expression(folded, |expr, _| expr.transform_up(unchecked).map(|whole| whole.data))
}

/// Returns the expression over these columns that `simplify` makes of another, with the value that it had before.
///
/// # Errors
/// A constant that does not fit into its type.
pub(crate) fn kept_right_expr(
    expr: Expr,
    columns: &DFSchema,
    simplify: impl FnOnce(Expr) -> DfResult<Expr>,
) -> DfResult<Expr> {
    let simplified = simplify(protected(expr, columns)?)?;
    simplified.transform_up(unchecked).map(|whole| whole.data)
}

/// Returns the expression with constants, negatives and casts in functions that simplification computes, or leaves alone.
fn protected(expr: Expr, columns: &DFSchema) -> DfResult<Expr> {
    let whole = expr.transform_down(|part| {
        if is_constant(&part)? {
            let checked = checked_expr(part, &DFSchema::empty())?;
            return Ok(Transformed::new(checked, true, TreeNodeRecursion::Jump));
        }
        match part {
            Expr::Negative(_) | Expr::Cast(_) | Expr::TryCast(_) | Expr::ScalarFunction(_) => {
                checked_part(part, columns)
            }
            part => Ok(Transformed::no(part)),
        }
    });
    whole.map(|whole| whole.data)
}

/// Returns true if an expression is arithmetic of literals.
fn is_constant(expr: &Expr) -> DfResult<bool> {
    let varies = |part: &Expr| {
        !matches!(part, Expr::Literal(..) | Expr::BinaryExpr(_) | Expr::Negative(_) | Expr::Cast(_) | Expr::TryCast(_))
    };
    expr.exists(|part| Ok(varies(part))).map(|varies| !varies)
}

#[cfg(test)]
mod tests {
    use crate::admission::testing::{bundle, shenzhen};
    use crate::catalog::Catalog;

    #[test]
    fn constants_do_not_wrap_around() {
        let bundle = bundle();
        let catalog = Catalog::owner(&bundle, &shenzhen());
        let plan = |condition: &str| {
            let sql = format!("SELECT count(*) FROM shenzhen.health.visits v WHERE {condition}");
            catalog.plan(&sql, 1 << 20)
        };
        for condition in
            ["v.tests > 9223372036854775807 + 1", "v.tests < 2 * CAST('9223372036854775807' AS BIGINT) - 7"]
        {
            let refusal = plan(condition).unwrap_err();
            assert!(refusal.message.contains("out of range"), "{refusal}");
        }
        let folded = plan("v.tests > 9223372036854775806 + 1").unwrap().display_indent().to_string();
        assert!(folded.contains("tests > Int64(9223372036854775807)"), "{folded}");
    }

    #[test]
    fn minus_is_not_taken_for_an_inversion_of_bits() {
        let bundle = bundle();
        let catalog = Catalog::owner(&bundle, &shenzhen());
        let sql = "SELECT sum(v.days) FROM shenzhen.health.visits v WHERE -(v.tests & 3) < 2 AND -(v.days | 1) < 0";
        let text = catalog.plan(sql, 1 << 20).unwrap().display_indent().to_string();
        assert!(text.contains("(- (v.tests & Int64(3)))") || text.contains("(- v.tests & Int64(3))"), "{text}");
        assert_eq!(text.matches("(- ").count(), 2, "{text}");
    }

    #[test]
    fn the_type_of_a_rounded_decimal_is_that_of_its_literal() {
        let bundle = bundle();
        let catalog = Catalog::owner(&bundle, &shenzhen());
        let sql = "SELECT round(v.cost, 1) AS r FROM shenzhen.health.visits v WHERE round(v.cost, 1) = 10.1";
        let plan = catalog.plan(sql, 1 << 20).unwrap();
        assert_eq!(plan.schema().field(0).data_type().to_string(), "Decimal128(12, 1)");
        assert!(plan.display_indent().to_string().contains("round(v.cost, Int32(1))"));
        assert_eq!(plan.clone().recompute_schema().unwrap().schema(), plan.schema());
    }
}
