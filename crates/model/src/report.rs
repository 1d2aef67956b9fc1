//! Reports of owners on their releases.

use crate::names::{JurisdictionId, ResourceName};
use serde::{Deserialize, Serialize};

/// Report of an owner on one release, sent after its rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReleaseReport {
    /// Owner that made the release.
    pub owner: JurisdictionId,
    /// Number of rows released.
    pub rows: u64,
    /// Number of cells that the gate kept back, rounded down to a multiple of five; 0 also if fewer units than the rule's
    /// minimum stand behind them all. `None` if no gate applied.
    pub suppressed_cells: Option<u64>,
    /// Minimum number of units of a released cell; `None` if no gate applied.
    pub min_units: Option<u32>,
    /// Base that counts were rounded to; 1 is no rounding.
    pub rounding: u32,
    /// True if a cell with no unit is released as zero.
    pub publish_zeros: bool,
    /// Policies that the rule comes from.
    pub policies: Vec<ResourceName>,
    /// Bytes of other members' public tables that came to the owner for this release, as encoded on the wire.
    #[serde(default)]
    pub fetched_bytes: u64,
    /// Sequence number of the entry in the owner's audit log.
    pub audit_sequence: u64,
    /// Digest of that entry: SHA-256, hexadecimal.
    pub audit_digest: String,
}

impl ReleaseReport {
    /// Returns true if a cell that is missing from this release may exist at the owner.
    #[must_use]
    pub fn may_hide_cells(&self) -> bool {
        self.min_units.is_some_and(|k| k > 1)
    }
}
