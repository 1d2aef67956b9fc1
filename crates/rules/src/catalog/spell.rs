//! Expressions to SQL text that reads back as what they were: the other direction of `sql`.
//!
//! SQL has one spelling for integers and one for fractions; a decimal written `0.05` would come back as a binary float,
//! and the owner would compute something else. So literals are written with their types.

use arrow::datatypes::DataType;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Result as DfResult, ScalarValue};
use datafusion::logical_expr::expr::Cast;
use datafusion::logical_expr::{Expr, lit};
use datafusion::sql::unparser::Unparser;
use datafusion::sql::unparser::dialect::Dialect;
use wanqu_model::names::SqlName;

/// Returns a name as text, quoted unless it is certain to be read back without quotes: in a fragment every name follows
/// a point, `AS` or `FROM`, where keywords are names too.
#[must_use]
pub fn name_text(name: &str) -> String {
    if name.parse::<SqlName>().is_ok() { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

/// DataFusion's own dialect, with quotes only where they are needed.
struct FragmentDialect;

impl Dialect for FragmentDialect {
    fn identifier_quote_style(&self, identifier: &str) -> Option<char> {
        identifier.parse::<SqlName>().is_err().then_some('"')
    }
}

/// Returns the text of an expression, in brackets where it would otherwise bind with what stands beside it.
///
/// # Errors
/// If the expression has no form in SQL.
pub fn expression_text(expr: &Expr) -> DfResult<String> {
    let spelled = spell_out(expr)?;
    let sql = Unparser::new(&FragmentDialect).expr_to_sql(&spelled)?.to_string();
    // AND and OR are joined as text by the caller.
    let compound = matches!(&spelled, Expr::BinaryExpr(_)) && !sql.starts_with('(');
    Ok(if compound { format!("({sql})") } else { sql })
}

/// Replaces literals whose plain spelling would have another type by a cast of one whose spelling has not.
fn spell_out(expr: &Expr) -> DfResult<Expr> {
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
