//! Name of a table inside its catalog.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use wanqu_model::names::{NameError, SqlName, TableRef};

/// Name of a table without its catalog: `health.visits`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LocalTable {
    /// The domain: `health`.
    pub domain: SqlName,
    /// The table: `visits`.
    pub table: SqlName,
}

impl LocalTable {
    /// Returns the full name in a catalog.
    #[must_use]
    pub fn under(&self, catalog: &SqlName) -> TableRef {
        TableRef::new(catalog.clone(), self.domain.clone(), self.table.clone())
    }
}

impl fmt::Display for LocalTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.domain, self.table)
    }
}

impl FromStr for LocalTable {
    type Err = NameError;
    fn from_str(value: &str) -> Result<Self, NameError> {
        let (domain, table) = value.split_once('.').ok_or_else(|| NameError {
            what: "table",
            rule: "a domain and a table joined by '.', for example health.visits",
            value: value.chars().take(80).collect(),
        })?;
        Ok(Self { domain: domain.parse()?, table: table.parse()? })
    }
}

wanqu_model::written_as_text!(LocalTable);
