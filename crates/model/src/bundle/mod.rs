//! The node bundle: everything one query node knows about the federation, in one file.
//!
//! `compile` of the crate `wanqu-crds` makes it from the custom resources. The node reads it, watches it, and knows nothing
//! of Kubernetes. What an owner decides on (agreements, classes, policies) is in its own bundle; what it describes of other
//! members is only enough to plan a query and to explain a refusal early. An owner never relies on another's copy.

mod doubles;
mod format;
mod lenient;
mod narrow;
mod participation;
mod pattern;
mod read;
mod source;
#[cfg(test)]
mod tests;
mod text;

use std::num::NonZeroU32;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};

use crate::columns::{ColumnClass, ColumnType};
use crate::names::{JurisdictionId, Purpose, ResourceName, SqlName, TableRef};

pub use format::BundleFormat;
pub use pattern::{TimePart, TimePattern};
pub use read::{LeftOut, ReadBundle, ReadError};
pub use source::{BadRecords, FilesSpec, SourceColumn, SourceFormat, SourceKind, SourceSpec};
pub use text::{Compression, CsvSyntax, DecimalSeparator, Encoding, GroupSeparator, Mark, TextSpec, ValueSyntax};

/// One jurisdiction's node bundle.
///
/// # Bundles and nodes of different versions
/// Operators are upgraded before nodes, so a node meets bundles that are newer than itself. [`NodeBundle::read`] keeps these
/// rules, under which nothing that a node leaves out opens anything:
///
/// - A field or value that the node does not know may make a rule stricter. So the object it stands in (a member, slice, common
///   table, source, agreement or project) is left out, with every table that depends on it; the rest of the bundle comes into
///   force, with all that it withdraws.
/// - A field that only describes is named in [`BundleFormat::ignorable`] by who writes it; a node that does not know it
///   ignores it, and one that knows it reads it.
/// - A value that cannot be read as JSON (a number out of range, a text that is not Unicode, a field that is given twice) is
///   like one that the node does not know. A text that ends too early is no bundle, and says nothing.
/// - What concerns the whole bundle (a field at its top, the limits, a format version, a required feature) cannot be left out:
///   the node refuses the bundle and takes it to withdraw everything. Of the bundle in force stays what
///   [`narrowed`](NodeBundle::narrowed) says, until the node is upgraded or the bundle replaced.
/// - A bundle without a format is of version 1, and is written so: nodes from before there was a format read it.
///
/// Whoever adds a field therefore gives it a default that is not serialised, so that it stands only in bundles that use it, and
/// adds its path to [`BundleFormat::ignorable`] if ignoring it can let nothing out. A change of meaning without a field of its
/// own gets a name in [`BundleFormat::requires`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NodeBundle {
    /// Name of the federation.
    pub federation: ResourceName,
    /// SPIFFE trust domain of every identity in it, for example `gba.example`.
    pub trust_domain: String,
    /// Jurisdiction of the node that reads this bundle.
    pub jurisdiction: JurisdictionId,
    /// Every member, this one included, ordered by id.
    pub members: Vec<Member>,
    /// Every table that a query can name, as seen from here, ordered by name and jurisdiction.
    pub slices: Vec<Slice>,
    /// Properties of common tables that the planner needs, ordered by name.
    pub common_tables: Vec<CommonTableInfo>,
    /// Sources of this jurisdiction's datasets, one for each.
    pub sources: Vec<SourceSpec>,
    /// Every agreement in which this jurisdiction takes part, on either end.
    pub agreements: Vec<Agreement>,
    /// Research projects, ordered by name.
    pub projects: Vec<Project>,
    /// Limits on one query at this node.
    pub limits: Limits,
    /// Version of the format that a reader must know, and fields that it may ignore.
    #[serde(default, skip_serializing_if = "BundleFormat::is_default")]
    pub format: BundleFormat,
}

