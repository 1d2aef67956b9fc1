//! Lists a catalog as the gateway shows it.

use wanqu_model::listing::{ColumnListing, TableListing};
use wanqu_rules::catalog::Catalog;

/// Every table of a catalog, by name.
#[must_use]
pub fn list(catalog: &Catalog) -> Vec<TableListing> {
    catalog
        .tables()
        .filter_map(|table| {
            let first = table.slices.first()?;
            let columns = first.columns.iter().map(|column| ColumnListing {
                name: column.name.to_string(),
                data_type: column.data_type.to_string(),
                class: table.class_of(column.name.as_str()),
                unit: column.unit.clone(),
                description: column.description.clone(),
            });
            Some(TableListing {
                name: table.name.to_string(),
                description: first.description.clone(),
                public: table.is_public(),
                owners: table.slices.iter().map(|slice| (slice.jurisdiction.clone(), slice.policy.clone())).collect(),
                columns: columns.collect(),
            })
        })
        .collect()
}
