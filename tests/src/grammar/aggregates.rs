//! Random group keys and random aggregates.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::conditions::on_dimensions;
use super::pick;
use super::vocabulary::From;

/// A group key: a dimension, or an expression over one.
pub fn key(rng: &mut ChaCha8Rng, from: &From) -> String {
    loop {
        let (alias, words) = *pick(rng, from.tables);
        let column = |name: &str| format!("{alias}.{name}");
        match rng.random_range(0..10) {
            0..=4 if !words.texts.is_empty() => {
                let name = column(pick(rng, words.texts).0);
                return match rng.random_range(0..10) {
                    0 => format!("upper({name})"),
                    1 => format!("substr({name}, 1, 2)"),
                    2 => format!("coalesce({name}, 'none')"),
                    _ => name,
                };
            }
            5 if !words.flags.is_empty() => return column(*pick(rng, words.flags)),
            6 if !words.days.is_empty() => {
                let name = column(*pick(rng, words.days));
                let form = *pick(rng, &["date_trunc('month', C)", "date_part('year', C)", "date_part('dow', C)"]);
                return form.replace('C', &name);
            }
            7 if !words.moments.is_empty() => {
                let name = column(*pick(rng, words.moments));
                let form = *pick(rng, &["date_trunc('quarter', C)", "date_part('hour', C)"]);
                return form.replace('C', &name);
            }
            8 if !words.numbers.is_empty() => {
                let (name, low, high) = *pick(rng, words.numbers);
                let name = column(name);
                let middle = low.midpoint(high);
                return match rng.random_range(0..3) {
                    0 => format!("{name} / 10"),
                    1 => format!("{name} % 5"),
                    _ => format!("CASE WHEN {name} < {middle} THEN 'low' ELSE 'high' END"),
                };
            }
            9 => return format!("CASE WHEN {} THEN 'yes' ELSE 'no' END", on_dimensions(rng, from)),
            _ => {}
        }
    }
}

/// A measure, or something affine in one.
fn argument(rng: &mut ChaCha8Rng, from: &From) -> Option<String> {
    let candidates: Vec<String> = from
        .tables
        .iter()
        .filter(|(_, words)| words.unit.is_some())
        .flat_map(|(alias, words)| words.measures.iter().map(move |(name, _, _)| format!("{alias}.{name}")))
        .collect();
    if candidates.is_empty() {
        return None;
    }
    let name = pick(rng, &candidates).clone();
    Some(match rng.random_range(0..8) {
        0 => format!("{name} * 2 + 1"),
        1 => format!("{name} - 3"),
        _ => name,
    })
}

/// An aggregate.
pub fn aggregate(rng: &mut ChaCha8Rng, from: &From) -> String {
    let condition = on_dimensions(rng, from);
    let Some(measure) = argument(rng, from) else {
        return format!("count(*) FILTER (WHERE {condition})");
    };
    match rng.random_range(0..20) {
        0..=2 => "count(*)".into(),
        3 => format!("count({measure})"),
        4 | 5 => format!("sum({measure})"),
        6 | 7 => format!("avg({measure})"),
        8 => {
            let name = *pick(rng, &["var_samp", "var_pop", "stddev", "stddev_pop"]);
            format!("{name}({measure})")
        }
        9 => {
            let other = argument(rng, from).unwrap_or_else(|| measure.clone());
            let name = *pick(rng, &["covar_samp", "covar_pop", "corr", "regr_slope", "regr_intercept"]);
            format!("{name}({measure}, {other})")
        }
        10 => format!("count(*) FILTER (WHERE {condition})"),
        11 => format!("sum({measure}) FILTER (WHERE {condition})"),
        12 => format!("avg({measure}) FILTER (WHERE {condition})"),
        13 => format!("sum(CASE WHEN {condition} THEN 1 ELSE 0 END)"),
        14 => format!("sum(CASE WHEN {condition} THEN {measure} END)"),
        15 => format!("count(CASE WHEN {condition} THEN 1 END)"),
        16 => format!("count(DISTINCT {})", unit(from)),
        17 => flag(rng, from).unwrap_or_else(|| "count(*)".into()),
        18 => format!("sum({measure}) / nullif(count(*), 0)"),
        _ => format!("100.0 * count(*) FILTER (WHERE {condition}) / nullif(count(*), 0)"),
    }
}

fn unit(from: &From) -> String {
    let unit = from.tables.iter().find_map(|(alias, words)| words.unit.map(|u| format!("{alias}.{u}")));
    unit.unwrap_or_else(|| "1".into())
}

fn flag(rng: &mut ChaCha8Rng, from: &From) -> Option<String> {
    let (alias, words) = from.tables.iter().find(|(_, words)| !words.flags.is_empty())?;
    let name = *pick(rng, &["bool_and", "bool_or"]);
    Some(format!("{name}({alias}.{})", pick(rng, words.flags)))
}
