//! Every row of the table of aggregates: computed by two owners and merged at home, against the engine's aggregate over
//! all rows.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Decimal128Array, Float64Array, Int64Array, RecordBatch};
use arrow::compute::concat_batches;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::{Expr, ExprSchemable, col};
use datafusion::prelude::{DataFrame, SessionConfig, SessionContext};
use wanqu_model::aggregates::{AGGREGATES, Admission, Aggregate, Arguments, Split as Form};

use crate::catalog::planning_state;
use crate::planner::decompose::{Merge, Split, split};

/// Rows in this range of numbers.
fn rows(range: std::ops::Range<i64>) -> RecordBatch {
    let all: Vec<i64> = range.collect();
    let given = |every: i64| all.iter().map(move |i| (i % every != 1).then_some(*i));
    let decimals: Decimal128Array = given(5).map(|i| i.map(|i| i128::from(i * 37 % 101))).collect();
    let float = |every: i64, of: fn(i64) -> f64| -> ArrayRef {
        Arc::new(given(every).map(|i| i.map(of)).collect::<Float64Array>())
    };
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("n", Arc::new(given(4).map(|i| i.map(|i| 3 + i % 6)).collect::<Int64Array>())),
        ("d", Arc::new(decimals.with_precision_and_scale(10, 2).unwrap())),
        ("y", float(6, |i| 1e4 + (i * i % 17) as f64)),
        ("x", float(7, |i| (i % 11) as f64 * 0.5)),
        ("b", Arc::new(given(3).map(|i| i.map(|i| i % 2 == 0)).collect::<BooleanArray>())),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true))).unwrap()
}

fn frame(batch: RecordBatch) -> DataFrame {
    let config = SessionConfig::new().with_target_partitions(1);
    SessionContext::new_with_config(config).read_batch(batch).unwrap()
}

fn collected(frame: DataFrame) -> RecordBatch {
    let schema = Arc::clone(frame.schema().inner());
    let batches = futures::executor::block_on(frame.collect()).unwrap();
    let schema = batches.first().map_or(schema, RecordBatch::schema);
    concat_batches(&schema, &batches).unwrap()
}

fn aggregated(batch: RecordBatch, aggregates: Vec<Expr>) -> RecordBatch {
    collected(frame(batch).aggregate(vec![], aggregates).unwrap())
}

fn only(batch: &RecordBatch) -> ScalarValue {
    assert_eq!((batch.num_rows(), batch.num_columns()), (1, 1));
    ScalarValue::try_from_array(batch.column(0), 0).unwrap()
}

/// A call of the function of a row.
fn call(row: &Aggregate, distinct: bool) -> AggregateFunction {
    let args = match row.admission {
        Admission::Admitted { arguments: Arguments::Count | Arguments::Sum, .. } => vec![col("n")],
        Admission::Admitted { arguments: Arguments::Average, .. } => vec![col("d")],
        Admission::Admitted { arguments: Arguments::Pair, .. } => vec![col("y"), col("x")],
        Admission::Admitted { arguments: Arguments::Boolean, .. } => vec![col("b")],
        Admission::Refused { .. } if row.name.starts_with("bit_") => vec![col("n")],
        Admission::Admitted { .. } | Admission::Refused { .. } => vec![col("y")],
    };
    let function = Arc::clone(&planning_state().aggregate_functions()[row.name]);
    AggregateFunction::new_udf(function, args, distinct, None, vec![], None)
}

/// The value over all rows, by the engine.
fn whole(call: &AggregateFunction, batch: RecordBatch) -> ScalarValue {
    only(&aggregated(batch, vec![Expr::AggregateFunction(call.clone()).alias("value")]))
}

