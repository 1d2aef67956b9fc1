//! Functions whose results can be far larger than what they are made of, with a bound that is checked before anything is
//! made: `repeat('x', 1000000000)` is a short text, and no memory pool counts what a function makes.
//!
//! They are bounded wherever they run: at owners, in the merge at home, and where constants are folded. Over non-public data
//! most of them are not admitted at all, and texts have a bound of their own (`admission/growth.rs`).

use std::sync::Arc;

use arrow::array::{Array, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type, IntervalMonthDayNanoType, IntervalUnit, TimeUnit, UInt64Type};
use datafusion::common::{DataFusionError, Result as DfResult, ScalarValue};
use datafusion::execution::FunctionRegistry;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF};
use wanqu_model::refusal::{Code, Refusal};

use super::changed::{Change, changed};
use super::made::Call;

/// Bytes of one result that is made of constants alone. It may be repeated for each row of a batch.
const MAX_CONSTANT: u64 = 64 * 1024;

/// Bytes of the results for one batch of rows.
const MAX_BATCH: u64 = 128 << 20;

/// Bytes of all results for the same rows that are in memory together.
const MAX_TOGETHER: u64 = 2 * MAX_BATCH;

/// Measure of a result by its arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Growth {
    /// The first argument, as often as the second says.
    Times,
    /// As many characters as the second argument says.
    Padded,
    /// As many values as there are steps from the first argument to the second.
    Steps,
    /// The second argument's number of elements, each as large as the largest.
    Resized,
    /// The third argument in every place in which the second may be found in the first.
    Replaced,
    /// The same for patterns, which may be found between any two characters, and may be repeated by the third.
    PatternReplaced,
    /// All arguments one after the other.
    Together,
    /// The first argument between all the others.
    Between,
    /// The second argument between the elements of the first, the third in the places of NULLs.
    Listed,
    /// The third argument in the place of each element of the first.
    ElementsReplaced,
    /// The first argument in the letters of another alphabet.
    Encoded,
    /// A list of the pieces of the first argument.
    Split,
    /// The groups of the second argument, each of which may be the whole of the first.
    Groups,
    /// The first argument as the letters of the second write it out.
    Formatted,
}

const FUNCTIONS: [(&str, Growth); 27] = [
    ("repeat", Growth::Times),
    ("array_repeat", Growth::Times),
    ("lpad", Growth::Padded),
    ("rpad", Growth::Padded),
    ("range", Growth::Steps),
    ("generate_series", Growth::Steps),
    ("array_resize", Growth::Resized),
    ("replace", Growth::Replaced),
    ("regexp_replace", Growth::PatternReplaced),
    ("concat", Growth::Together),
    ("concat_ws", Growth::Between),
    ("array_concat", Growth::Together),
    ("array_append", Growth::Together),
    ("array_prepend", Growth::Together),
    ("make_array", Growth::Together),
    ("array_to_string", Growth::Listed),
    ("overlay", Growth::Together),
    ("array_union", Growth::Together),
    ("arrays_zip", Growth::Together),
    ("map", Growth::Together),
    ("encode", Growth::Encoded),
    ("array_replace", Growth::ElementsReplaced),
    ("array_replace_n", Growth::ElementsReplaced),
    ("array_replace_all", Growth::ElementsReplaced),
    ("string_to_array", Growth::Split),
    ("regexp_match", Growth::Groups),
    ("to_char", Growth::Formatted),
];

/// Bytes of an element of a list beside its own.
const ELEMENT: u64 = 16;

/// The most groups of a pattern that may lie within each other, and so each hold a whole text.
const NESTED_GROUPS: u64 = 250;

/// The most bytes that one letter of a form becomes.
const LETTER: u64 = 32;

/// Puts the bounded functions into a session, in place of the engine's own.
pub(super) fn register(state: &mut SessionState) -> DfResult<()> {
    for (name, growth) in FUNCTIONS {
        // One that this build of the engine does not have cannot be called.
        if let Ok(engine) = state.udf(name) {
            state.register_udf(changed(engine, growth))?;
        }
    }
    Ok(())
}

impl Change for Growth {
    fn compute(&self, engine: &ScalarUDF, args: ScalarFunctionArgs) -> DfResult<ColumnarValue> {
        let constant = args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let bytes = check(*self, &args.args, if constant { 1 } else { args.number_rows }, engine.name())?;
        if constant {
            return engine.inner().invoke_with_args(args);
        }
        let call = Call::of(&args);
        if call.others().saturating_add(bytes) > MAX_TOGETHER {
            return Err(too_large(engine.name(), false));
        }
        let made = engine.inner().invoke_with_args(args)?;
        if let ColumnarValue::Array(array) = &made {
            call.made(array);
        }
        Ok(made)
    }
}

/// Checks the concatenation of two texts before it is made.
pub(super) fn check_concatenation(args: &[ColumnarValue], rows: usize) -> DfResult<()> {
    check(Growth::Together, args, rows, "||").map(|_| ())
}

