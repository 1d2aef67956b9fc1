//! The catalog: the tables that a SQL text can name, with their columns, classes and owners. No data, no I/O.
//!
//! There are two views of one bundle. The **federated** catalog is the home node's: `gba.health.visits` stands for the
//! slices of every member that serves it. An **owner's** catalog is what a fragment is planned against:
//! `gba.health.visits` is the owner's own slice, and besides its own tables it holds only the public ones of others.
//! The whole of a public common table, which the owner fetches itself from those who hold it, is `whole.health.codes`.
//!
//! A table in a plan is a [`StubSource`]: planning and admission see names, types and classes, and cannot read a row.

mod analysis;
mod fold;
mod frames;
mod moments;
mod normal;
mod numbers;
mod operators;
mod parameters;
mod pushed;
mod sql;
mod stack;
mod temporal;
mod timestamps;
mod types;
mod weight;

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion::common::{DFSchema, TableReference};
use datafusion::logical_expr::{LogicalPlan, TableScan, TableSource};
use wanqu_model::bundle::{CommonTableInfo, NodeBundle, Slice};
use wanqu_model::columns::ColumnClass;
pub use wanqu_model::names::WHOLE_CATALOG;
use wanqu_model::names::{JurisdictionId, TableRef};

pub use analysis::analyse;
pub(crate) use normal::{ask_the_same, is_unconditional};
pub use pushed::pushed_condition;
pub use sql::{is_work_table, parse_expression, parse_query, planning_state};
pub use stack::with_room;
pub use types::arrow_type;

pub use crate::spell::{Spelling, bare_name_text, name_text};

/// One table as SQL can name it.
#[derive(Debug)]
pub struct CatalogTable {
    /// The three-part name in SQL.
    pub name: TableReference,
    /// The parts it is the union of: one for a jurisdiction's own table, one for each member for a common table.
    pub slices: Vec<Arc<Slice>>,
    /// Co-location keys and further facts of a common table; `None` for a jurisdiction's own.
    pub common: Option<CommonTableInfo>,
    /// The columns that SQL sees.
    pub schema: SchemaRef,
}

impl CatalogTable {
    /// Returns true if every column of every slice is public.
    #[must_use]
    pub fn is_public(&self) -> bool {
        self.slices.iter().all(|slice| slice.is_public())
    }

    /// Returns the class of a column: the strictest of its slices. A name that is not declared is sealed.
    #[must_use]
    pub fn class_of(&self, column: &str) -> ColumnClass {
        self.slices
            .iter()
            .map(|slice| {
                slice.columns.iter().find(|c| c.name.as_str() == column).map_or(ColumnClass::Sealed, |c| c.class)
            })
            .max()
            .unwrap_or(ColumnClass::Sealed)
    }
}

/// All tables that one SQL text can name.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    tables: BTreeMap<(String, String, String), Arc<CatalogTable>>,
    /// True if a query may be recursive: at home, where it runs over releases.
    recursive: bool,
}

impl Catalog {
    /// Builds the home node's view: every table of every member.
    #[must_use]
    pub fn federated(bundle: &NodeBundle) -> Self {
        let mut catalog = Self { recursive: true, ..Self::default() };
        let mut grouped: BTreeMap<&TableRef, Vec<Arc<Slice>>> = BTreeMap::new();
        for slice in &bundle.slices {
            grouped.entry(&slice.table).or_default().push(Arc::new(slice.clone()));
        }
        for (table, slices) in grouped {
            catalog.add(bundle, table.catalog.as_str(), table, slices);
        }
        catalog
    }

    /// Builds an owner's view: its own slices, and the public slices of others.
    #[must_use]
    pub fn owner(bundle: &NodeBundle, owner: &JurisdictionId) -> Self {
        let mut catalog = Self::default();
        let mut whole: BTreeMap<&TableRef, Vec<Arc<Slice>>> = BTreeMap::new();
        for slice in &bundle.slices {
            let own = slice.jurisdiction == *owner;
            let shared = Arc::new(slice.clone());
            if own || (slice.is_public() && !slice.table.is_common()) {
                catalog.add(bundle, slice.table.catalog.as_str(), &slice.table, vec![Arc::clone(&shared)]);
            }
            if slice.is_public() && slice.table.is_common() {
                whole.entry(&slice.table).or_default().push(shared);
            }
        }
        for (table, slices) in whole {
            catalog.add(bundle, WHOLE_CATALOG, table, slices);
        }
        catalog
    }

    /// Builds the view of one slice alone.
    fn of_slice(slice: &Arc<Slice>) -> Self {
        let mut catalog = Self::default();
        catalog.insert(slice.table.catalog.as_str(), &slice.table, vec![Arc::clone(slice)], None);
        catalog
    }

    fn add(&mut self, bundle: &NodeBundle, catalog: &str, table: &TableRef, slices: Vec<Arc<Slice>>) {
        let common = bundle.common_tables.iter().find(|info| info.table == *table).cloned();
        self.insert(catalog, table, slices, common);
    }

    fn insert(&mut self, catalog: &str, table: &TableRef, slices: Vec<Arc<Slice>>, common: Option<CommonTableInfo>) {
        let Some(first) = slices.first() else { return };
        let fields: Vec<Field> = first
            .columns
            .iter()
            .map(|column| Field::new(column.name.as_str(), arrow_type(&column.data_type), true))
            .collect();
        let name = TableReference::full(catalog, table.domain.as_str(), table.table.as_str());
        let key = (catalog.to_owned(), table.domain.to_string(), table.table.to_string());
        let schema = Arc::new(Schema::new(fields));
        self.tables.insert(key, Arc::new(CatalogTable { name, slices, common, schema }));
    }

    /// Returns the table of a full name.
    #[must_use]
    pub fn table(&self, catalog: &str, domain: &str, table: &str) -> Option<Arc<CatalogTable>> {
        self.tables.get(&(catalog.to_owned(), domain.to_owned(), table.to_owned())).cloned()
    }

    /// Returns every table, in the order of names.
    pub fn tables(&self) -> impl Iterator<Item = &Arc<CatalogTable>> {
        self.tables.values()
    }
}

/// A table in a plan, without its data.
#[derive(Debug)]
pub struct StubSource(pub Arc<CatalogTable>);

impl TableSource for StubSource {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.0.schema)
    }
}

/// Returns the catalog table behind a scan; `None` for a scan of another source.
#[must_use]
pub fn table_of(scan: &TableScan) -> Option<&Arc<CatalogTable>> {
    scan.source.downcast_ref::<StubSource>().map(|stub| &stub.0)
}

/// Returns the same columns, each of which may hold NULL: over non-public data a value that cannot be computed is NULL.
#[must_use]
pub fn nullable(schema: &Schema) -> SchemaRef {
    let fields: Vec<_> = schema.fields().iter().map(|field| field.as_ref().clone().with_nullable(true)).collect();
    Arc::new(Schema::new(fields))
}

/// Returns the output schema of a plan.
#[must_use]
pub fn arrow_schema(plan: &LogicalPlan) -> SchemaRef {
    let schema: &DFSchema = plan.schema();
    Arc::new(schema.as_arrow().clone())
}

#[cfg(test)]
mod tests;
