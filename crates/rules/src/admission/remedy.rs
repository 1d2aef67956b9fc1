//! Remedies: the nearest query that would pass.

use arrow::datatypes::DataType;
use wanqu_model::columns::ColumnClass;

use super::base::BaseTables;

/// Most columns that a remedy names.
const NAMED: usize = 2;

/// Suggests a grouped count over the non-public table that is read, by columns that may be grouped by.
pub(super) fn grouped_count(tables: &BaseTables) -> String {
    let Some(leaf) = tables.leaves.iter().find(|leaf| !leaf.public) else {
        return "ask for a grouped aggregate: SELECT key, count(*) FROM table GROUP BY key".to_owned();
    };
    let fields = leaf.table.schema.fields();
    let dimensions = || fields.iter().filter(|f| leaf.table.class_of(f.name()) == ColumnClass::Dimension);
    // Codes and flags make large groups; days and numbers make small ones.
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

/// Suggests what to use instead of a group key of a class that may not be one.
pub(super) fn for_group_key(class: ColumnClass, column: &str, tables: &BaseTables) -> String {
    match class {
        ColumnClass::Identifier => format!("count units instead: count(DISTINCT {column})"),
        ColumnClass::Measure => {
            format!("aggregate it, as in avg({column}), or count bands of it: count(*) FILTER (WHERE {column} >= 100)")
        }
        ColumnClass::Public | ColumnClass::Dimension | ColumnClass::Sealed => grouped_count(tables),
    }
}
