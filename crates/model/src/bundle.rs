//! The node bundle: everything one query node knows about the federation, in one file.
//!
//! `compile` of the crate `wanqu-crds` makes it from the custom resources. The node reads it, watches it, and knows nothing
//! of Kubernetes. What an owner decides on (agreements, classes, policies) is in its own bundle; what it describes of other
//! members is only enough to plan a query and to explain a refusal early. An owner never relies on another's copy.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::columns::{ColumnClass, ColumnType};
use crate::names::{JurisdictionId, Purpose, ResourceName, SqlName, TableRef};

/// One jurisdiction's node bundle.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NodeBundle {
    /// The federation's name.
    pub federation: ResourceName,
    /// The SPIFFE trust domain of every identity in it, for example `gba.example`.
    pub trust_domain: String,
    /// Whose node reads this bundle.
    pub jurisdiction: JurisdictionId,
    /// Every member, this one included, ordered by id.
    pub members: Vec<Member>,
    /// Every table that a query can name, as seen from here, ordered by name and jurisdiction.
    pub slices: Vec<Slice>,
    /// Facts about common tables that the planner needs.
    pub common_tables: Vec<CommonTableInfo>,
    /// Where this node's own datasets lie. One for each dataset of this jurisdiction.
    pub sources: Vec<SourceSpec>,
    /// Every agreement in which this jurisdiction takes part, on either end.
    pub agreements: Vec<Agreement>,
    /// Research projects.
    pub projects: Vec<Project>,
    /// What one query may use here.
    pub limits: Limits,
}

/// One jurisdiction of the federation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Member {
    /// Its identifier.
    pub jurisdiction: JurisdictionId,
    /// Its catalog in SQL: `shenzhen`.
    pub sql_name: SqlName,
    /// Its name for people.
    pub display_name: String,
    /// `host:port` of its exchange; absent until it is placed.
    pub endpoint: Option<String>,
    /// The PEM certificate(s) of its own CA: the only CA that can vouch for its node.
    pub ca: Option<String>,
    /// Issuers whose tokens its gateway accepts.
    pub issuers: Vec<Issuer>,
}

/// Who may vouch for a researcher.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Issuer {
    /// The `iss` claim.
    pub issuer: String,
    /// The `aud` claim that a token for this federation carries.
    pub audience: String,
    /// The issuer's Ed25519 public keys, PEM (`SubjectPublicKeyInfo`); absent until the issuer is placed.
    pub public_keys: Vec<String>,
}

/// One jurisdiction's part of one table: a dataset under its own name, or its part of a common table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Slice {
    /// `shenzhen.health.visits`, or `gba.health.visits`.
    pub table: TableRef,
    /// The owner.
    pub jurisdiction: JurisdictionId,
    /// The dataset it is read from.
    pub dataset: ResourceName,
    /// The custodian who answers for it.
    pub custodian: String,
    /// What it holds, for people.
    pub description: String,
    /// The columns, in order. In a common table's slice the first is `jurisdiction`.
    pub columns: Vec<ColumnSpec>,
    /// The dataset's column that identifies whom to protect; absent if and only if every column is public.
    /// It need not be among `columns`.
    pub privacy_unit: Option<SqlName>,
    /// The release rule that holds for it: the strictest of the policies that apply.
    pub policy: ReleaseRule,
    /// About how many rows it has, where everybody may know: of public slices alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approximate_rows: Option<u64>,
}

impl Slice {
    /// Whether every column is public, so that rows may leave and no gate is needed.
    #[must_use]
    pub fn is_public(&self) -> bool {
        self.columns.iter().all(|c| c.class == ColumnClass::Public)
    }

    /// The column that is the privacy unit's value, if SQL can name it at all.
    #[must_use]
    pub fn unit_column(&self) -> Option<&SqlName> {
        let unit = self.privacy_unit.as_ref()?;
        let is_unit = |column: &&ColumnSpec| match &column.expression {
            Some(expression) => expression.trim() == unit.as_str(),
            None => column.name == *unit,
        };
        self.columns.iter().find(is_unit).map(|column| &column.name)
    }

    /// Whether rules of classes, units and release say the same of a query over this slice as over another, whoever owns
    /// it and wherever it is read from.
    #[must_use]
    pub fn judged_like(&self, other: &Self) -> bool {
        let columns = |slice: &Self| -> Vec<_> {
            slice.columns.iter().map(|c| (c.name.clone(), c.data_type.clone(), c.class)).collect()
        };
        self.table == other.table
            && self.privacy_unit.is_some() == other.privacy_unit.is_some()
            && self.unit_column() == other.unit_column()
            && self.policy == other.policy
            && columns(self) == columns(other)
    }
}

/// A column of a slice.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ColumnSpec {
    /// Its name in SQL.
    pub name: SqlName,
    /// Its type.
    #[serde(rename = "type")]
    pub data_type: ColumnType,
    /// What may be done with it.
    pub class: ColumnClass,
    /// Its unit of measurement, for people: `CNY`, `µg/m³`.
    pub unit: Option<String>,
    /// What it says, for people.
    pub description: String,
    /// In a slice of a common table: the SQL expression over the dataset's columns that gives it. The owner wrote it.
    pub expression: Option<String>,
}

