//! Casts that may lose something: rounded as PostgreSQL rounds, and compared as what they give.
//!
//! DataFusion 55's simplifier compares what is cast instead of the cast (`CAST(m AS BIGINT) = 1` becomes `m = 1.00`), also
//! where many values are cast to one. And the engine cuts off what is after the point: PostgreSQL rounds, decimals half away
//! from zero and floats half to even, and points in time half away from the epoch (PostgreSQL's is 2000-01-01; here it is
//! 1970, as in DuckDB). So such casts are functions wherever expressions are simplified or computed. Casts
//! that keep every value stay casts, of which tables make use to skip what cannot match.
//!
//! Texts of times without seconds and of decimals with an exponent, which PostgreSQL reads, are read here ([`texts`]).
//!
//! The engine writes a `T` between day and time where a time becomes a text: `ts LIKE '2024-02-29 12%'` finds none. SQL has a space
//! there, as `TIMESTAMP '…'` is read.
//!
//! Elsewhere, in what is judged and in texts, a cast is a cast.

use std::any::Any;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float32Array, StringArray};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{
    DECIMAL128_MAX_PRECISION, DECIMAL256_MAX_PRECISION, DataType, Field, FieldRef, Float32Type, Float64Type, Int64Type,
    TimeUnit,
};
use datafusion::common::datatype::DataTypeExt;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::utils::take_function_args;
use datafusion::common::{DFSchema, DataFusionError, Result as DfResult, ScalarValue, plan_err};
use datafusion::logical_expr::expr::{Cast, TryCast};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ExprSchemable, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};
use wanqu_model::refusal::{Code, Refusal};

use super::checked::as_written;
use super::texts;
use crate::casts::is_exact;
use crate::range::type_name;
use crate::spell::{Spelling, name_text};

/// Name in plans.
const NAME: &str = "__cast";

/// Functions that are a cast to the type that they give.
const CASTS: [&str; 2] = ["arrow_cast", "cast_to_type"];

/// The same, of `TRY_CAST`.
const TRY_CASTS: [&str; 2] = ["arrow_try_cast", "try_cast_to_type"];

/// Most parts of an expression that a refusal quotes.
const MOST_QUOTED: usize = 16;

/// Returns the call that stands for a cast which may lose something; `None` for another expression.
///
/// # Errors
/// If what is cast has no type.
pub(super) fn lossy_cast(part: &Expr, schema: &DFSchema) -> DfResult<Option<Expr>> {
    let (inner, field, or_null) = match part {
        Expr::Cast(Cast { expr, field }) => (expr.as_ref(), Arc::clone(field), false),
        Expr::TryCast(TryCast { expr, field }) => (expr.as_ref(), Arc::clone(field), true),
        // These become casts where they are simplified.
        Expr::ScalarFunction(call) if CASTS.contains(&call.name()) || TRY_CASTS.contains(&call.name()) => {
            let [value, _] = &call.args[..] else { return Ok(None) };
            (value, part.get_type(schema)?.into_nullable_field_ref(), TRY_CASTS.contains(&call.name()))
        }
        _ => return Ok(None),
    };
    let from = inner.get_type(schema)?;
    if !is_lossy(&from, field.data_type()) {
        return Ok(None);
    }
    let function = LossyCast {
        text: text_of(inner, field.data_type(), schema),
        field,
        or_null,
        signature: Signature::any(1, Volatility::Immutable),
    };
    Ok(Some(ScalarUDF::from(function).call(vec![inner.clone()])))
}

/// Returns the cast that a call stands for; `None` for another expression.
///
/// # Errors
/// A call without its argument.
pub(super) fn original_cast(part: &Expr) -> DfResult<Option<Expr>> {
    let Some((function, args)) = call_of(part) else { return Ok(None) };
    function.original(args).map(Some)
}

/// Returns the value of a cast of a literal; `None` for another expression.
///
/// # Errors
/// The refusal of a value that does not fit.
pub(super) fn constant(part: &Expr) -> DfResult<Option<Expr>> {
    let Some((function, [Expr::Literal(value, _)])) = call_of(part) else { return Ok(None) };
    let computed = function.computed(&value.to_array()?)?;
    Ok(Some(Expr::Literal(ScalarValue::try_from_array(&computed, 0)?, None)))
}

fn call_of(part: &Expr) -> Option<(&LossyCast, &[Expr])> {
    let Expr::ScalarFunction(call) = part else { return None };
    let implementation: &dyn Any = call.func.inner().as_ref();
    implementation.downcast_ref().map(|function| (function, &call.args[..]))
}

