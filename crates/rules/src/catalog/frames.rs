//! Frames of windows that reach a distance from a row's own value.
//!
//! DataFusion 55 adds the distance in the type of the key: it wraps around at the type's ends, so that the frame of the greatest
//! integer has the rows of NULL in it, and over days it forgets hours. So the key is given a type that holds every sum.

use arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::DFSchema;
use datafusion::logical_expr::expr::Cast;
use datafusion::logical_expr::{Expr, ExprSchemable, WindowFrame, WindowFrameBound, WindowFrameUnits};

/// Digits that hold the sum of any two integers.
const DIGITS: u8 = 21;

/// Returns a window function whose key holds what its frame reaches; `None` for another expression.
pub(super) fn with_wide_key(part: &Expr, schema: &DFSchema) -> Option<Expr> {
    let Expr::WindowFunction(window) = part else { return None };
    let [key] = &window.params.order_by[..] else { return None };
    if !reaches(&window.params.window_frame) {
        return None;
    }
    let wide = match key.expr.get_type(schema).ok()? {
        DataType::Date32 | DataType::Date64 => DataType::Timestamp(TimeUnit::Microsecond, None),
        number if number.is_integer() => DataType::Decimal128(DIGITS, 0),
        _ => return None,
    };
    let mut widened = window.clone();
    widened.params.order_by[0].expr = Expr::Cast(Cast::new(Box::new(key.expr.clone()), wide));
    Some(Expr::WindowFunction(widened))
}

/// Returns true if a frame ends at a distance from the row's own value.
fn reaches(frame: &WindowFrame) -> bool {
    let distant = |bound: &WindowFrameBound| match bound {
        WindowFrameBound::Preceding(value) | WindowFrameBound::Following(value) => !value.is_null(),
        WindowFrameBound::CurrentRow => false,
    };
    frame.units == WindowFrameUnits::Range && (distant(&frame.start_bound) || distant(&frame.end_bound))
}