/// What the planner must know of a common table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CommonTableInfo {
    /// Its name.
    pub table: TableRef,
    /// Every jurisdiction holds the same full copy; any one of them answers for all.
    pub replicated: bool,
    /// The agreed co-location keys: rows with equal values of a key's column lie in the same jurisdiction,
    /// in every common table that has a column for that key.
    pub colocation: Vec<ColocationKey>,
    /// No privacy unit has rows in two jurisdictions, so that distinct units of the jurisdictions add up.
    pub disjoint_units: bool,
}

/// One column that takes part in a co-location key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ColocationKey {
    /// The key's name, shared by the tables that agree on it: `order`.
    pub key: SqlName,
    /// This table's column for it.
    pub column: SqlName,
}

/// Where a dataset lies, at its owner.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SourceSpec {
    /// The dataset's own table: `shenzhen.health.visits`.
    pub table: TableRef,
    /// The root that local paths may not leave.
    pub root: String,
    /// A file or folder below `root`.
    pub path: String,
    /// How the bytes are to be read.
    pub format: SourceFormat,
    /// What to do about a record that cannot be read.
    pub bad_records: BadRecords,
    /// The names and types of the columns as they lie in the source, in any order; every declared one must be there.
    pub columns: Vec<SourceColumn>,
    /// The most rows that any one privacy unit has, where the custodian knows it: it lets a row count decide a cell.
    pub max_rows_per_unit: Option<u64>,
}

/// A column as it lies in the source.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SourceColumn {
    /// Its name in SQL.
    pub name: SqlName,
    /// Its name in the file (any text): the same unless the manifest says otherwise.
    pub source_name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub data_type: ColumnType,
}

/// File formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum SourceFormat {
    /// Apache Parquet.
    Parquet,
    /// Comma-separated values with a header line (RFC 4180), UTF-8.
    Csv,
    /// One JSON object a line.
    Ndjson,
}

/// What to do about a record that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum BadRecords {
    /// The file is refused, and so is every query over it, until it is mended.
    #[default]
    Reject,
    /// The record is left out and counted; the count is in the owner's log.
    Skip,
}

/// The disclosure rule of one slice, after the strictest of all policies that apply was taken.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReleaseRule {
    /// The policies it came from, for explanations.
    pub policies: Vec<ResourceName>,
    /// A cell is released only if at least so many distinct privacy units contribute. 1 releases every cell.
    pub min_units: u32,
    /// Counts are rounded to a multiple of this, and sums are scaled to match. 1 is no rounding.
    pub rounding: u32,
    /// Whether "nobody" may be told from "fewer than `min_units`".
    pub publish_zeros: bool,
}

/// A directed, dated permission.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Agreement {
    /// Its name.
    pub name: ResourceName,
    /// Whose data may be asked for.
    pub from: JurisdictionId,
    /// Who may ask.
    pub to: JurisdictionId,
    /// The tables it covers: datasets under their own names, and common tables.
    pub tables: Vec<TableRef>,
    /// The purposes it allows.
    pub purposes: Vec<Purpose>,
    /// Whether it is in force, apart from its dates.
    pub state: AgreementState,
    /// It holds from here on.
    pub not_before: Timestamp,
    /// It no longer holds from here on.
    pub expires: Timestamp,
    /// Where it was filed, for people.
    pub filing_reference: String,
    /// SHA-256 of its content in canonical JSON (RFC 8785), hexadecimal: both ends must hold the same.
    pub digest: String,
}

/// The states of an agreement (after the Eclipse Dataspace Protocol's contract negotiation).
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

/// A research project.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Project {
    /// Its name.
    pub name: ResourceName,
    /// Who takes part.
    pub subjects: Vec<Subject>,
    /// What for.
    pub purposes: Vec<Purpose>,
    /// The agreements it rests on.
    pub agreements: Vec<ResourceName>,
    /// The most queries a day; absent for no limit.
    pub queries_per_day: Option<u32>,
}

/// A researcher, as an issuer names them.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Subject {
    /// The token's `iss`.
    pub issuer: String,
    /// The token's `sub`.
    pub subject: String,
}

/// What one query may use at a node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Limits {
    /// The longest a query may take, in seconds.
    pub deadline_seconds: u32,
    /// Memory for one query at a node, in MiB; beyond it, operators spill to disk.
    pub memory_mib: u32,
    /// The longest SQL text, in bytes.
    pub sql_bytes: u32,
    /// The most rows of one release.
    pub release_rows: u64,
    /// The most queries at once.
    pub concurrent_queries: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            deadline_seconds: 300,
            memory_mib: 1024,
            sql_bytes: 262_144,
            release_rows: 50_000_000,
            concurrent_queries: 32,
        }
    }
}
