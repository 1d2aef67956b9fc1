//! Sets of numbers on which functions over floats are defined. Outside them the engine gives NaN, which is greater than all
//! numbers in a comparison, or an infinity; PostgreSQL and DuckDB refuse.
//!
//! What is defined and too large for a float is infinite, as in IEEE 754: `exp(1000)`, `cot(0)`.

use arrow::array::AsArray;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};
use datafusion::common::Result as DfResult;
use datafusion::logical_expr::ColumnarValue;

/// Returns true if a function is not defined for some row of its arguments. NaN is passed on, and so is NULL.
pub(super) fn is_outside(name: &str, args: &[ColumnarValue]) -> DfResult<bool> {
    let of_one: fn(f64) -> bool = match name {
        "sqrt" => |x| x < 0.0,
        "ln" | "log" | "log2" | "log10" => |x| x <= 0.0,
        "acos" | "asin" | "atanh" => |x| x.abs() > 1.0,
        "acosh" => |x| x < 1.0,
        // The engine makes a text of it.
        "chr" => |x| x == 0.0,
        "sin" | "cos" | "tan" | "cot" => f64::is_infinite,
        "power" => return any(args, is_no_power),
        _ => return Ok(false),
    };
    match args {
        [_, _] => any(args, |base, x| base <= 0.0 || base.to_bits() == 1_f64.to_bits() || x <= 0.0),
        _ => any(args, |x, _| of_one(x)),
    }
}

fn is_no_power(base: f64, exponent: f64) -> bool {
    base == 0.0 && exponent < 0.0 || base < 0.0 && exponent.is_finite() && exponent.fract() != 0.0
}

/// Returns true if a row of one or two arguments, the second of which is else the first, is outside.
fn any(args: &[ColumnarValue], outside: impl Fn(f64, f64) -> bool) -> DfResult<bool> {
    let columns = ColumnarValue::values_to_arrays(args)?;
    let columns = columns.iter().map(|column| cast(column, &DataType::Float64)).collect::<Result<Vec<_>, _>>()?;
    let (Some(first), Some(second)) = (columns.first(), columns.last()) else { return Ok(false) };
    let (first, second) = (first.as_primitive::<Float64Type>(), second.as_primitive::<Float64Type>());
    Ok(first.iter().zip(second).any(|row| matches!(row, (Some(first), Some(second)) if outside(first, second))))
}

#[cfg(test)]
mod tests {
    use datafusion::common::ScalarValue;

    use super::*;

    #[test]
    fn functions_are_not_defined_where_postgresql_refuses() {
        let inf = f64::INFINITY;
        let outside = |name: &str, args: &[f64]| {
            let args: Vec<_> = args.iter().map(|arg| ColumnarValue::Scalar(ScalarValue::Float64(Some(*arg)))).collect();
            is_outside(name, &args).unwrap()
        };
        for (name, args) in [
            ("sqrt", &[-1.0][..]),
            ("ln", &[0.0]),
            ("log", &[-1.0]),
            ("log2", &[-0.0]),
            ("log10", &[-inf]),
            ("log", &[1.0, 5.0]),
            ("log", &[0.0, 5.0]),
            ("log", &[2.0, 0.0]),
            ("acos", &[1.5]),
            ("asin", &[-inf]),
            ("atanh", &[2.0]),
            ("acosh", &[0.5]),
            ("sin", &[inf]),
            ("power", &[0.0, -1.0]),
            ("power", &[-8.0, 0.5]),
        ] {
            assert!(outside(name, args), "{name} {args:?}");
        }
        for (name, args) in [
            ("sqrt", &[-0.0][..]),
            ("sqrt", &[f64::NAN]),
            ("ln", &[5e-324]),
            ("log", &[0.5, 5.0]),
            ("acos", &[-1.0]),
            ("atanh", &[1.0]),
            ("acosh", &[inf]),
            ("cot", &[0.0]),
            ("exp", &[1000.0]),
            ("power", &[0.0, 0.0]),
            ("power", &[-8.0, -3.0]),
            ("power", &[-8.0, inf]),
        ] {
            assert!(!outside(name, args), "{name} {args:?}");
        }
    }
}