/// Returns the bytes of the results, at most.
fn check(growth: Growth, args: &[ColumnarValue], rows: usize, name: &str) -> DfResult<u64> {
    let constant = args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
    let most = if constant { MAX_CONSTANT } else { MAX_BATCH };
    let sizes = Sizes::of(growth, args)?;
    let mut total = 0_u64;
    for row in 0..rows {
        total = total.saturating_add(sizes.at(growth, row));
        if total > most {
            return Err(too_large(name, constant));
        }
    }
    Ok(total)
}

fn too_large(name: &str, constant: bool) -> DataFusionError {
    let refusal = Refusal::new(Code::Limit, format!("{name} would make a value that is too large"))
        .with_rule(format!(
            "a constant that a query computes has at most {} KiB, and what a function makes of some thousand rows at most \
             {} MiB, and all functions together {} MiB",
            MAX_CONSTANT >> 10,
            MAX_BATCH >> 20,
            MAX_TOGETHER >> 20
        ))
        .with_subject(name.to_owned())
        .with_remedy(if constant { "write a smaller constant" } else { "make less of each row" });
    DataFusionError::External(Box::new(refusal))
}

/// Sizes of arguments, in bytes, and their values and numbers of elements where these count.
struct Sizes {
    bytes: Vec<Each<u64>>,
    numbers: Vec<Each<f64>>,
    elements: Vec<Each<u64>>,
}

/// A value for each row, or one for all.
enum Each<T> {
    All(T),
    Rows(Vec<T>),
}

impl<T: Copy + Default> Each<T> {
    fn at(&self, row: usize) -> T {
        match self {
            Self::All(value) => *value,
            Self::Rows(values) => values.get(row).copied().unwrap_or_default(),
        }
    }
}

impl Sizes {
    fn of(growth: Growth, args: &[ColumnarValue]) -> DfResult<Self> {
        let mut bytes = args.iter().map(bytes).collect::<DfResult<Vec<_>>>()?;
        if let (Growth::Groups, Some(pattern), Some(groups)) = (growth, args.get(1), bytes.get_mut(1)) {
            *groups = brackets(pattern)?;
        }
        let counts = matches!(growth, Growth::Times | Growth::Padded | Growth::Steps | Growth::Resized);
        let numbers = if counts { args.iter().map(numbers).collect::<DfResult<_>>()? } else { Vec::new() };
        let listed = matches!(growth, Growth::Listed | Growth::ElementsReplaced);
        let elements = if listed { args.iter().map(elements).collect::<DfResult<_>>()? } else { Vec::new() };
        Ok(Self { bytes, numbers, elements })
    }

    fn at(&self, growth: Growth, row: usize) -> u64 {
        let bytes = |arg: usize| self.bytes.get(arg).map_or(0, |each| each.at(row));
        let elements = |arg: usize| self.elements.get(arg).map_or(0, |each| each.at(row));
        let number = |arg: usize| self.numbers.get(arg).map(|each| each.at(row));
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast of floats saturates")]
        let count = |arg: usize| number(arg).unwrap_or_default().max(0.0) as u64;
        match growth {
            Growth::Times => bytes(0).max(1).saturating_mul(count(1)),
            Growth::Padded => count(1).saturating_mul(4),
            Growth::Steps => {
                let (start, stop) = match (number(0), number(1)) {
                    (Some(stop), None) => (0.0, stop),
                    (Some(start), Some(stop)) => (start, stop),
                    (None, _) => return 0,
                };
                let step = number(2).unwrap_or(1.0).abs();
                // The engine refuses steps of nothing.
                let steps = if step > 0.0 { (stop - start).abs() / step } else { 0.0 };
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "a cast of floats saturates"
                )]
                let steps = steps.min(1e18) as u64;
                steps.saturating_mul(8)
            }
            Growth::Resized => count(1).saturating_mul(bytes(0).max(bytes(2)).max(8)),
            Growth::Replaced => {
                let (of, from, to) = (bytes(0), bytes(1), bytes(2));
                let places = of.checked_div(from).unwrap_or_else(|| of.saturating_add(1));
                of.saturating_add(places.saturating_mul(to))
            }
            Growth::PatternReplaced => {
                let (of, to) = (bytes(0), bytes(2));
                of.saturating_add(of.saturating_add(1).saturating_mul(to)).saturating_add(of.saturating_mul(to / 2))
            }
            Growth::Together => (0..self.bytes.len()).map(bytes).fold(0, u64::saturating_add),
            Growth::Listed => {
                let each = bytes(1).saturating_add(bytes(2)).saturating_add(ELEMENT);
                bytes(0).saturating_add(elements(0).saturating_add(1).saturating_mul(each))
            }
            Growth::ElementsReplaced => {
                let each = bytes(2).saturating_add(ELEMENT);
                bytes(0).saturating_add(elements(0).saturating_mul(each))
            }
            Growth::Encoded => bytes(0).saturating_mul(2),
            Growth::Split => bytes(0).saturating_mul(ELEMENT / 2),
            Growth::Groups => bytes(0).saturating_mul(bytes(1).clamp(1, NESTED_GROUPS)),
            Growth::Formatted => bytes(1).saturating_mul(LETTER),
            Growth::Between => {
                let all = (1..self.bytes.len()).map(bytes).fold(0, u64::saturating_add);
                all.saturating_add(bytes(0).saturating_mul(self.bytes.len() as u64))
            }
        }
    }
}

