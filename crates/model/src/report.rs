//! What an owner says of a release, beside its rows.

use crate::names::{JurisdictionId, ResourceName};
use serde::{Deserialize, Serialize};

/// What an owner says of one release, beside its rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReleaseReport {
    /// The owner.
    pub owner: JurisdictionId,
    /// Rows released.
    pub rows: u64,
    /// Cells that the gate kept back, rounded down to a multiple of five; 0 also where fewer units than the rule's
    /// minimum stand behind them all. `None` where no gate applied.
    pub suppressed_cells: Option<u64>,
    /// The least number of units of a released cell; `None` where no gate applied.
    pub min_units: Option<u32>,
    /// The base that counts were rounded to; 1 for none.
    pub rounding: u32,
    /// Whether a cell about nobody is released as zero.
    pub publish_zeros: bool,
    /// The policies that the rule came from.
    pub policies: Vec<ResourceName>,
    /// Bytes of other members' public tables that came to the owner for this release, as encoded on the wire.
    #[serde(default)]
    pub fetched_bytes: u64,
    /// The number of the entry in the owner's audit log.
    pub audit_sequence: u64,
    /// The digest of that entry, SHA-256, hexadecimal.
    pub audit_digest: String,
}

impl ReleaseReport {
    /// Whether a cell that is missing from this release may exist at the owner.
    #[must_use]
    pub fn may_hide_cells(&self) -> bool {
        self.min_units.is_some_and(|k| k > 1)
    }
}