/// The value merged of what owners with these rows compute.
fn merged(call: &AggregateFunction, parts: &[RecordBatch]) -> (ScalarValue, Merge) {
    let schema = frame(rows(0..1)).schema().clone();
    let Split::Merge { partials, merge } = split(call, &schema, |_| false) else { panic!("{call:?} is not merged") };
    let named = |prefix: &str, exprs: Vec<Expr>| -> Vec<Expr> {
        exprs.into_iter().enumerate().map(|(i, e)| e.alias(format!("{prefix}{i}"))).collect()
    };
    let asked = named("p", partials.clone());
    let releases: Vec<RecordBatch> = parts.iter().map(|part| aggregated(part.clone(), asked.clone())).collect();
    let shape = aggregated(rows(0..0), asked).schema();
    let leaf = concat_batches(&shape, &releases).unwrap();
    let columns: Vec<Expr> = (0..partials.len()).map(|i| col(format!("p{i}"))).collect();
    let home = frame(leaf).aggregate(vec![], named("m", merge.aggregates(&columns))).unwrap();
    let columns: Vec<Expr> = home.schema().fields().iter().map(|f| col(f.name().as_str())).collect();
    let target = Expr::AggregateFunction(call.clone()).get_type(&schema).unwrap();
    let value = merge.finish(&columns, home.schema(), &target, false).unwrap().alias("value");
    (only(&collected(home.select(vec![value]).unwrap())), merge)
}

fn assert_close(found: &ScalarValue, expected: &ScalarValue, what: &str) {
    assert_eq!(found.data_type(), expected.data_type(), "{what}");
    match (found, expected) {
        (ScalarValue::Float64(Some(a)), ScalarValue::Float64(Some(b))) => {
            assert!((a - b).abs() <= 1e-9 * b.abs().max(1.0), "{what}: {a} and not {b}");
        }
        _ => assert_eq!(found, expected, "{what}"),
    }
}

#[test]
fn every_row_is_split_as_it_says() {
    let schema = frame(rows(0..1)).schema().clone();
    let mut split_rows = BTreeSet::new();
    for row in AGGREGATES {
        let call = call(row, false);
        if row.split == Form::Whole {
            assert!(matches!(split(&call, &schema, |_| false), Split::Whole), "{}", row.name);
            continue;
        }
        split_rows.insert(row.name);
        let expected = whole(&call, rows(0..40));
        assert!(!expected.is_null(), "{}", row.name);
        // An owner may have no row at all.
        for parts in [vec![rows(0..13), rows(13..40)], vec![rows(0..40), rows(0..0)], vec![rows(0..1), rows(1..40)]] {
            assert_close(&merged(&call, &parts).0, &expected, row.name);
        }
        // Where no owner released a row a count is 0, and anything else is NULL.
        let (nothing, merge) = merged(&call, &[]);
        let of_nothing = whole(&call, rows(0..0));
        assert!(nothing.is_null(), "{}", row.name);
        assert_eq!(matches!(merge, Merge::Count), !of_nothing.is_null(), "{}", row.name);
        assert_eq!(row.split == Form::Count, !of_nothing.is_null(), "{}", row.name);
    }
    assert_eq!(split_rows.len(), 26);
}

#[test]
fn a_distinct_aggregate_becomes_a_group_key_unless_repeats_change_nothing() {
    let schema = frame(rows(0..1)).schema().clone();
    for row in AGGREGATES {
        let call = call(row, true);
        match (split(&call, &schema, |_| false), row.split, &call.params.args[..]) {
            (Split::Merge { .. }, Form::Same { repeats_count: false }, [arg]) => {
                let once = collected(frame(rows(0..40)).select(vec![arg.clone()]).unwrap().distinct().unwrap());
                let plain = self::call(row, false);
                let expected = whole(&plain, rows(0..40));
                assert_eq!(whole(&plain, once), expected, "{}", row.name);
                assert_eq!(merged(&call, &[rows(0..13), rows(13..40)]).0, expected, "{}", row.name);
            }
            (Split::Key(key), form, [arg]) if form != (Form::Same { repeats_count: false }) => {
                assert_eq!(key, *arg, "{}", row.name);
            }
            // Of a pair no one key can be made, and a variance of distinct values is made of rows.
            (Split::Whole, _, [_, _]) | (Split::Whole, Form::Variable(_), _) => {}
            _ => panic!("{} is split in another way", row.name),
        }
    }
    let units = call(&AGGREGATES[0], true);
    assert!(matches!(split(&units, &schema, |_| true), Split::Units(_)), "units are counted at their owner");
}
