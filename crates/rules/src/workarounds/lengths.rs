//! Lengths in casts to text: `CAST(x AS VARCHAR(3))`.
//!
//! PostgreSQL cuts the text to so many characters; DataFusion passes over the length. Here such a cast is written with `left`.
//! A `CHAR(n)` is padded with blanks that do not count when it is compared, and is refused.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{CharacterLength, DataType, Expr, Value};
use wanqu_model::refusal::Refusal;

use super::cast_names::call;
use super::clauses::refuse;

/// Writes a cast to a text of a length as the beginning of a text.
pub(super) fn rewrite(expr: &mut Expr) -> ControlFlow<Box<Refusal>> {
    let Expr::Cast { data_type, .. } = expr else { return ControlFlow::Continue(()) };
    let length = match data_type {
        DataType::Varchar(Some(length))
        | DataType::Nvarchar(Some(length))
        | DataType::CharVarying(Some(length))
        | DataType::CharacterVarying(Some(length)) => *length,
        DataType::Char(Some(_)) | DataType::Character(Some(_)) => {
            return refuse("a cast to CHAR(n)", "write left(x, n), and rpad(x, n) where blanks are needed");
        }
        _ => return ControlFlow::Continue(()),
    };
    *data_type = DataType::Varchar(None);
    if let CharacterLength::IntegerLength { length, .. } = length {
        let whole = std::mem::replace(expr, Expr::value(Value::Null));
        *expr = call("left", vec![whole, Expr::value(Value::Number(length.to_string(), false))]);
    }
    ControlFlow::Continue(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten(data_type: DataType) -> Result<String, String> {
        let mut expr = Expr::Cast {
            kind: datafusion::sql::sqlparser::ast::CastKind::Cast,
            expr: Box::new(Expr::value(Value::SingleQuotedString("abc".to_owned()))),
            data_type,
            array: false,
            format: None,
        };
        match rewrite(&mut expr) {
            ControlFlow::Continue(()) => Ok(expr.to_string()),
            ControlFlow::Break(refusal) => Err(refusal.message),
        }
    }

    #[test]
    fn a_length_is_not_passed_over() {
        let of = |length| Some(CharacterLength::IntegerLength { length, unit: None });
        assert_eq!(rewritten(DataType::Varchar(of(2))).as_deref(), Ok("\"left\"(CAST('abc' AS VARCHAR), 2)"));
        assert_eq!(rewritten(DataType::Varchar(None)).as_deref(), Ok("CAST('abc' AS VARCHAR)"));
        assert_eq!(rewritten(DataType::Varchar(Some(CharacterLength::Max))).as_deref(), Ok("CAST('abc' AS VARCHAR)"));
        assert_eq!(rewritten(DataType::Char(of(2))), Err("a cast to CHAR(n) is not supported".to_owned()));
    }
}
