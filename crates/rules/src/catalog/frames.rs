//! Frames of windows that reach a distance from a row's own value.
//!
//! DataFusion 55 adds the distance in the type of the key: it wraps around at the type's ends, so that the frame of the greatest
//! integer has the rows of NULL in it, and over days it forgets hours. So the key is given a type that holds every sum.

use arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::{DFSchema, DataFusionError, Result as DfResult, ScalarValue};
use datafusion::logical_expr::expr::Cast;
use datafusion::logical_expr::{Expr, ExprSchemable, WindowFrame, WindowFrameBound, WindowFrameUnits};
use wanqu_model::refusal::{Code, Refusal};

/// Digits that hold the sum of any two integers.
const DIGITS: u8 = 21;

/// Returns a window function whose key holds what its frame reaches; `None` for another expression.
///
/// # Errors
/// The refusal of a number as a distance between times: the engine takes it for one of months. That of a key between whose values there
/// are no distances, such as a text.
pub(super) fn with_wide_key(part: &Expr, schema: &DFSchema) -> DfResult<Option<Expr>> {
    let Expr::WindowFunction(window) = part else { return Ok(None) };
    let [key] = &window.params.order_by[..] else { return Ok(None) };
    if !reaches(&window.params.window_frame) {
        return Ok(None);
    }
    let Ok(data_type) = key.expr.get_type(schema) else { return Ok(None) };
    if data_type.is_temporal() && bounds(&window.params.window_frame).any(is_number) {
        return Err(number_between_times());
    }
    if !(data_type.is_numeric() || data_type.is_temporal() || data_type.is_null()) {
        return Err(without_distances());
    }
    let wide = match data_type {
        DataType::Date32 | DataType::Date64 => DataType::Timestamp(TimeUnit::Microsecond, None),
        number if number.is_integer() => DataType::Decimal128(DIGITS, 0),
        _ => return Ok(None),
    };
    let mut widened = window.clone();
    widened.params.order_by[0].expr = Expr::Cast(Cast::new(Box::new(key.expr.clone()), wide));
    Ok(Some(Expr::WindowFunction(widened)))
}

/// Returns the distances of a frame's ends.
fn bounds(frame: &WindowFrame) -> impl Iterator<Item = &ScalarValue> {
    [&frame.start_bound, &frame.end_bound].into_iter().filter_map(|bound| match bound {
        WindowFrameBound::Preceding(value) | WindowFrameBound::Following(value) => Some(value),
        WindowFrameBound::CurrentRow => None,
    })
}

/// Returns true for a number, which is a text until its type is settled.
fn is_number(value: &ScalarValue) -> bool {
    match value.try_as_str() {
        Some(text) => text.is_some_and(|text| text.trim().parse::<f64>().is_ok()),
        None => !value.is_null() && value.data_type().is_numeric(),
    }
}

fn number_between_times() -> DataFusionError {
    let refusal =
        Refusal::new(Code::InvalidSql, "a window over times has a number as the distance that its frame reaches")
            .with_rule("a distance between times is an INTERVAL")
            .with_subject("RANGE")
            .with_remedy("write RANGE BETWEEN INTERVAL '30 days' PRECEDING AND CURRENT ROW");
    DataFusionError::External(Box::new(refusal))
}

fn without_distances() -> DataFusionError {
    let refusal = Refusal::new(
        Code::InvalidSql,
        "a window has a frame that reaches a distance, and is ordered by no number and no time",
    )
    .with_rule("a frame of RANGE reaches from the row's own number, day or time")
    .with_subject("RANGE")
    .with_remedy("write ROWS BETWEEN 1 PRECEDING AND CURRENT ROW, or order by a number or a time");
    DataFusionError::External(Box::new(refusal))
}

/// Returns true if a frame ends at a distance from the row's own value.
fn reaches(frame: &WindowFrame) -> bool {
    frame.units == WindowFrameUnits::Range && bounds(frame).any(|value| !value.is_null())
}
