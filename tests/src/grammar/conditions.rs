//! Random conditions.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::pick;
use super::vocabulary::{From, Vocabulary};

/// A condition for WHERE: on dimensions, on measures, or on membership elsewhere.
pub fn filter(rng: &mut ChaCha8Rng, from: &From) -> String {
    if !from.members.is_empty() && rng.random_bool(0.12) {
        return (*pick(rng, from.members)).to_owned();
    }
    // A measure is not compared together with another table's column, so that nothing is joined by it.
    let alone = from.tables.len() == 1;
    match rng.random_range(0..10) {
        0 => format!("({} OR {})", simple(rng, from, alone), simple(rng, from, alone)),
        1 => format!("NOT ({} AND {})", simple(rng, from, alone), simple(rng, from, alone)),
        _ => simple(rng, from, true),
    }
}

/// A condition on dimensions alone, for FILTER and CASE.
pub fn on_dimensions(rng: &mut ChaCha8Rng, from: &From) -> String {
    if rng.random_bool(0.15) {
        return format!("{} AND {}", simple(rng, from, false), simple(rng, from, false));
    }
    simple(rng, from, false)
}

fn simple(rng: &mut ChaCha8Rng, from: &From, measures: bool) -> String {
    loop {
        let (alias, words) = *pick(rng, from.tables);
        if let Some(condition) = on_table(rng, alias, words, measures) {
            return condition;
        }
    }
}

/// A condition on one table; `None` where the kind that was drawn has no column.
fn on_table(rng: &mut ChaCha8Rng, alias: &str, words: &Vocabulary, measures: bool) -> Option<String> {
    match rng.random_range(0..12) {
        0..=5 if !words.texts.is_empty() => {
            let (column, values) = *pick(rng, words.texts);
            Some(on_text(rng, &format!("{alias}.{column}"), values))
        }
        6 | 7 if !words.flags.is_empty() => {
            let column = format!("{alias}.{}", pick(rng, words.flags));
            let form = *pick(rng, &["C", "NOT C", "C IS NULL", "C IS NOT NULL", "C = true"]);
            Some(form.replace('C', &column))
        }
        8 if !words.days.is_empty() => {
            let column = format!("{alias}.{}", pick(rng, words.days));
            Some(on_day(rng, &column))
        }
        9 if !words.moments.is_empty() => {
            let column = format!("{alias}.{}", pick(rng, words.moments));
            let hour = rng.random_range(0..24);
            Some(match rng.random_range(0..2) {
                0 => format!("{column} < TIMESTAMP '2019-01-03 {hour:02}:00:00'"),
                _ => format!("date_part('hour', {column}) >= {hour}"),
            })
        }
        10 if !words.numbers.is_empty() => {
            let (column, low, high) = *pick(rng, words.numbers);
            Some(on_number(rng, &format!("{alias}.{column}"), low, high, true))
        }
        11 if measures && !words.measures.is_empty() => {
            let (column, low, high) = *pick(rng, words.measures);
            Some(on_number(rng, &format!("{alias}.{column}"), low, high, false))
        }
        _ => None,
    }
}

fn on_text(rng: &mut ChaCha8Rng, column: &str, values: &[&str]) -> String {
    let (value, other) = (*pick(rng, values), *pick(rng, values));
    match rng.random_range(0..9) {
        0 | 1 => format!("{column} = '{value}'"),
        2 => format!("{column} <> '{value}'"),
        3 => format!("{column} IN ('{value}', '{other}')"),
        4 => format!("{column} NOT IN ('{value}', '{other}')"),
        5 => {
            let start: String = value.chars().take(2).collect();
            format!("{column} LIKE '{start}%'")
        }
        6 => format!("{column} IS NOT NULL"),
        7 => format!("{column} > '{value}'"),
        _ => format!("length({column}) > {}", rng.random_range(2..9)),
    }
}

fn on_day(rng: &mut ChaCha8Rng, column: &str) -> String {
    let month = rng.random_range(1..=12);
    let year = rng.random_range(2018..=2019);
    match rng.random_range(0..4) {
        0 => format!("{column} >= DATE '{year}-{month:02}-15'"),
        1 => format!("{column} BETWEEN DATE '2018-{month:02}-01' AND DATE '2019-{month:02}-28'"),
        2 => format!("date_part('month', {column}) = {month}"),
        _ => format!("date_trunc('year', {column}) = DATE '{year}-01-01'"),
    }
}

fn on_number(rng: &mut ChaCha8Rng, column: &str, low: i64, high: i64, whole: bool) -> String {
    let value = rng.random_range(low..=high);
    match rng.random_range(0..5) {
        0 => format!("{column} < {value}"),
        1 => format!("{column} >= {value}"),
        2 => format!("{column} BETWEEN {low} AND {value}"),
        3 if whole => format!("{column} % 3 = {}", value % 3),
        _ => format!("{column} IS NOT NULL"),
    }
}
