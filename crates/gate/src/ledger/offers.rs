//! The populations of a fragment, and the hidden aggregates that sketch them.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Decimal128Array, Decimal256Array, Float64Array, Int32Array, Int64Array,
    UInt64Array, new_null_array,
};
use arrow::datatypes::{DataType, Decimal128Type, Decimal256Type, Float64Type, Int32Type, Int64Type, UInt64Type, i256};
use datafusion::common::{Result as DfResult, internal_err};
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::{Aggregate, AggregateUDF, Expr, lit};
use wanqu_rules::admission::{GatedShape, Total};
use wanqu_rules::row::RowKey;

use super::{Addend, Offered, RowSketch, Value};
use crate::engine::SourcesState;
use crate::thread::{Threaded, Unit};

/// Populations of one fragment.
#[derive(Debug)]
pub struct Populations {
    /// Requesters who are taken to tell each other everything.
    pub circle: String,
    /// Least number of units by which populations must differ.
    pub k: u32,
    /// Tables of which sketches are drawn, by the datasets' own names.
    pub tables: Vec<String>,
    /// Table and population of each sketch.
    pub drawn: Vec<(usize, usize)>,
    /// Key of all hashes.
    key: RowKey,
    /// Words of each population, and the state of the sources.
    words: Vec<String>,
    /// The aggregates that draw them.
    pub sketches: Vec<Expr>,
    /// Each aggregate of the fragment, without a value yet.
    pub values: Vec<Offered>,
    /// Aggregates that stand and fall together, with the index of their group of values; `None` for those without conditions.
    pub groups: Vec<(Option<usize>, Vec<usize>)>,
}

impl Populations {
    /// Returns the populations of an aggregate over an input with hidden units and hashes of rows.
    ///
    /// # Errors
    /// If no table's rows can be told to be in it once.
    pub fn new(
        circle: &str,
        key: RowKey,
        shape: &GatedShape,
        aggregate: &Aggregate,
        input: &Threaded,
        state: &SourcesState,
    ) -> DfResult<Self> {
        let once: Vec<&Unit> = input.units.iter().filter(|unit| shape.once.contains(&unit.leaf)).collect();
        if once.is_empty() || shape.totals.len() != aggregate.aggr_expr.len() {
            return internal_err!("it is not known whose rows an aggregate adds up");
        }
        let mut populations: Vec<&Expr> = Vec::new();
        for population in shape.totals.iter().flat_map(|total| &total.populations) {
            if !populations.contains(&population) {
                populations.push(population);
            }
        }
        let function = Arc::new(AggregateUDF::from(RowSketch::new(key)));
        let (mut drawn, mut sketches) = (Vec::new(), Vec::new());
        for (population, met) in populations.iter().enumerate() {
            for (table, unit) in once.iter().enumerate() {
                let args = vec![Expr::Column(unit.column(&input.plan)?), Expr::Column(unit.row(&input.plan)?)];
                let filter = (**met != lit(true)).then(|| Box::new((*met).clone()));
                let call = AggregateFunction::new_udf(Arc::clone(&function), args, false, filter, vec![], None);
                sketches.push(Expr::AggregateFunction(call).alias(format!("__sketch_{}", drawn.len())));
                drawn.push((table, population));
            }
        }
        let types = aggregate.schema.fields().iter().skip(aggregate.group_expr.len());
        let offered = |(total, data_type): (&Total, &DataType)| {
            let text = format!("{data_type}: {}", total.function);
            let is_own = |(_, met): &(usize, &&Expr)| total.populations.contains(met);
            Offered {
                populations: populations.iter().enumerate().filter(is_own).map(|(index, _)| index).collect(),
                name: u128::from(key.text(&text)) << 64 | u128::from(key.text_again(&text)),
                adds: total.adds.iter().map(|addend| Addend::of(addend, &key)).collect(),
                value: None,
            }
        };
        let values = shape.totals.iter().zip(types.map(|field| field.data_type())).map(offered).collect();
        let of_conditions = shape.value_groups.iter().enumerate();
        let mut groups: Vec<(Option<usize>, Vec<usize>)> =
            of_conditions.map(|(index, group)| (Some(index), group.aggregates.clone())).collect();
        let apart = (0..shape.totals.len()).filter(|index| !groups.iter().any(|(_, group)| group.contains(index)));
        let apart: Vec<usize> = apart.collect();
        if !apart.is_empty() {
            groups.push((None, apart));
        }
        let keys: Vec<String> = aggregate.group_expr.iter().map(ToString::to_string).collect();
        let asked = format!("{}\n{}\n{}", aggregate.input.display_indent(), keys.join("\n"), state.0.join("\n"));
        let words = populations.iter().map(|met| format!("{asked}\n{met}")).collect();
        let tables = once.iter().map(|unit| unit.dataset.clone()).collect();
        Ok(Self {
            circle: circle.to_owned(),
            k: shape.rule.min_units,
            tables,
            drawn,
            key,
            words,
            sketches,
            values,
            groups,
        })
    }
}

