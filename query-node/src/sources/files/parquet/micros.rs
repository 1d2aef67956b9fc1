//! Points in time in microseconds, of columns that have nanoseconds: each the microsecond that it is in, also before 1970.
//! Arrow's cast cuts towards 1970.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, FixedSizeListArray, GenericListArray, OffsetSizeTrait, RecordBatch};
use arrow::compute::{CastOptions, cast, cast_with_options};
use arrow::datatypes::{
    DataType, Field, FieldRef, Schema, TimeUnit, TimestampMicrosecondType, TimestampNanosecondType,
};
use arrow::error::ArrowError;
use datafusion::common::{Result as DfResult, ScalarValue, internal_datafusion_err};
use datafusion::logical_expr::ColumnarValue;
use datafusion::physical_expr::PhysicalExpr;

/// Returns true if a stored type has nanoseconds, by itself or in its elements.
pub fn has_nanoseconds(stored: &DataType) -> bool {
    match stored {
        DataType::Timestamp(unit, _) => *unit == TimeUnit::Nanosecond,
        DataType::Dictionary(_, value) => has_nanoseconds(value),
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            has_nanoseconds(item.data_type())
        }
        _ => false,
    }
}

/// Returns the values with microseconds in the places of nanoseconds.
fn in_micros(values: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    Ok(match values.data_type() {
        DataType::Timestamp(TimeUnit::Nanosecond, zone) => {
            let nanos = values.as_primitive::<TimestampNanosecondType>();
            let micros = nanos.unary::<_, TimestampMicrosecondType>(|nanos| nanos.div_euclid(1_000));
            Arc::new(micros.with_timezone_opt(zone.clone()))
        }
        DataType::Dictionary(_, value) => in_micros(&cast(values, value)?)?,
        DataType::List(item) => Arc::new(list_in_micros::<i32>(values.as_list(), item)?),
        DataType::LargeList(item) => Arc::new(list_in_micros::<i64>(values.as_list(), item)?),
        DataType::FixedSizeList(item, length) => {
            let list = values.as_fixed_size_list();
            let items = in_micros(list.values())?;
            let item = item_of(item, &items);
            Arc::new(FixedSizeListArray::try_new(item, *length, items, list.nulls().cloned())?)
        }
        _ => Arc::clone(values),
    })
}

fn list_in_micros<O: OffsetSizeTrait>(
    list: &GenericListArray<O>,
    item: &FieldRef,
) -> Result<GenericListArray<O>, ArrowError> {
    let items = in_micros(list.values())?;
    GenericListArray::try_new(item_of(item, &items), list.offsets().clone(), items, list.nulls().cloned())
}

fn item_of(item: &FieldRef, items: &ArrayRef) -> FieldRef {
    Arc::new(Field::new(item.name(), items.data_type().clone(), item.is_nullable()))
}

/// Column with nanoseconds, read as its declared type with microseconds.
#[derive(Debug, Eq)]
pub struct InMicros {
    column: Arc<dyn PhysicalExpr>,
    declared: DataType,
}

impl InMicros {
    /// Reads a column as its declared type.
    pub fn read(column: Arc<dyn PhysicalExpr>, declared: DataType) -> Arc<dyn PhysicalExpr> {
        Arc::new(Self { column, declared })
    }

    fn computed(&self, values: &ArrayRef) -> DfResult<ArrayRef> {
        let lenient = CastOptions { safe: true, ..CastOptions::default() };
        Ok(cast_with_options(&in_micros(values)?, &self.declared, &lenient)?)
    }
}

impl PartialEq for InMicros {
    fn eq(&self, other: &Self) -> bool {
        self.column.eq(&other.column) && self.declared == other.declared
    }
}

impl Hash for InMicros {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.column.hash(state);
        self.declared.hash(state);
    }
}

impl fmt::Display for InMicros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "in_micros({})", self.column)
    }
}

impl PhysicalExpr for InMicros {
    fn data_type(&self, _: &Schema) -> DfResult<DataType> {
        Ok(self.declared.clone())
    }

    fn nullable(&self, _: &Schema) -> DfResult<bool> {
        Ok(true)
    }

    fn return_field(&self, _: &Schema) -> DfResult<FieldRef> {
        Ok(Arc::new(Field::new(self.to_string(), self.declared.clone(), true)))
    }

    fn evaluate(&self, batch: &RecordBatch) -> DfResult<ColumnarValue> {
        Ok(match self.column.evaluate(batch)? {
            ColumnarValue::Array(values) => ColumnarValue::Array(self.computed(&values)?),
            ColumnarValue::Scalar(value) => {
                let read = self.computed(&value.to_array()?)?;
                ColumnarValue::Scalar(ScalarValue::try_from_array(&read, 0)?)
            }
        })
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.column]
    }

    fn with_new_children(self: Arc<Self>, mut children: Vec<Arc<dyn PhysicalExpr>>) -> DfResult<Arc<dyn PhysicalExpr>> {
        let column = children.pop().ok_or_else(|| internal_datafusion_err!("an expression without its child"))?;
        Ok(Self::read(column, self.declared.clone()))
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.column.fmt_sql(f)
    }
}
