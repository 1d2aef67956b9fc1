//! The catalog as a gateway shows it: names, types, classes, owners and rules, never a value.

use crate::bundle::ReleaseRule;
use crate::columns::ColumnClass;
use crate::names::JurisdictionId;
use serde::{Deserialize, Serialize};

/// A table that a query can name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TableListing {
    /// Its full name in SQL.
    pub name: String,
    /// What it holds.
    pub description: String,
    /// Whether its rows may leave as they are.
    pub public: bool,
    /// Who holds a part of it, with the rule for releases from that part.
    pub owners: Vec<(JurisdictionId, ReleaseRule)>,
    /// Its columns, in order.
    pub columns: Vec<ColumnListing>,
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ColumnListing {
    /// Its name.
    pub name: String,
    /// Its type, as SQL writes it.
    #[serde(rename = "type")]
    pub data_type: String,
    /// What may be done with it: the strictest class that any owner gives it.
    pub class: ColumnClass,
    /// Its unit of measurement.
    pub unit: Option<String>,
    /// What it says.
    pub description: String,
}
