//! Reports of owners on their releases.

use crate::names::{JurisdictionId, ResourceName, TableRef};
use crate::receipt::{Receipt, Signed};
use serde::{Deserialize, Serialize};

/// Report of an owner on one release, sent after its rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReleaseReport {
    /// Owner that made the release.
    pub owner: JurisdictionId,
    /// Number of rows released.
    pub rows: u64,
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
    /// Datasets of which records are left out because they cannot be read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<LeftOutRecords>,
    /// True if values of the release may be those of an earlier cell that differs by fewer units than a cell must have, none included,
    /// or are withheld for one. It is said of the release as a whole, and alike whether any unit differs or not.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub earlier_values: bool,
    /// Sequence number of the entry in the owner's audit log.
    pub audit_sequence: u64,
    /// Digest of that entry: SHA-256, hexadecimal.
    pub audit_digest: String,
    /// The owner's receipt; `None` from nodes of before there were receipts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<Box<Signed<Receipt>>>,
}

/// Records of a dataset that cannot be read, and that its owner's manifest has left out (`badRecords: skip`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LeftOutRecords {
    /// Table of the dataset.
    pub table: TableRef,
    /// Their number, if all rows of the dataset are public and all were read for the release. `None` says that there may be
    /// some: over a dataset that protects anybody it stands beside every release, whether there are any or not, so that it
    /// tells nothing of a record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub records: Option<u64>,
}

impl ReleaseReport {
    /// Returns true if a cell that is missing from this release may exist at the owner.
    ///
    /// That is all that is told of cells that were kept back, and it follows from the rule alone. A number, however it is rounded,
    /// tells of one more cell whoever knows the others; and whether there was any tells of one more person whoever knows
    /// all but one.
    #[must_use]
    pub fn may_hide_cells(&self) -> bool {
        self.min_units.is_some_and(|k| k > 1)
    }
}
