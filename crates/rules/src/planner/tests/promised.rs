//! Rules of releases, as the planner reads them from what it asks.

use super::split;
use crate::promise::{Promise, Rule};

/// The rules of the only group of fragments of a query.
fn promise(sql: &str) -> Promise {
    let plan = split(sql).unwrap_or_else(|refusal| panic!("{sql}\n{refusal}"));
    assert_eq!(plan.groups.len(), 1, "{sql}");
    plan.groups[0].promise.as_ref().clone()
}

fn rules(sql: &str) -> (Option<usize>, Vec<String>) {
    let promise = promise(sql);
    let word = |rule: &Rule| match rule {
        Rule::Jurisdiction { column, or_null } => {
            format!("{column} is the owner{}", if *or_null { " or NULL" } else { "" })
        }
        Rule::Count(column) => format!("{column} counts"),
        Rule::NotNegative(column) => format!("{column} is not negative"),
        Rule::Part { some, all } => format!("{some} is part of {all}"),
        Rule::Empty { count, value } => format!("{value} is of {count}"),
        Rule::Ordered { least, greatest } => format!("{least} is at most {greatest}"),
        Rule::Asked(condition) => format!("asked {condition}"),
    };
    (promise.keys, promise.rules.iter().map(word).collect())
}

#[test]
fn cells_of_owners_are_theirs_and_come_once() {
    let sql = "SELECT jurisdiction, specialty, count(*), avg(cost), stddev(minutes) FROM gba.health.visits GROUP BY jurisdiction, specialty";
    let (keys, found) = rules(sql);
    assert_eq!(keys, Some(2));
    for rule in
        ["0 is the owner", "2 counts", "4 counts", "4 is part of 2", "3 is of 4", "5 counts", "7 is not negative"]
    {
        assert!(found.iter().any(|known| known == rule), "{rule}: {found:?}");
    }
    // Totals are made at home: owners release the finest cells.
    let (keys, found) = rules(
        "SELECT specialty, jurisdiction, sum(cost) FROM gba.health.visits GROUP BY ROLLUP (specialty, jurisdiction)",
    );
    assert_eq!((keys, found.as_slice()), (Some(2), ["1 is the owner".to_owned()].as_slice()));
    assert_eq!(rules("SELECT count(*) FROM gba.health.visits"), (Some(0), vec!["0 counts".to_owned()]));
}

#[test]
fn conditions_on_group_keys_hold_for_what_is_released() {
    let sql = "SELECT specialty, count(*) FROM gba.health.visits WHERE specialty IN ('a', 'b', 'c', 'd') AND day >= DATE '2024-01-01' AND facility = 'x' GROUP BY specialty";
    let (_, found) = rules(sql);
    let asked: Vec<&String> = found.iter().filter(|rule| rule.starts_with("asked")).collect();
    assert_eq!(asked.len(), 1, "{found:?}");
    assert!(asked[0].contains("specialty") && asked[0].contains('d'), "{asked:?}");
}

#[test]
fn public_rows_are_their_owners_and_may_repeat() {
    let (keys, found) = rules("SELECT jurisdiction, beds FROM gba.health.facilities");
    assert_eq!(keys, None);
    assert!(found.contains(&"0 is the owner".to_owned()) || found.contains(&"1 is the owner".to_owned()), "{found:?}");
    let (_, found) = rules("SELECT chapter FROM gba.health.codes");
    assert!(found.is_empty(), "of a table that all hold in full, no row is anybody's: {found:?}");
}
