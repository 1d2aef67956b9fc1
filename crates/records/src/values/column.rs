//! Builders of the declared columns: one value at a time, from the fields of CSV and of NDJSON.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanBuilder, Date32Builder, Decimal128Builder, Float64Builder, Int32Builder, Int64Builder, ListArray,
    NullBufferBuilder, StringViewBuilder, TimestampMicrosecondBuilder,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, TimeUnit};
use arrow::error::ArrowError;

use super::hint::{self, Kind};
use super::number::NumberSyntax;
use super::{Values, narrow, trimmed};
use crate::csv::CsvField;
use crate::fault::Reason;
use crate::json::{JsonScanner, JsonValue};

/// Column that is being read.
#[derive(Debug)]
pub enum Column {
    /// Text, as it is.
    Text(StringViewBuilder),
    /// `true` or `false`.
    Boolean(BooleanBuilder),
    /// 32-bit integers.
    Int32(Int32Builder),
    /// 64-bit integers.
    Int64(Int64Builder),
    /// Floats.
    Float64(Float64Builder),
    /// Decimals: their values, precision and scale.
    Decimal(Decimal128Builder, u8, i8),
    /// Days since 1970.
    Date(Date32Builder),
    /// Microseconds since 1970.
    Timestamp(TimestampMicrosecondBuilder),
    /// Lists: their elements, and for each list its end among them.
    List {
        /// Field of the elements.
        field: Arc<Field>,
        /// All elements of all lists.
        elements: Box<Column>,
        /// Beginning of the first list, and end of each.
        offsets: Vec<i32>,
        /// Which lists there are.
        validity: NullBufferBuilder,
    },
}

impl Column {
    /// Returns an empty column; `None` if text cannot be read as its type.
    pub fn new(data_type: &DataType, capacity: usize) -> Option<Self> {
        Some(match data_type {
            DataType::Utf8View => Self::Text(StringViewBuilder::with_capacity(capacity)),
            DataType::Boolean => Self::Boolean(BooleanBuilder::with_capacity(capacity)),
            DataType::Int32 => Self::Int32(Int32Builder::with_capacity(capacity)),
            DataType::Int64 => Self::Int64(Int64Builder::with_capacity(capacity)),
            DataType::Float64 => Self::Float64(Float64Builder::with_capacity(capacity)),
            DataType::Decimal128(precision, scale) => {
                let builder = Decimal128Builder::with_capacity(capacity);
                Self::Decimal(builder.with_precision_and_scale(*precision, *scale).ok()?, *precision, *scale)
            }
            DataType::Date32 => Self::Date(Date32Builder::with_capacity(capacity)),
            DataType::Timestamp(TimeUnit::Microsecond, None) => {
                Self::Timestamp(TimestampMicrosecondBuilder::with_capacity(capacity))
            }
            DataType::List(field) => Self::List {
                field: Arc::clone(field),
                elements: Box::new(Self::new(field.data_type(), capacity)?),
                offsets: vec![0],
                validity: NullBufferBuilder::new(capacity),
            },
            _ => return None,
        })
    }

    /// Adds the value of a field of CSV.
    ///
    /// # Errors
    /// The reason why the field is none of the column's type.
    pub fn push_csv(&mut self, field: &CsvField<'_>, values: &Values) -> Result<(), Reason> {
        let blank = match self {
            Self::Text(_) => field.text.is_empty() && !field.quoted,
            _ => trimmed(&field.text).is_empty(),
        };
        if blank || values.is_null(&field.text) {
            self.push_null();
            return Ok(());
        }
        self.push_text(&field.text, values)
    }

    /// Adds a value of JSON.
    ///
    /// # Errors
    /// The reason why it is none of the column's type.
    pub fn push_json(&mut self, value: &JsonValue<'_>, values: &Values) -> Result<(), Reason> {
        match (&mut *self, value) {
            (_, JsonValue::Null) => self.push_null(),
            (_, JsonValue::Text(text)) if values.is_null(text) => self.push_null(),
            (Self::List { elements, offsets, validity, .. }, JsonValue::Array(array)) => {
                JsonScanner::new(array).array(|element| elements.push_json(&element, values))?;
                offsets.push(i32::try_from(elements.len()).map_err(|_| Reason::of("its lists are too long"))?);
                validity.append_non_null();
            }
            (Self::List { .. }, _) => return Err(Reason::of("it is no array")),
            (_, JsonValue::Array(_) | JsonValue::Object) => {
                return Err(Reason::of("it is an array or an object, and no single value"));
            }
            (_, JsonValue::Text(text)) => return self.push_text(text, values),
            (Self::Boolean(builder), JsonValue::Bool(value)) => builder.append_value(*value),
            (Self::Text(builder), JsonValue::Bool(value)) => {
                builder.append_value(if *value { "true" } else { "false" });
            }
            (_, JsonValue::Bool(_)) => return Err(Reason::of("it is true or false, and not of the declared type")),
            (_, JsonValue::Number(number)) => return self.push_number(number, values),
        }
        Ok(())
    }

