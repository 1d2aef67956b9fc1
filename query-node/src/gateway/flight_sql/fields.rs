//! Columns of a table, with what clients show beside their names.

use std::collections::HashMap;

use arrow::datatypes::{DataType, Field, Schema};
use wanqu_model::bundle::ColumnSpec;
use wanqu_model::columns::ColumnClass;
use wanqu_rules::catalog::CatalogTable;

use super::plain::plain_type;

/// Beginning of the names that Flight SQL gives to facts about a column.
const FACT: &str = "ARROW:FLIGHT:SQL:";

/// Returns the columns of a table of this name.
pub(super) fn table_schema(table: &CatalogTable, name: [&str; 3]) -> Schema {
    let declared = table.slices.first().map(|slice| slice.columns.as_slice()).unwrap_or_default();
    let field = |field: &std::sync::Arc<Field>| {
        let column = declared.iter().find(|column| column.name.as_str() == field.name());
        let facts = facts(table.class_of(field.name()), field.data_type(), column, name);
        Field::new(field.name(), plain_type(field.data_type()), field.is_nullable()).with_metadata(facts)
    };
    Schema::new(table.schema.fields().iter().map(field).collect::<Vec<_>>())
}

/// Returns the facts about a column: its comment, unit and class by names of our own, and by those of Flight SQL what JDBC shows.
fn facts(
    class: ColumnClass,
    data_type: &DataType,
    column: Option<&ColumnSpec>,
    [catalog, schema, table]: [&str; 3],
) -> HashMap<String, String> {
    let mut facts = HashMap::from([("class".to_owned(), class.to_string())]);
    let mut fact = |name: &str, value: &str| facts.insert(format!("{FACT}{name}"), value.to_owned());
    fact("CATALOG_NAME", catalog);
    fact("SCHEMA_NAME", schema);
    fact("TABLE_NAME", table);
    fact("IS_AUTO_INCREMENT", "0");
    fact("IS_CASE_SENSITIVE", "1");
    fact("IS_READ_ONLY", "1");
    fact("IS_SEARCHABLE", if matches!(class, ColumnClass::Public | ColumnClass::Dimension) { "1" } else { "0" });
    if let DataType::Decimal128(precision, scale) = data_type {
        fact("PRECISION", &precision.to_string());
        fact("SCALE", &scale.to_string());
    }
    let Some(column) = column else { return facts };
    fact("TYPE_NAME", &column.data_type.to_string());
    if !column.description.is_empty() {
        fact("REMARKS", &column.description);
        facts.insert("comment".to_owned(), column.description.clone());
    }
    if let Some(unit) = &column.unit {
        facts.insert("unit".to_owned(), unit.clone());
    }
    facts
}