impl Populations {
    /// Returns the names of the populations of a cell with these encoded group keys.
    #[must_use]
    pub fn names(&self, keys: &[u8]) -> Vec<u128> {
        let hex = keys.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
        let name = |words: &String| {
            let text = format!("{words}\n{hex}");
            u128::from(self.key.text(&text)) << 64 | u128::from(self.key.text_again(&text))
        };
        self.words.iter().map(name).collect()
    }
}

/// Returns the values of a column as they are remembered; `None` for one that has no such form.
pub fn remembered(column: &ArrayRef) -> Vec<Option<Value>> {
    macro_rules! numbers {
        ($type:ty, $bits:expr) => {
            column.as_primitive::<$type>().iter().map(|value| Some(value.map($bits))).collect()
        };
    }
    match column.data_type() {
        DataType::Boolean => column.as_boolean().iter().map(|value| Some(value.map(i128::from))).collect(),
        DataType::Int32 => numbers!(Int32Type, i128::from),
        DataType::Int64 => numbers!(Int64Type, i128::from),
        DataType::UInt64 => numbers!(UInt64Type, i128::from),
        DataType::Float64 => numbers!(Float64Type, |value| i128::from(value.to_bits())),
        DataType::Decimal128(..) => numbers!(Decimal128Type, |value| value),
        DataType::Decimal256(..) => {
            let bits = |value: Option<i256>| value.map_or(Some(None), |value| value.to_i128().map(Some));
            column.as_primitive::<Decimal256Type>().iter().map(bits).collect()
        }
        _ => (0..column.len()).map(|row| column.is_null(row).then_some(None)).collect(),
    }
}

/// Returns a column of values that were remembered, in the type that they had then.
pub fn recalled(values: &[Value], data_type: &DataType) -> DfResult<ArrayRef> {
    macro_rules! numbers {
        ($array:ty, $native:ty, $of:expr) => {{
            let each = values.iter().map(|bits| bits.map(<$native>::try_from).transpose());
            let natives = each.collect::<Result<Vec<Option<$native>>, _>>();
            let natives = natives.or_else(|_| internal_err!("a remembered value does not fit into its type"))?;
            Arc::new(natives.into_iter().map(|native| native.map($of)).collect::<$array>())
        }};
    }
    Ok(match data_type {
        DataType::Boolean => Arc::new(values.iter().map(|bits| bits.map(|bits| bits != 0)).collect::<BooleanArray>()),
        DataType::Int32 => numbers!(Int32Array, i32, |value| value),
        DataType::Int64 => numbers!(Int64Array, i64, |value| value),
        DataType::UInt64 => numbers!(UInt64Array, u64, |value| value),
        DataType::Float64 => numbers!(Float64Array, u64, f64::from_bits),
        DataType::Decimal128(digits, scale) => {
            let values: Decimal128Array = values.iter().copied().collect();
            Arc::new(values.with_precision_and_scale(*digits, *scale)?)
        }
        DataType::Decimal256(digits, scale) => {
            let values: Decimal256Array = values.iter().map(|bits| bits.map(i256::from_i128)).collect();
            Arc::new(values.with_precision_and_scale(*digits, *scale)?)
        }
        other if values.iter().all(Option::is_none) => new_null_array(other, values.len()),
        _ => return internal_err!("a value of a type that is not remembered"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    use arrow::array::StringViewArray;

    #[test]
    fn values_are_recalled_as_they_were() {
        let columns: Vec<ArrayRef> = vec![
            Arc::new(BooleanArray::from(vec![Some(true), None, Some(false)])),
            Arc::new(Int32Array::from(vec![Some(-5), None, Some(i32::MAX)])),
            Arc::new(Int64Array::from(vec![Some(i64::MIN), None])),
            Arc::new(UInt64Array::from(vec![Some(u64::MAX), None])),
            Arc::new(Float64Array::from(vec![Some(-0.1), None, Some(f64::NAN)])),
            Arc::new(Decimal128Array::from(vec![Some(-7), None]).with_precision_and_scale(38, 2).unwrap()),
            Arc::new(Decimal256Array::from(vec![Some(i256::from(-7)), None]).with_precision_and_scale(76, 2).unwrap()),
        ];
        for column in columns {
            let values: Vec<Value> = remembered(&column).into_iter().map(Option::unwrap).collect();
            let again = recalled(&values, column.data_type()).unwrap();
            assert_eq!(again.to_data(), column.to_data());
        }
        let texts: ArrayRef = Arc::new(StringViewArray::from(vec![Some("a"), None]));
        assert_eq!(remembered(&texts), [None, Some(None)]);
        assert!(recalled(&[Some(-1)], &DataType::UInt64).is_err());
        assert!(recalled(&[Some(1)], &DataType::Utf8View).is_err());
        assert_eq!(recalled(&[None], &DataType::Utf8View).unwrap().null_count(), 1);
    }
}