fn is_lossy(from: &DataType, to: &DataType) -> bool {
    let is_number = |t: &DataType| t.is_integer() || t.is_decimal() || t.is_floating();
    match (from, to) {
        _ if is_exact(from, to) => false,
        // Digits of the second are cut off, towards 1970, by a cast to a coarser unit, and where a literal is brought to one.
        (DataType::Timestamp(a, _), DataType::Timestamp(b, _)) => a != b,
        (from, to) if from.is_string() => texts::is_read(to),
        // A text of a time has a `T` in the engine.
        (DataType::Timestamp(..), to) if to.is_string() => true,
        // These the engine leaves alone.
        (DataType::Timestamp(..) | DataType::Date32, DataType::Timestamp(..) | DataType::Date32) => false,
        _ => (is_number(from) || from.is_temporal()) && (is_number(to) || to.is_temporal()),
    }
}

/// Returns a cast in SQL, without what is cast if that is long.
pub(super) fn text_of(inner: &Expr, to: &DataType, schema: &DFSchema) -> String {
    let mut parts = 0_usize;
    let _ = inner.apply(|_| {
        parts += 1;
        Ok(if parts > MOST_QUOTED { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    });
    let written = (parts <= MOST_QUOTED).then(|| as_written(inner.clone()).ok()).flatten();
    let text = written.and_then(|e| Spelling { schema, column: &|column| name_text(&column.name) }.item(&e).ok());
    match text {
        Some(text) => format!("CAST({text} AS {})", type_name(to)),
        None => format!("a CAST to {}", type_name(to)),
    }
}

/// One cast.
#[derive(Debug, PartialEq, Eq, Hash)]
struct LossyCast {
    field: FieldRef,
    /// True for `TRY_CAST`.
    or_null: bool,
    /// The cast in SQL.
    text: String,
    signature: Signature,
}

impl LossyCast {
    fn original(&self, args: &[Expr]) -> DfResult<Expr> {
        let [inner] = args else { return plan_err!("a cast has one operand") };
        let (expr, field) = (Box::new(inner.clone()), Arc::clone(&self.field));
        Ok(if self.or_null { Expr::TryCast(TryCast { expr, field }) } else { Expr::Cast(Cast { expr, field }) })
    }

    fn computed(&self, values: &ArrayRef) -> DfResult<ArrayRef> {
        let options = CastOptions { safe: self.or_null, ..CastOptions::default() };
        let to = self.field.data_type();
        if values.data_type().is_string() {
            return texts::read(values, to, self.or_null);
        }
        let rounded = match (values.data_type(), to) {
            (DataType::Timestamp(from, _), DataType::Timestamp(to, _)) => rounded_time(values, *from, *to)?,
            (DataType::Timestamp(..), to) if to.is_string() => text_of_times(values)?,
            (_, to) if to.is_integer() => rounded(values)?,
            _ => Arc::clone(values),
        };
        let cast = match cast_with_options(&rounded, to, &options) {
            Ok(cast) => cast,
            Err(_) if !self.or_null => return Err(self.refusal()),
            Err(error) => return Err(error.into()),
        };
        if (values.data_type(), to) == (&DataType::Float64, &DataType::Float32) {
            return self.in_range(values, cast);
        }
        Ok(cast)
    }

    /// Returns floats of 32 bits that are made of floats of 64 bits. The engine takes what is too large for infinity.
    fn in_range(&self, wide: &ArrayRef, narrow: ArrayRef) -> DfResult<ArrayRef> {
        let (wide, numbers) = (wide.as_primitive::<Float64Type>(), narrow.as_primitive::<Float32Type>());
        let fits = |wide: Option<f64>, narrow: f32| wide.is_none_or(|wide| !wide.is_finite()) || narrow.is_finite();
        if wide.iter().zip(numbers.values()).all(|(wide, narrow)| fits(wide, *narrow)) {
            return Ok(narrow);
        }
        if !self.or_null {
            return Err(self.refusal());
        }
        let fitting = wide.iter().zip(numbers.iter()).map(|(wide, narrow)| narrow.filter(|n| fits(wide, *n)));
        Ok(Arc::new(fitting.collect::<Float32Array>()))
    }

    fn refusal(&self) -> DataFusionError {
        let name = type_name(self.field.data_type());
        let refusal =
            Refusal::new(Code::InvalidSql, format!("{} is out of range: it does not fit into {name}", self.text))
                .with_rule(
                    "a value that is cast must fit into the type; over non-public data one that does not is NULL",
                )
                .with_subject(self.text.clone())
                .with_remedy("use TRY_CAST, which gives NULL for such a value, or a wider type");
        DataFusionError::External(Box::new(refusal))
    }
}

/// Returns points in time as SQL writes them: `2024-02-29 12:00:00`, and `+00` for UTC.
fn text_of_times(values: &ArrayRef) -> DfResult<ArrayRef> {
    let texts = cast_with_options(values, &DataType::Utf8, &CastOptions::default())?;
    let written = texts.as_string::<i32>().iter().map(|text| {
        text.map(|text| {
            let text = text.replacen('T', " ", 1);
            match text.strip_suffix('Z') {
                Some(utc) => format!("{utc}+00"),
                None => text,
            }
        })
    });
    Ok(Arc::new(written.collect::<StringArray>()))
}

/// Returns numbers without what is after the point: floats rounded half to even, decimals half away from zero.
fn rounded(values: &ArrayRef) -> DfResult<ArrayRef> {
    let whole = match values.data_type() {
        DataType::Float64 => {
            return Ok(Arc::new(values.as_primitive::<Float64Type>().unary::<_, Float64Type>(f64::round_ties_even)));
        }
        DataType::Float32 => {
            return Ok(Arc::new(values.as_primitive::<Float32Type>().unary::<_, Float32Type>(f32::round_ties_even)));
        }
        DataType::Decimal128(_, scale) if *scale > 0 => DataType::Decimal128(DECIMAL128_MAX_PRECISION, 0),
        DataType::Decimal256(_, scale) if *scale > 0 => DataType::Decimal256(DECIMAL256_MAX_PRECISION, 0),
        _ => return Ok(Arc::clone(values)),
    };
    // Between decimals the engine rounds half away from zero.
    Ok(cast_with_options(values, &whole, &CastOptions { safe: false, ..CastOptions::default() })?)
}

/// Returns points in time in the unit `to`, rounded half away from 1970, if that is coarser than their own.
fn rounded_time(values: &ArrayRef, from: TimeUnit, to: TimeUnit) -> DfResult<ArrayRef> {
    let DataType::Timestamp(_, zone) = values.data_type() else { return Ok(Arc::clone(values)) };
    let step = per_second(from) / per_second(to);
    if step <= 1 {
        return Ok(Arc::clone(values));
    }
    let ticks = cast_with_options(values, &DataType::Int64, &CastOptions::default())?;
    let nearest = |ticks: i64| {
        let (whole, rest) = (ticks / step, ticks % step);
        if 2 * rest.abs() >= step { whole + rest.signum() } else { whole }
    };
    let nearest: ArrayRef = Arc::new(ticks.as_primitive::<Int64Type>().unary::<_, Int64Type>(nearest));
    Ok(cast_with_options(&nearest, &DataType::Timestamp(to, zone.clone()), &CastOptions::default())?)
}

/// Returns the ticks of a unit in one second.
pub(super) const fn per_second(unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second => 1,
        TimeUnit::Millisecond => 1_000,
        TimeUnit::Microsecond => 1_000_000,
        TimeUnit::Nanosecond => 1_000_000_000,
    }
}

impl ScalarUDFImpl for LossyCast {
    fn name(&self) -> &'static str {
        NAME
    }

    fn schema_name(&self, args: &[Expr]) -> DfResult<String> {
        Ok(args.iter().map(|arg| arg.schema_name().to_string()).collect())
    }

    fn display_name(&self, args: &[Expr]) -> DfResult<String> {
        Ok(self.original(args)?.to_string())
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> DfResult<DataType> {
        Ok(self.field.data_type().clone())
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> DfResult<FieldRef> {
        let nullable = self.or_null || args.arg_fields.iter().any(|field| field.is_nullable());
        Ok(Arc::new(Field::new(NAME, self.field.data_type().clone(), nullable)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> DfResult<ColumnarValue> {
        let [value] = take_function_args(NAME, args.args)?;
        Ok(match value {
            ColumnarValue::Array(values) => ColumnarValue::Array(self.computed(&values)?),
            ColumnarValue::Scalar(value) => {
                let computed = self.computed(&value.to_array()?)?;
                ColumnarValue::Scalar(ScalarValue::try_from_array(&computed, 0)?)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{Decimal128Array, Float64Array, Int64Array, TimestampMicrosecondArray};
    use arrow::datatypes::{Schema, TimestampMillisecondType};
    use arrow::util::display::array_value_to_string;
    use datafusion::common::config::ConfigOptions;

    use super::*;

    /// Casts the values of a column; `Err` with what a refusal says.
    fn values(column: ArrayRef, to: DataType, or_null: bool) -> Result<String, String> {
        let field = Arc::new(Field::new("x", column.data_type().clone(), true));
        let schema = DFSchema::try_from(Schema::new(vec![Arc::clone(&field)])).unwrap();
        let expr = Box::new(datafusion::logical_expr::col("x"));
        let cast = if or_null { Expr::TryCast(TryCast::new(expr, to)) } else { Expr::Cast(Cast::new(expr, to)) };
        let Some(Expr::ScalarFunction(call)) = lossy_cast(&cast, &schema).unwrap() else { panic!("{cast} is exact") };
        let return_field = Arc::new(Field::new("c", cast.get_type(&schema).unwrap(), true));
        assert_eq!(original_cast(&Expr::ScalarFunction(call.clone())).unwrap(), Some(cast));
        let computed = call.func.invoke_with_args(ScalarFunctionArgs {
            number_rows: column.len(),
            args: vec![ColumnarValue::Array(column)],
            arg_fields: vec![field],
            return_field,
            config_options: Arc::new(ConfigOptions::default()),
        });
        let array = computed.map_err(|error| error.to_string())?.into_array(1).unwrap();
        let text = |row| {
            if array.is_null(row) { "NULL".to_owned() } else { array_value_to_string(&array, row).unwrap() }
        };
        Ok((0..array.len()).map(text).collect::<Vec<_>>().join(" "))
    }

    fn decimals(values: &[i128], precision: u8, scale: i8) -> ArrayRef {
        let values = Decimal128Array::from(values.to_vec());
        Arc::new(values.with_precision_and_scale(precision, scale).unwrap())
    }

    #[test]
    fn decimals_are_rounded_half_away_from_zero() {
        let halves = decimals(&[125, 150, 250, -150, -250, 149, -149], 12, 2);
        for or_null in [false, true] {
            assert_eq!(values(Arc::clone(&halves), DataType::Int64, or_null).unwrap(), "1 2 3 -2 -3 1 -1");
        }
        let tenths = decimals(&[125, 135, -125], 12, 2);
        let text = values(tenths, DataType::Decimal128(12, 1), false).unwrap();
        assert_eq!(text, "1.3 1.4 -1.3");
        // The last digit that a decimal has carries.
        let most = decimals(&[99_999_999_999_999_999_999_999_999_999_999_999_999], 38, 38);
        assert_eq!(values(most, DataType::Int32, false).unwrap(), "1");
    }

    #[test]
    fn floats_are_rounded_half_to_even() {
        let floats = || Arc::new(Float64Array::from(vec![0.5, 1.5, 2.5, -0.5, -1.5, 2.6]));
        assert_eq!(values(floats(), DataType::Int32, false).unwrap(), "0 2 2 0 -2 3");
        let none = Arc::new(Float64Array::from(vec![Some(f64::NAN), Some(3e9), Some(127.4), None]));
        assert_eq!(values(none, DataType::Int8, true).unwrap(), "NULL NULL 127 NULL");
        let large = || Arc::new(Float64Array::from(vec![1e300, f64::INFINITY, 1.0]));
        assert_eq!(values(large(), DataType::Float32, true).unwrap(), "NULL inf 1.0");
        assert!(values(large(), DataType::Float32, false).unwrap_err().contains("out of range"));
    }

    #[test]
    fn times_are_rounded_half_away_from_1970() {
        let times = || Arc::new(TimestampMicrosecondArray::from(vec![-1, -499_999, -500_000, 499_999, 500_000]));
        for or_null in [false, true] {
            let found = values(times(), DataType::Timestamp(TimeUnit::Second, None), or_null).unwrap();
            assert_eq!(
                found,
                "1970-01-01T00:00:00 1970-01-01T00:00:00 1969-12-31T23:59:59 1970-01-01T00:00:00 1970-01-01T00:00:01"
            );
        }
        let least: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![i64::MIN]));
        let coarse = rounded_time(&least, TimeUnit::Microsecond, TimeUnit::Millisecond).unwrap();
        assert_eq!(coarse.as_primitive::<TimestampMillisecondType>().value(0), -9_223_372_036_854_776);
    }

    #[test]
    fn a_value_that_does_not_fit_is_refused_in_words_or_null() {
        let large = || Arc::new(Int64Array::from(vec![Some(1), None, Some(3_000_000_000)]));
        assert_eq!(values(large(), DataType::Int32, true).unwrap(), "1 NULL NULL");
        let error = values(large(), DataType::Int32, false).unwrap_err();
        assert!(error.contains("CAST(x AS INTEGER) is out of range") && !error.contains("3000000000"), "{error}");
        let error = values(decimals(&[99_950], 12, 2), DataType::Decimal128(4, 1), false);
        assert_eq!(error.unwrap(), "999.5");
        let error = values(decimals(&[99_995], 12, 2), DataType::Decimal128(4, 1), false).unwrap_err();
        assert!(error.contains("DECIMAL(4, 1)"), "{error}");
    }
}
