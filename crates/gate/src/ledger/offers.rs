//! The populations of a fragment, and the hidden aggregates that sketch them.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::{Result as DfResult, ScalarValue, internal_err};
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::{Aggregate, AggregateUDF, Expr, lit};
use wanqu_rules::admission::{GatedShape, Total};
use wanqu_rules::row::RowKey;

use super::{Addend, Offered, RowSketch, Value};
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
        let tables = once.iter().map(|unit| unit.dataset.clone()).collect();
        Ok(Self { circle: circle.to_owned(), k: shape.rule.min_units, tables, drawn, sketches, values, groups })
    }
}

/// Returns a value as it is remembered; `None` if it has no such form.
pub fn remembered(value: &ScalarValue) -> Option<Value> {
    if value.is_null() {
        return Some(None);
    }
    let bits = match value {
        ScalarValue::Boolean(value) => i128::from((*value)?),
        ScalarValue::Int32(value) => i128::from((*value)?),
        ScalarValue::Int64(value) => i128::from((*value)?),
        ScalarValue::UInt64(value) => i128::from((*value)?),
        ScalarValue::Float64(value) => i128::from((*value)?.to_bits()),
        ScalarValue::Decimal128(value, ..) => (*value)?,
        ScalarValue::Decimal256(value, ..) => (*value)?.to_i128()?,
        _ => return None,
    };
    Some(Some(bits))
}

/// Returns a value that was remembered, in the type that it had then.
pub fn recalled(value: Value, data_type: &DataType) -> DfResult<ScalarValue> {
    let Some(bits) = value else { return ScalarValue::try_from(data_type) };
    let unfit = || internal_err!("a remembered value does not fit into its type");
    Ok(match data_type {
        DataType::Boolean => ScalarValue::Boolean(Some(bits != 0)),
        DataType::Int32 => match i32::try_from(bits) {
            Ok(value) => ScalarValue::Int32(Some(value)),
            Err(_) => return unfit(),
        },
        DataType::Int64 => match i64::try_from(bits) {
            Ok(value) => ScalarValue::Int64(Some(value)),
            Err(_) => return unfit(),
        },
        DataType::UInt64 => match u64::try_from(bits) {
            Ok(value) => ScalarValue::UInt64(Some(value)),
            Err(_) => return unfit(),
        },
        DataType::Float64 => match u64::try_from(bits) {
            Ok(value) => ScalarValue::Float64(Some(f64::from_bits(value))),
            Err(_) => return unfit(),
        },
        DataType::Decimal128(digits, scale) => ScalarValue::Decimal128(Some(bits), *digits, *scale),
        DataType::Decimal256(digits, scale) => {
            ScalarValue::Decimal256(Some(arrow::datatypes::i256::from_i128(bits)), *digits, *scale)
        }
        _ => return unfit(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_recalled_as_it_was() {
        for value in [
            ScalarValue::Boolean(Some(true)),
            ScalarValue::Int32(Some(-5)),
            ScalarValue::Int64(Some(i64::MIN)),
            ScalarValue::UInt64(Some(u64::MAX)),
            ScalarValue::Float64(Some(-0.1)),
            ScalarValue::Float64(None),
            ScalarValue::Decimal128(Some(-7), 38, 2),
            ScalarValue::Decimal256(Some(arrow::datatypes::i256::from_i128(-7)), 76, 2),
        ] {
            let bits = remembered(&value).unwrap();
            assert_eq!(recalled(bits, &value.data_type()).unwrap(), value);
        }
        assert_eq!(remembered(&ScalarValue::Utf8View(Some("a".into()))), None);
        assert!(recalled(Some(-1), &DataType::UInt64).is_err());
    }
}
