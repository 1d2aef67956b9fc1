//! Every row of the table of aggregates that is admitted: rounded, it is what it would be of as many rows as its count is
//! rounded to.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, Float64Array, RecordBatch};
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::{DataType, Float64Type};
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::{Expr, col};
use datafusion::prelude::SessionContext;
use wanqu_model::aggregates::{AGGREGATES, Admission, Arguments};

use crate::rounding::Rounding;
use wanqu_rules::catalog::planning_state;

/// Ten pairs of numbers and truths.
fn ten() -> RecordBatch {
    let float = |of: fn(i32) -> f64| -> ArrayRef { Arc::new((0..10).map(of).collect::<Float64Array>()) };
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("y", float(|i| f64::from(i * i % 7) + 0.5)),
        ("x", float(|i| f64::from(i % 4) - 1.0)),
        ("b", Arc::new((0..10).map(|i| Some(i % 3 == 0)).collect::<BooleanArray>())),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

async fn values(batch: RecordBatch, aggregates: Vec<Expr>) -> Vec<ArrayRef> {
    let named = aggregates.into_iter().enumerate().map(|(i, e)| e.alias(format!("a{i}"))).collect();
    let frame = SessionContext::new().read_batch(batch).unwrap().aggregate(vec![], named).unwrap();
    frame.collect().await.unwrap()[0].columns().to_vec()
}

/// The one value of a column, as a number.
fn number(array: &ArrayRef) -> f64 {
    cast(array, &DataType::Float64).unwrap().as_primitive::<Float64Type>().value(0)
}

#[tokio::test]
async fn rounded_aggregates_are_those_of_the_rounded_number_of_rows() {
    let ten = ten();
    let twenty = concat_batches(&ten.schema(), [&ten, &ten]).unwrap();
    let mut changed = 0;
    for row in AGGREGATES {
        let function = Arc::clone(&planning_state().aggregate_functions()[row.name]);
        let args = match row.admission {
            Admission::Admitted { arguments: Arguments::Pair, .. } => vec![col("y"), col("x")],
            Admission::Admitted { arguments: Arguments::Boolean, .. } => vec![col("b")],
            Admission::Admitted { .. } | Admission::Refused { .. } => vec![col("y")],
        };
        let call = Expr::AggregateFunction(AggregateFunction::new_udf(function, args, false, None, vec![], None));
        let rounding = Rounding::new(std::slice::from_ref(&call), 20);
        if let Admission::Refused { .. } = row.admission {
            assert_eq!(rounding.unwrap_err(), row.name, "what is refused is not rounded");
            continue;
        }
        let rounding = rounding.unwrap();
        let mut asked = vec![call.clone()];
        asked.extend(rounding.counts.clone());
        let found = values(ten.clone(), asked).await;
        let told = number(&rounding.apply(&found[..1], &found[1..]).unwrap()[0]);
        let expected = number(&values(twenty.clone(), vec![call]).await[0]);
        assert!((told - expected).abs() < 1e-9, "{}: {told} and not {expected}", row.name);
        changed += usize::from((number(&found[0]) - told).abs() > 1e-9);
    }
    assert_eq!(changed, 9, "counts, sums and what is divided by one less than a count");
}