/// Jurisdiction of the federation, as every node knows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Member {
    /// Identifier of the jurisdiction.
    pub jurisdiction: JurisdictionId,
    /// Name of its catalog in SQL: `shenzhen`.
    pub sql_name: SqlName,
    /// Name for people.
    pub display_name: String,
    /// `host:port` of its exchange; absent until it is placed.
    pub endpoint: Option<String>,
    /// PEM certificates of its own CA, the only one that can vouch for its node; absent until it is placed.
    pub ca: Option<String>,
    /// Issuers whose tokens its gateway accepts from researchers.
    pub issuers: Vec<Issuer>,
}

/// Issuer of tokens that identify researchers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Issuer {
    /// Claim `iss` of its tokens.
    pub issuer: String,
    /// Claim `aud` of its tokens for this member's gateway, and for no other's.
    pub audience: String,
    /// Ed25519 public keys, PEM (`SubjectPublicKeyInfo`); empty until the issuer is placed.
    pub public_keys: Vec<String>,
    /// Longest life of its tokens, in seconds. A bundle with the default does not say it, so that older nodes read it.
    #[serde(default = "usual_token_life", skip_serializing_if = "is_usual_token_life")]
    pub max_life_seconds: u32,
}

/// Returns the default of [`Issuer::max_life_seconds`]: a day.
#[must_use]
pub const fn usual_token_life() -> u32 {
    86_400
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_usual_token_life(seconds: &u32) -> bool {
    *seconds == usual_token_life()
}

/// One jurisdiction's part of a table: a dataset under its own name, or its part of a common table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Slice {
    /// Name of the table: `shenzhen.health.visits`, or `gba.health.visits`.
    pub table: TableRef,
    /// Owner of the slice.
    pub jurisdiction: JurisdictionId,
    /// Dataset that it is read from.
    pub dataset: ResourceName,
    /// Custodian who answers for the dataset.
    pub custodian: String,
    /// Description of the table, for people.
    pub description: String,
    /// Columns, in order. In a common table's slice the first is `jurisdiction`.
    pub columns: Vec<ColumnSpec>,
    /// Column of the dataset that identifies the person, household or firm to protect; absent if and only if every column is
    /// public. It need not be among `columns`.
    pub privacy_unit: Option<SqlName>,
    /// Release rule of the slice: the strictest of the policies that apply.
    pub policy: ReleaseRule,
    /// Approximate number of rows, for the planner; of public slices only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approximate_rows: Option<u64>,
    /// True if the custodian declares that no privacy unit has more than one row, as in a register of people. Then a join on the
    /// unit repeats no row of the other table.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub one_row_per_unit: bool,
}

impl Slice {
    /// Returns true if every column is public, so that rows may leave and no gate is needed.
    #[must_use]
    pub fn is_public(&self) -> bool {
        self.columns.iter().all(|c| c.class == ColumnClass::Public)
    }

    /// Returns the column that holds the privacy unit's value; `None` if no column of the slice does.
    #[must_use]
    pub fn unit_column(&self) -> Option<&SqlName> {
        let unit = self.privacy_unit.as_ref()?;
        let is_unit = |column: &&ColumnSpec| match &column.expression {
            Some(expression) => expression.trim() == unit.as_str(),
            None => column.name == *unit,
        };
        self.columns.iter().find(is_unit).map(|column| &column.name)
    }

    /// Returns true if the rules of classes, units and release judge a query over this slice like one over `other`, whoever
    /// owns it and whatever it is read from.
    #[must_use]
    pub fn judged_like(&self, other: &Self) -> bool {
        let columns = |slice: &Self| -> Vec<_> {
            slice.columns.iter().map(|c| (c.name.clone(), c.data_type.clone(), c.class)).collect()
        };
        self.table == other.table
            && self.privacy_unit.is_some() == other.privacy_unit.is_some()
            && self.unit_column() == other.unit_column()
            && self.policy == other.policy
            && self.one_row_per_unit == other.one_row_per_unit
            && columns(self) == columns(other)
    }
}

/// Column of a slice.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ColumnSpec {
    /// Name in SQL.
    pub name: SqlName,
    /// Type of its values.
    #[serde(rename = "type")]
    pub data_type: ColumnType,
    /// Class of the column, which decides what queries may do with it.
    pub class: ColumnClass,
    /// Unit of measurement, for people: `CNY`, `µg/m³`.
    pub unit: Option<String>,
    /// Description of the column, for people.
    pub description: String,
    /// SQL expression over the dataset's columns that gives it, written by the owner; only in the owner's own slices of common
    /// tables.
    pub expression: Option<String>,
}