/// Returns the bytes of an argument's values. Of values that are neither texts nor lists of their own, an average.
fn bytes(arg: &ColumnarValue) -> DfResult<Each<u64>> {
    match arg {
        ColumnarValue::Scalar(ScalarValue::Utf8(text) | ScalarValue::LargeUtf8(text) | ScalarValue::Utf8View(text)) => {
            Ok(Each::All(text.as_ref().map_or(0, |text| text.len() as u64)))
        }
        ColumnarValue::Scalar(value) => {
            let bytes = value.data_type().primitive_width().unwrap_or_else(|| value.size());
            Ok(Each::All(bytes as u64))
        }
        ColumnarValue::Array(array) if array.data_type().is_string() => {
            let texts = cast(array, &DataType::Utf8View)?;
            let texts = texts.as_string_view();
            let length = |row| if texts.is_null(row) { 0 } else { texts.value(row).len() as u64 };
            Ok(Each::Rows((0..texts.len()).map(length).collect()))
        }
        ColumnarValue::Array(array) => {
            let data = array.to_data();
            let all = data.get_slice_memory_size().unwrap_or_else(|_| data.get_array_memory_size()) as u64;
            Ok(Each::All(all / (array.len() as u64).max(1)))
        }
    }
}

/// Returns the numbers of brackets that open in an argument's texts.
fn brackets(arg: &ColumnarValue) -> DfResult<Each<u64>> {
    let array = match arg {
        ColumnarValue::Scalar(value) => value.to_array()?,
        ColumnarValue::Array(array) => Arc::clone(array),
    };
    let texts = cast(&array, &DataType::Utf8View)?;
    let texts = texts.as_string_view();
    let values: Vec<u64> = texts.iter().map(|text| text.map_or(0, |text| text.matches('(').count() as u64)).collect();
    Ok(match (arg, values.first()) {
        (ColumnarValue::Scalar(_), Some(value)) => Each::All(*value),
        _ => Each::Rows(values),
    })
}

/// Returns the numbers of elements of an argument's lists; none for what is no list.
fn elements(arg: &ColumnarValue) -> DfResult<Each<u64>> {
    let array = match arg {
        ColumnarValue::Scalar(value) => value.to_array()?,
        ColumnarValue::Array(array) => Arc::clone(array),
    };
    let is_list = matches!(
        array.data_type(),
        DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(..) | DataType::ListView(_)
    );
    if !is_list {
        return Ok(Each::All(0));
    }
    let lengths = cast(&arrow::compute::kernels::length::length(&array)?, &DataType::UInt64)?;
    let lengths = lengths.as_primitive::<UInt64Type>();
    let values: Vec<u64> = lengths.iter().map(Option::unwrap_or_default).collect();
    Ok(match (arg, values.first()) {
        (ColumnarValue::Scalar(_), Some(value)) => Each::All(*value),
        _ => Each::Rows(values),
    })
}

/// Returns an argument's values as numbers: times and intervals in seconds, and nothing of others.
fn numbers(arg: &ColumnarValue) -> DfResult<Each<f64>> {
    let array = match arg {
        ColumnarValue::Scalar(value) => value.to_array()?,
        ColumnarValue::Array(array) => Arc::clone(array),
    };
    let of_seconds = |array: &dyn Array, nanoseconds: bool| -> DfResult<Vec<f64>> {
        let whole = cast(array, &DataType::Int64)?;
        let whole = whole.as_primitive::<Int64Type>();
        #[expect(clippy::cast_precision_loss, reason = "a bound need not be exact")]
        let value = |row| if whole.is_null(row) { 0.0 } else { whole.value(row) as f64 };
        Ok((0..whole.len()).map(|row| if nanoseconds { value(row) / 1e9 } else { value(row) }).collect())
    };
    let values = match array.data_type() {
        DataType::Date32 | DataType::Date64 | DataType::Timestamp(..) => {
            of_seconds(&cast(&array, &DataType::Timestamp(TimeUnit::Second, None))?, false)?
        }
        DataType::Interval(IntervalUnit::MonthDayNano) => {
            let intervals = array.as_primitive::<IntervalMonthDayNanoType>();
            #[expect(clippy::cast_precision_loss, reason = "a bound need not be exact")]
            let seconds = |row| {
                let interval = intervals.value(row);
                let days = f64::from(interval.months) * 28.0 + f64::from(interval.days);
                days * 86_400.0 + interval.nanoseconds as f64 / 1e9
            };
            (0..intervals.len()).map(|row| if intervals.is_null(row) { 0.0 } else { seconds(row) }).collect()
        }
        number if number.is_integer() => of_seconds(&array, false)?,
        _ => vec![0.0; array.len()],
    };
    Ok(match (arg, values.first()) {
        (ColumnarValue::Scalar(_), Some(value)) => Each::All(*value),
        _ => Each::Rows(values),
    })
}
