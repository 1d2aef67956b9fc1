//! Literals that read back as what they were. SQL has one spelling for integers and one for fractions; a decimal
//! written `0.05` would come back as a binary float, and the owner would compute something else.

use arrow::datatypes::DataType;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Result as DfResult, ScalarValue, plan_err};
use datafusion::logical_expr::expr::Cast;
use datafusion::logical_expr::{Expr, FetchType, Limit, SkipType, lit};

/// Replaces literals whose plain spelling has another type by a cast of one whose has not.
pub(super) fn spell_out(expr: &Expr) -> DfResult<Expr> {
    expr.clone()
        .transform(|e| {
            Ok(match &e {
                Expr::Literal(value, _) => match spelled(value)? {
                    Some(cast) => Transformed::new(cast, true, datafusion::common::tree_node::TreeNodeRecursion::Jump),
                    None => Transformed::no(e),
                },
                _ => Transformed::no(e),
            })
        })
        .map(|t| t.data)
}

fn spelled(value: &ScalarValue) -> DfResult<Option<Expr>> {
    let cast = |inner: Expr, to: DataType| Some(Expr::Cast(Cast::new(Box::new(inner), to)));
    let data_type = value.data_type();
    if value.is_null() {
        return Ok(if data_type == DataType::Null { None } else { cast(lit(ScalarValue::Null), data_type) });
    }
    Ok(match value {
        ScalarValue::Int8(_)
        | ScalarValue::Int16(_)
        | ScalarValue::Int32(_)
        | ScalarValue::UInt8(_)
        | ScalarValue::UInt16(_)
        | ScalarValue::UInt32(_) => cast(lit(value.cast_to(&DataType::Int64)?), data_type),
        ScalarValue::UInt64(_) | ScalarValue::Decimal128(..) | ScalarValue::Decimal256(..) => {
            cast(lit(value.cast_to(&DataType::Utf8)?), data_type)
        }
        ScalarValue::Float32(_) => cast(lit(value.cast_to(&DataType::Float64)?), data_type),
        ScalarValue::Float64(Some(v)) if !v.is_finite() => cast(lit(v.to_string()), data_type),
        // Shortest text that reads back as the same number; always with a point or an exponent.
        ScalarValue::Float64(Some(v)) => cast(lit(format!("{v:?}")), data_type),
        _ => None,
    })
}

/// The rows that a LIMIT leaves out, where it is a literal.
pub(super) fn skip_of(limit: &Limit) -> DfResult<usize> {
    match limit.get_skip_type()? {
        SkipType::Literal(skip) => Ok(skip),
        SkipType::UnsupportedExpr => plan_err!("OFFSET must be a number"),
    }
}

/// The rows that a LIMIT takes, where it is a literal; `None` for all.
pub(super) fn fetch_of(limit: &Limit) -> DfResult<Option<usize>> {
    match limit.get_fetch_type()? {
        FetchType::Literal(fetch) => Ok(fetch),
        FetchType::UnsupportedExpr => plan_err!("LIMIT must be a number"),
    }
}