/// Properties of a common table that the planner needs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CommonTableInfo {
    /// Name of the table.
    pub table: TableRef,
    /// True if every jurisdiction holds the same full copy, so that any one of them answers for all.
    pub replicated: bool,
    /// Co-location keys: rows with equal values of a key's column lie in the same jurisdiction, in every common table that has
    /// a column for that key.
    pub colocation: Vec<ColocationKey>,
    /// True if no privacy unit has rows in two jurisdictions, so that counts of distinct units can be added up.
    pub disjoint_units: bool,
}

/// Column that takes part in a co-location key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ColocationKey {
    /// Name of the key, the same in every table that takes part: `order`.
    pub key: SqlName,
    /// Column of the table that holds the key.
    pub column: SqlName,
}

/// Disclosure rule of a slice: the strictest of all policies that apply.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReleaseRule {
    /// Policies that it comes from, for explanations.
    pub policies: Vec<ResourceName>,
    /// Minimum number of distinct privacy units behind a cell for it to be released. 1 releases every cell.
    #[serde(deserialize_with = "at_least_one")]
    pub min_units: u32,
    /// Base that counts are rounded to a multiple of; sums are scaled to match. 1 is no rounding.
    #[serde(deserialize_with = "at_least_one")]
    pub rounding: u32,
    /// True if a cell with no unit may be released as zero, and so be told from one with fewer than `min_units`.
    pub publish_zeros: bool,
    /// True if the owner remembers released cells, so that a later cell that differs from one of them by fewer than `min_units` units
    /// gets the values of the earlier one. A bundle without such a rule does not say it, so that older nodes read it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub remember_cells: bool,
    /// What single units may add to the statistics of measures. A bundle without it has the default, so that older nodes read it.
    #[serde(default, skip_serializing_if = "ContributionRule::is_default")]
    pub contributions: ContributionRule,
}

impl ReleaseRule {
    /// Returns true if released cells are remembered: there is somebody to protect, and the rule says so.
    #[must_use]
    pub fn remembers(&self) -> bool {
        self.remember_cells && self.min_units > 1
    }
}

/// Reads a number of which 0 would be no rule.
fn at_least_one<'de, D: Deserializer<'de>>(number: D) -> Result<u32, D::Error> {
    NonZeroU32::deserialize(number).map(NonZeroU32::get)
}

/// What single units may add to the statistics of measures of a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ContributionRule {
    /// Number of units that together may have no more than `dominant_percent` of a total.
    #[serde(deserialize_with = "at_least_one")]
    pub dominant_units: u32,
    /// Share of a total in percent, of absolute values; 100 is no bound.
    pub dominant_percent: u32,
    /// What the units but the two greatest must add at least, in percent of what the greatest adds; 0 is no bound.
    pub p_percent: u32,
    /// Least number of different values of a measure that need not each be those of `min_units` units, if it is greater than
    /// `min_units`; 0 is no bound.
    pub min_values: u32,
}

impl Default for ContributionRule {
    /// The thresholds that ACRO is delivered with. Four values are one more than a sum, a sum of squares and a count can tell.
    fn default() -> Self {
        Self { dominant_units: 2, dominant_percent: 90, p_percent: 10, min_values: 4 }
    }
}

impl ContributionRule {
    /// Rule that lets everything pass.
    pub const NONE: Self = Self { dominant_units: 1, dominant_percent: 100, p_percent: 0, min_values: 0 };

    /// Returns true if it is the default.
    #[must_use]
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Returns the number of different values that are enough, where cells need so many units; 0 if any number is.
    #[must_use]
    pub fn values(&self, min_units: u32) -> u32 {
        if self.min_values == 0 { 0 } else { self.min_values.max(min_units) }
    }

