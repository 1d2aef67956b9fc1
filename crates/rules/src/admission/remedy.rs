//! Remedies: the nearest query that would pass.

use arrow::datatypes::DataType;
use datafusion::common::Column;
use wanqu_model::columns::ColumnClass;

use super::base::{BaseTables, Leaf};

/// Most columns that a remedy names.
const NAMED: usize = 2;

/// Suggests a grouped count over the non-public table that is read, by columns that may be grouped by.
pub(super) fn grouped_count(tables: &BaseTables) -> String {
    let Some(leaf) = tables.leaves.iter().find(|leaf| !leaf.public) else {
        return "ask for a grouped aggregate: SELECT key, count(*) FROM table GROUP BY key".to_owned();
    };
    let name = &leaf.table.name;
    match keys(leaf) {
        None => format!("ask for a statistic: SELECT count(*) FROM {name}"),
        Some(keys) => format!("ask for groups of people: SELECT {keys}, count(*) FROM {name} GROUP BY {keys}"),
    }
}

/// Suggests a mean by groups in place of a condition on a measure, or a count where the measure is no number.
pub(super) fn for_measure(measure: &Column, tables: &BaseTables) -> String {
    let Some(leaf) = tables.leaf(measure) else { return grouped_count(tables) };
    let (name, column) = (&leaf.table.name, &measure.name);
    let field = leaf.table.schema.field_with_name(column);
    let value = match field {
        Ok(field) if field.data_type().is_numeric() => format!("avg({column})"),
        _ => format!("count({column})"),
    };
    match keys(leaf) {
        None => format!("filter by dimensions, and ask for the measure itself: SELECT {value}, count(*) FROM {name}"),
        Some(keys) => format!(
            "filter by dimensions, and compare groups: SELECT {keys}, {value}, count(*) FROM {name} GROUP BY {keys}"
        ),
    }
}

/// Suggests counts by a column that is no measure.
pub(super) fn counted_by(column: &Column, tables: &BaseTables) -> String {
    match tables.leaf(column) {
        Some(leaf) if !leaf.public && tables.class(column) == ColumnClass::Dimension => {
            let (name, column) = (&leaf.table.name, &column.name);
            format!("count its values: SELECT {column}, count(*) FROM {name} GROUP BY {column}")
        }
        _ => format!("group by {}, and compute with it in the released result", column.name),
    }
}

/// Suggests the statistic of one table by itself.
pub(super) fn alone(column: &Column, tables: &BaseTables) -> String {
    let Some(leaf) = tables.leaf(column) else { return grouped_count(tables) };
    let name = &leaf.table.name;
    format!("ask for it without the join: SELECT avg({0}), count(*) FROM {name}", column.name)
}

/// Returns a few columns that may be grouped by, the coarse ones first; `None` if there are none.
fn keys(leaf: &Leaf) -> Option<String> {
    let fields = leaf.table.schema.fields();
    let dimensions = || fields.iter().filter(|f| leaf.table.class_of(f.name()) == ColumnClass::Dimension);
    // Codes and flags make large groups; days and numbers make small ones.
    let coarse = dimensions().filter(|f| f.data_type().is_string() || *f.data_type() == DataType::Boolean);
    let others = dimensions().filter(|f| !f.data_type().is_string() && *f.data_type() != DataType::Boolean);
    let keys: Vec<String> = coarse.chain(others).map(|f| f.name().clone()).take(NAMED).collect();
    (!keys.is_empty()).then(|| keys.join(", "))
}

/// Suggests what to use instead of a group key of a class that may not be one.
pub(super) fn for_group_key(class: ColumnClass, column: &str, tables: &BaseTables) -> String {
    match class {
        ColumnClass::Identifier => format!("count units instead: count(DISTINCT {column})"),
        ColumnClass::Measure if tables.is_guarded() => format!("aggregate it, as in avg({column})"),
        ColumnClass::Measure => {
            format!("aggregate it, as in avg({column}), or count bands of it: count(*) FILTER (WHERE {column} >= 100)")
        }
        ColumnClass::Public | ColumnClass::Dimension | ColumnClass::Sealed => grouped_count(tables),
    }
}
