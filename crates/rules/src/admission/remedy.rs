//! The nearest query that would pass.

use arrow::datatypes::DataType;
use wanqu_model::columns::ColumnClass;

use super::ground::Ground;

/// At most so many columns are named in a remedy.
const NAMED: usize = 2;

/// A grouped count over the non-public table that is read, by columns that may be grouped by.
pub(super) fn grouped_count(ground: &Ground) -> String {
    let Some(leaf) = ground.leaves.iter().find(|leaf| !leaf.public) else {
        return "ask for a grouped aggregate: SELECT key, count(*) FROM table GROUP BY key".to_owned();
    };
    let fields = leaf.table.schema.fields();
    let dimensions = || fields.iter().filter(|f| leaf.table.class_of(f.name()) == ColumnClass::Dimension);
    // Codes and flags make groups of people; days and numbers make small ones.
    let coarse = dimensions().filter(|f| f.data_type().is_string() || *f.data_type() == DataType::Boolean);
    let others = dimensions().filter(|f| !f.data_type().is_string() && *f.data_type() != DataType::Boolean);
    let keys: Vec<String> = coarse.chain(others).map(|f| f.name().clone()).take(NAMED).collect();
    let name = &leaf.table.name;
    if keys.is_empty() {
        return format!("ask for a statistic: SELECT count(*) FROM {name}");
    }
    let keys = keys.join(", ");
    format!("ask for groups of people: SELECT {keys}, count(*) FROM {name} GROUP BY {keys}")
}

/// What to use instead of a group key of a class that may not be one.
pub(super) fn for_group_key(class: ColumnClass, column: &str, ground: &Ground) -> String {
    match class {
        ColumnClass::Identifier => format!("count units instead: count(DISTINCT {column})"),
        ColumnClass::Measure => {
            format!("aggregate it, as in avg({column}), or count bands of it: count(*) FILTER (WHERE {column} >= 100)")
        }
        ColumnClass::Public | ColumnClass::Dimension | ColumnClass::Sealed => grouped_count(ground),
    }
}

/// What to use instead of an aggregate function that returns somebody's value.
pub(super) fn for_function(name: &str) -> &'static str {
    match name {
        "min" | "max" | "first_value" | "last_value" | "nth_value" => {
            "use avg and stddev, or count bands: count(*) FILTER (WHERE column >= 100)"
        }
        "median"
        | "percentile_cont"
        | "quantile_cont"
        | "approx_median"
        | "approx_percentile_cont"
        | "approx_percentile_cont_with_weight" => {
            "count bands: count(*) FILTER (WHERE column < 100), or use avg and stddev"
        }
        "array_agg" | "string_agg" | "mode" => "group by the column, if it is a dimension, and count",
        "approx_distinct" => "use count(DISTINCT ...) of the privacy unit, or group by the column and count the groups",
        "bit_and" | "bit_or" | "bit_xor" => "use bool_or, bool_and or count(*) FILTER (WHERE ...)",
        _ => "use count, sum, avg, var, stddev, covar, corr, regr_*, bool_and or bool_or",
    }
}