    /// Returns a rule that is at least as strict as both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            dominant_units: self.dominant_units.max(other.dominant_units),
            dominant_percent: self.dominant_percent.min(other.dominant_percent),
            p_percent: self.p_percent.max(other.p_percent),
            min_values: self.min_values.max(other.min_values),
        }
    }
}

/// Directed, dated permission of one jurisdiction to ask another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Agreement {
    /// Name of the agreement.
    pub name: ResourceName,
    /// Jurisdiction whose data may be asked for.
    pub from: JurisdictionId,
    /// Jurisdiction that may ask.
    pub to: JurisdictionId,
    /// Tables that it covers: datasets under their own names, and common tables.
    pub tables: Vec<TableRef>,
    /// Purposes that it allows.
    pub purposes: Vec<Purpose>,
    /// State; it allows something only while it is active and within its term.
    pub state: AgreementState,
    /// Start of its term.
    pub not_before: Timestamp,
    /// End of its term; from this moment on it allows nothing.
    pub expires: Timestamp,
    /// Reference under which it was filed, for people.
    pub filing_reference: String,
    /// SHA-256 of its terms in canonical JSON (RFC 8785), hexadecimal: both ends must hold the same.
    pub digest: String,
}

/// State of an agreement (after the Eclipse Dataspace Protocol's contract negotiation).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub enum AgreementState {
    /// One end has asked for it.
    Requested,
    /// Both ends have agreed; it is not yet in force.
    Agreed,
    /// In force.
    Active,
    /// Interrupted; it may become active again.
    Suspended,
    /// Ended for good.
    Terminated,
}

/// Research project.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Project {
    /// Name of the project.
    pub name: ResourceName,
    /// Researchers who take part.
    pub subjects: Vec<ProjectSubject>,
    /// Purposes of its queries.
    pub purposes: Vec<Purpose>,
    /// Agreements that it rests on.
    pub agreements: Vec<ResourceName>,
    /// Greatest number of queries a day; absent for no limit.
    pub queries_per_day: Option<u32>,
}

/// Researcher who takes part in a project: a subject of an issuer of their home.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProjectSubject {
    /// Home at whose gateway the researcher asks. It is absent if only one member has the issuer, so that older nodes read the
    /// bundle, and in bundles of older operators; then it is whichever member has the issuer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jurisdiction: Option<JurisdictionId>,
    /// Claim `iss` of the researcher's token.
    pub issuer: String,
    /// Claim `sub` of the researcher's token.
    pub subject: String,
}

/// Researcher, as an issuer names them. Issuers of two homes may have the same name: whoever compares researchers of several homes
/// compares the homes too, as [`NodeBundle::takes_part`] does.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Subject {
    /// Claim `iss` of the researcher's token.
    pub issuer: String,
    /// Claim `sub` of the researcher's token.
    pub subject: String,
}

/// Limits on queries at a node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Limits {
    /// Longest duration of a query, in seconds.
    pub deadline_seconds: u32,
    /// Memory of a query, in MiB; beyond it, operators spill to disk.
    pub memory_mib: u32,
    /// Longest SQL text, in bytes.
    pub sql_bytes: u32,
    /// Greatest number of rows of one release.
    pub release_rows: u64,
    /// Greatest size of one release in memory, in MiB. A bundle with the default does not say it, so that older nodes read it.
    #[serde(default = "usual_release_mib", skip_serializing_if = "is_usual_release_mib")]
    pub release_mib: u32,
    /// Greatest number of queries at once.
    pub concurrent_queries: u32,
}

impl Limits {
    /// Returns the greatest size of one release in memory, in bytes.
    #[must_use]
    pub fn release_bytes(&self) -> u64 {
        u64::from(self.release_mib) << 20
    }
}

/// Returns the default of [`Limits::release_mib`].
const fn usual_release_mib() -> u32 {
    4096
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_usual_release_mib(mib: &u32) -> bool {
    *mib == usual_release_mib()
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            deadline_seconds: 300,
            memory_mib: 1024,
            sql_bytes: 262_144,
            release_rows: 50_000_000,
            release_mib: usual_release_mib(),
            concurrent_queries: 32,
        }
    }
}
