//! The catalog as the gateway lists it.

use wanqu_model::listing::{ColumnListing, TableListing};
use wanqu_model::names::JurisdictionId;
use wanqu_rules::catalog::Catalog;

use crate::engine::Unavailable;

/// Returns every table of a catalog, by name.
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
                unavailable: Vec::new(),
                columns: columns.collect(),
            })
        })
        .collect()
}

/// Returns the list with the tables marked that the listing node cannot read.
pub(super) fn marked(
    mut tables: Vec<TableListing>,
    own: &JurisdictionId,
    unavailable: &[Unavailable],
) -> Vec<TableListing> {
    for table in &mut tables {
        let found = unavailable.iter().find(|one| one.table.to_string() == table.name);
        table.unavailable.extend(found.map(|one| (own.clone(), one.reason.clone())));
    }
    tables
}
