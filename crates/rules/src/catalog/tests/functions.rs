//! Every function of the engine, with arguments of every type that it takes.

use datafusion::common::ScalarValue;
use datafusion::logical_expr::expr::{AggregateFunction, AggregateFunctionParams, NullTreatment, ScalarFunction};
use datafusion::logical_expr::{Expr, col, lit};

use super::{COLUMNS, aggregate_plan, attempt, column_plan, folded, planning_state, wrong};

/// Functions of which some calls have no text that reads back: structs have no literals, and the type of a format decides
/// whether a time has a zone. A query that would send one is refused. A text that calls one of the lists is read as calling the
/// function that changes every item.
const WITHOUT_TEXT: [&str; 5] = ["array_remove", "array_replace", "arrow_field", "named_struct", "to_char"];

/// Calls of one function, or of one form of an aggregate, that are checked; most functions take few lists of arguments.
const ENOUGH: usize = 16;

/// Lists of arguments that are tried: each column, alone and before literals and other columns.
fn arguments() -> Vec<Vec<Expr>> {
    let columns = COLUMNS.map(|(name, _)| col(name));
    let literals = [
        lit("x'\\"),
        lit("month"),
        lit(2_i64),
        lit(ScalarValue::Int32(Some(2))),
        lit(0.5),
        lit(ScalarValue::Decimal128(Some(15), 10, 2)),
        lit(ScalarValue::Utf8View(Some("day".to_owned()))),
    ];
    let mut lists = vec![vec![]];
    for first in columns.iter().chain(&literals[..2]) {
        lists.push(vec![first.clone()]);
        for second in columns.iter().chain(&literals) {
            lists.push(vec![first.clone(), second.clone()]);
        }
    }
    for first in [&columns[5], &columns[6], &columns[8], &literals[1]] {
        for second in [&columns[5], &columns[7], &literals[0], &literals[2]] {
            for third in [&literals[0], &literals[2], &columns[2], &columns[7]] {
                lists.push(vec![first.clone(), second.clone(), third.clone()]);
            }
        }
    }
    lists
}

#[test]
fn calls_of_every_function_read_back() {
    let mut faults = std::collections::BTreeMap::new();
    let mut planned = 0;
    let state = planning_state();
    for (name, function) in state.scalar_functions().iter().filter(|(name, f)| *name == f.name()) {
        let mut checked = 0;
        for args in arguments() {
            if checked == ENOUGH {
                break;
            }
            let call = Expr::ScalarFunction(ScalarFunction::new_udf(function.clone(), args));
            let Some(Ok(plan)) = attempt(|| column_plan(call)) else { continue };
            let Some(Some(plan)) = attempt(|| folded(plan)) else { continue };
            // A text that a random function gives is another each time.
            if plan.expressions().iter().any(Expr::is_volatile) {
                continue;
            }
            planned += 1;
            checked += 1;
            if let Some(wrong) = wrong(&plan) {
                faults.entry(name.as_str()).or_insert(wrong);
            }
        }
    }
    faults.retain(|name, _| !WITHOUT_TEXT.contains(name));
    let all: Vec<String> = faults.iter().map(|(name, wrong)| format!("{name}: {wrong}")).collect();
    assert!(all.is_empty(), "{} functions\n{}", all.len(), all.join("\n"));
    assert!(planned > 1_000, "only {planned} calls can be planned");
}

#[test]
fn calls_of_every_aggregate_read_back() {
    let mut faults = std::collections::BTreeMap::new();
    let mut planned = 0;
    let state = planning_state();
    let order = vec![col("n").sort(false, true), col("s").sort(true, false)];
    for (name, function) in state.aggregate_functions().iter().filter(|(name, f)| *name == f.name()) {
        let mut checked = [0; 6];
        for args in arguments() {
            for (form, checked) in checked.iter_mut().enumerate() {
                if *checked == ENOUGH {
                    continue;
                }
                let within = function.supports_within_group_clause();
                let params = AggregateFunctionParams {
                    args: args.clone(),
                    distinct: form == 1,
                    filter: (form == 2).then(|| Box::new(Expr::IsNull(Box::new(Expr::Not(Box::new(col("flag"))))))),
                    order_by: match form {
                        3 if within => args.iter().take(1).map(|key| key.clone().sort(false, false)).collect(),
                        3 | 4 if !within => order.clone(),
                        _ => vec![],
                    },
                    null_treatment: match form {
                        4 => Some(NullTreatment::IgnoreNulls),
                        5 => Some(NullTreatment::RespectNulls),
                        _ => None,
                    },
                };
                // DISTINCT is refused where the engine passes it over.
                let passed_over =
                    name.starts_with("regr_") || name.starts_with("covar") || name.starts_with("approx_p");
                if form == 1
                    && (passed_over
                        || matches!(name.as_str(), "corr" | "nth_value")
                        || name == "count" && args.len() > 1)
                {
                    continue;
                }
                if args.is_empty() || form >= 4 && !matches!(name.as_str(), "first_value" | "last_value") {
                    continue;
                }
                let call = Expr::AggregateFunction(AggregateFunction { func: function.clone(), params });
                let Some(Ok(plan)) = attempt(|| aggregate_plan(call)) else { continue };
                let Some(plan) = folded(plan) else { continue };
                planned += 1;
                *checked += 1;
                // A percentile of 2 is refused.
                if let Some(wrong) = wrong(&plan).filter(|wrong| !wrong.contains("has no result for its argument")) {
                    faults.entry(format!("{name} {form}")).or_insert(wrong);
                }
            }
        }
    }
    let all: Vec<String> = faults.iter().map(|(name, wrong)| format!("{name}: {wrong}")).collect();
    assert!(all.is_empty(), "{} aggregates\n{}", all.len(), all.join("\n"));
    assert!(planned > 300, "only {planned} calls can be planned");
}
