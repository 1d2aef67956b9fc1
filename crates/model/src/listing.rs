//! Listing of a gateway's catalog: names, types, classes, owners and rules, never a value.

use crate::bundle::ReleaseRule;
use crate::columns::ColumnClass;
use crate::names::JurisdictionId;
use serde::{Deserialize, Serialize};

/// Table that a query can name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TableListing {
    /// Full name in SQL.
    pub name: String,
    /// Description of the table.
    pub description: String,
    /// True if its rows may leave as they are.
    pub public: bool,
    /// Owners of its slices, each with the release rule of its slice.
    pub owners: Vec<(JurisdictionId, ReleaseRule)>,
    /// Owners whose part could not be read when that was last looked at, and why. Of other members, the node that lists them
    /// knows what they told it, which is no reason.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unavailable: Vec<(JurisdictionId, String)>,
    /// Columns, in order.
    pub columns: Vec<ColumnListing>,
}

/// Column of a table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ColumnListing {
    /// Name of the column.
    pub name: String,
    /// Type, as SQL writes it.
    #[serde(rename = "type")]
    pub data_type: String,
    /// Class: the strictest that any owner gives it.
    pub class: ColumnClass,
    /// Unit of measurement.
    pub unit: Option<String>,
    /// Description of the column.
    pub description: String,
}
