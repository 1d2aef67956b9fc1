//! The table of aggregates against the engine, and each row of it against this owner's rules.

use std::collections::BTreeSet;

use wanqu_model::aggregates::{AGGREGATES, Admission, Arguments, WINDOW_FUNCTIONS, aggregate};

use crate::admission::testing::{admit_sql, bundle};
use crate::catalog::planning_state;
use wanqu_model::refusal::Code;

#[test]
fn the_table_names_every_aggregate_of_the_engine_and_no_other() {
    let functions = planning_state().aggregate_functions();
    let mut names = BTreeSet::new();
    for function in functions.values() {
        let row = aggregate(function.name()).unwrap_or_else(|| panic!("{} has no row", function.name()));
        assert_eq!(row.name, function.name());
        let aliases: BTreeSet<&str> = function.aliases().iter().map(String::as_str).collect();
        assert_eq!(row.aliases.iter().copied().collect::<BTreeSet<_>>(), aliases, "{}", row.name);
        names.insert(row.name);
    }
    let rows: BTreeSet<&str> = AGGREGATES.iter().map(|row| row.name).collect();
    assert_eq!(rows, names);
}

#[test]
fn the_window_functions_are_those_of_the_engine() {
    let functions = planning_state().window_functions();
    let names = functions.keys().map(String::as_str).filter(|name| aggregate(name).is_none());
    assert_eq!(names.collect::<BTreeSet<_>>(), WINDOW_FUNCTIONS.iter().copied().collect());
}

/// Arguments that pass, and arguments that do not, with the code of the rule that they break.
fn arguments(kind: Arguments) -> (&'static [&'static str], &'static [(&'static str, Code)]) {
    use Code::{AggregateArgument, AggregateFunction, ColumnClass};
    match kind {
        Arguments::Count => (
            &["1", "age", "cost", "DISTINCT patient_id"],
            &[("patient_id", ColumnClass), ("cost, weight", AggregateArgument), ("DISTINCT age", AggregateFunction)],
        ),
        Arguments::Sum => (
            &["cost", "cost * weight", "2 * cost + 1"],
            &[("abs(weight)", AggregateArgument), ("cost ORDER BY age", AggregateArgument)],
        ),
        Arguments::Average => (
            &["cost", "weight * weight"],
            &[("CAST(days AS DECIMAL(38, 28))", AggregateArgument), ("DISTINCT cost", AggregateFunction)],
        ),
        Arguments::Moment => {
            (&["weight", "cost + 1"], &[("weight * weight", AggregateArgument), ("DISTINCT weight", AggregateFunction)])
        }
        Arguments::Pair => (
            &["cost, weight", "weight, days"],
            &[("cost, age", AggregateArgument), ("weight, weight * weight", AggregateArgument)],
        ),
        Arguments::Boolean => {
            (&["emergency", "age > 40"], &[("patient_id = 'x'", ColumnClass), ("smoker", ColumnClass)])
        }
    }
}

/// A call with arguments of the form that the function takes.
fn call(name: &str) -> String {
    match name {
        "percentile_cont" | "approx_percentile_cont" => format!("{name}(0.5) WITHIN GROUP (ORDER BY weight)"),
        "approx_percentile_cont_with_weight" => format!("{name}(weight, 0.5) WITHIN GROUP (ORDER BY weight)"),
        "string_agg" => format!("{name}(diagnosis, ',')"),
        "nth_value" => format!("{name}(cost, 2)"),
        "bit_and" | "bit_or" | "bit_xor" => format!("{name}(tests)"),
        _ => format!("{name}(cost)"),
    }
}

#[test]
fn every_row_is_admitted_or_refused_as_it_says() {
    let bundle = bundle();
    let admit =
        |call: &str| admit_sql(&format!("SELECT sex, {call} FROM shenzhen.health.visits GROUP BY sex"), &bundle);
    for row in AGGREGATES {
        let name = row.name;
        match row.admission {
            Admission::Admitted { arguments: kind, .. } => {
                let (passing, failing) = arguments(kind);
                for args in passing {
                    admit(&format!("{name}({args})")).unwrap_or_else(|refusal| panic!("{name}({args}): {refusal}"));
                }
                for (args, code) in failing {
                    let refusal = admit(&format!("{name}({args})")).expect_err(&format!("{name}({args})"));
                    assert_eq!(refusal.code, *code, "{name}({args}): {refusal}");
                }
            }
            // The engine puts a number in its place where the keys are a plain list.
            Admission::Refused { .. } if name == "grouping" => {
                let refusal = admit("grouping(sex)").unwrap_err();
                assert_eq!(refusal.code, Code::NotAnAggregate, "{refusal}");
            }
            Admission::Refused { remedy } => {
                let refusal = admit(&call(name)).expect_err(name);
                assert_eq!(refusal.code, Code::AggregateFunction, "{refusal}");
                assert_eq!(refusal.subject.as_deref(), Some(name));
                assert_eq!(refusal.remedy.as_deref(), Some(remedy));
                assert!(refusal.rule.is_some(), "{refusal}");
            }
        }
    }
}