    /// Adds a number of JSON.
    fn push_number(&mut self, number: &str, values: &Values) -> Result<(), Reason> {
        match self {
            Self::Text(builder) => builder.append_value(number),
            Self::Date(_) if values.dates.is_declared() => return self.push_text(number, values),
            Self::Timestamp(_) if values.timestamps.is_declared() => return self.push_text(number, values),
            Self::Date(_) | Self::Timestamp(_) => {
                let setting = "values: {timestamps: [\"%s\"]} (seconds since 1970) or [\"%Q\"] (milliseconds)";
                let reason = Reason::of("it is a number, which does not say what it counts");
                return Err(reason.with_setting(matches!(self, Self::Timestamp(_)).then(|| setting.to_owned())));
            }
            _ => return self.push_numeric(number, NumberSyntax::JSON),
        }
        Ok(())
    }

    /// Adds the value that a text says.
    fn push_text(&mut self, text: &str, values: &Values) -> Result<(), Reason> {
        if let Self::Text(builder) = self {
            builder.append_value(text);
            return Ok(());
        }
        let narrowed = narrow(text);
        let plain = trimmed(&narrowed);
        let pushed = match self {
            Self::Boolean(builder) => match plain {
                word if word.eq_ignore_ascii_case("true") => {
                    builder.append_value(true);
                    Ok(())
                }
                word if word.eq_ignore_ascii_case("false") => {
                    builder.append_value(false);
                    Ok(())
                }
                _ => Err(Reason::of("it is neither true nor false")),
            },
            Self::Date(builder) => values.dates.date(plain).map(|days| builder.append_value(days)),
            Self::Timestamp(builder) => values.timestamps.timestamp(plain).map(|time| builder.append_value(time)),
            Self::List { .. } => Err(Reason::of("it is no array")),
            _ => self.push_numeric(plain, values.numbers),
        };
        pushed.map_err(|reason| {
            let setting = hint::setting(self.kind(), text);
            reason.with_setting(setting)
        })
    }

    fn kind(&self) -> Kind {
        match self {
            Self::Date(_) => Kind::Date,
            Self::Timestamp(_) => Kind::Timestamp,
            Self::Int32(_) | Self::Int64(_) | Self::Float64(_) | Self::Decimal(..) => Kind::Number,
            _ => Kind::Other,
        }
    }

    fn push_numeric(&mut self, text: &str, syntax: NumberSyntax) -> Result<(), Reason> {
        let too_large = || Reason::of("it is too large for the declared type");
        match self {
            Self::Int32(builder) => {
                builder.append_value(i32::try_from(syntax.exact(text, 0)?).map_err(|_| too_large())?);
            }
            Self::Int64(builder) => {
                builder.append_value(i64::try_from(syntax.exact(text, 0)?).map_err(|_| too_large())?);
            }
            Self::Float64(builder) => builder.append_value(syntax.float(text)?),
            Self::Decimal(builder, precision, scale) => {
                let value = syntax.exact(text, usize::try_from(*scale).unwrap_or(0))?;
                if value.unsigned_abs() >= 10_u128.pow(u32::from(*precision)) {
                    return Err(too_large());
                }
                builder.append_value(value);
            }
            _ => return Err(Reason::of("it is a number, and not of the declared type")),
        }
        Ok(())
    }

    /// Adds a NULL.
    pub fn push_null(&mut self) {
        match self {
            Self::Text(builder) => builder.append_null(),
            Self::Boolean(builder) => builder.append_null(),
            Self::Int32(builder) => builder.append_null(),
            Self::Int64(builder) => builder.append_null(),
            Self::Float64(builder) => builder.append_null(),
            Self::Decimal(builder, ..) => builder.append_null(),
            Self::Date(builder) => builder.append_null(),
            Self::Timestamp(builder) => builder.append_null(),
            Self::List { offsets, validity, .. } => {
                offsets.push(offsets.last().copied().unwrap_or(0));
                validity.append_null();
            }
        }
    }

    /// Returns the number of values.
    fn len(&self) -> usize {
        use arrow::array::ArrayBuilder;
        match self {
            Self::Text(builder) => builder.len(),
            Self::Boolean(builder) => builder.len(),
            Self::Int32(builder) => builder.len(),
            Self::Int64(builder) => builder.len(),
            Self::Float64(builder) => builder.len(),
            Self::Decimal(builder, ..) => builder.len(),
            Self::Date(builder) => builder.len(),
            Self::Timestamp(builder) => builder.len(),
            Self::List { offsets, .. } => offsets.len() - 1,
        }
    }

    /// Returns the values.
    ///
    /// # Errors
    /// If lists and their elements do not agree.
    pub fn finish(self) -> Result<ArrayRef, ArrowError> {
        Ok(match self {
            Self::Text(mut builder) => Arc::new(builder.finish()),
            Self::Boolean(mut builder) => Arc::new(builder.finish()),
            Self::Int32(mut builder) => Arc::new(builder.finish()),
            Self::Int64(mut builder) => Arc::new(builder.finish()),
            Self::Float64(mut builder) => Arc::new(builder.finish()),
            Self::Decimal(mut builder, ..) => Arc::new(builder.finish()),
            Self::Date(mut builder) => Arc::new(builder.finish()),
            Self::Timestamp(mut builder) => Arc::new(builder.finish()),
            Self::List { field, elements, offsets, mut validity } => {
                let offsets = OffsetBuffer::new(offsets.into());
                Arc::new(ListArray::try_new(field, offsets, elements.finish()?, validity.finish())?)
            }
        })
    }
}
