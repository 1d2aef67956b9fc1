//! `DataSharingAgreement`: a directed, dated permission.

use jiff::Timestamp;
use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};
use wanqu_model::bundle::AgreementState;
use wanqu_model::names::{JurisdictionId, Purpose, ResourceName, SqlName};

use super::Status;
use crate::schema;

/// A directed, dated permission: one jurisdiction may ask another about some of its data, for some purposes.
#[derive(Debug, Clone, PartialEq, CustomResource, KubeSchema, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[kube(
    group = "wanqu.dev",
    version = "v1alpha1",
    kind = "DataSharingAgreement",
    doc = "A directed, dated permission: one jurisdiction may ask another about some of its data, for some purposes.",
    namespaced,
    status = "Status",
    derive = "PartialEq",
    shortname = "dsa",
    category = "wanqu",
    printcolumn(name = "From", type_ = "string", json_path = ".spec.from"),
    printcolumn(name = "To", type_ = "string", json_path = ".spec.to"),
    printcolumn(name = "State", type_ = "string", json_path = ".spec.state"),
    // `date` is for the past: kubectl shows how long ago it was.
    printcolumn(name = "Expires", type_ = "string", json_path = ".spec.expires"),
    printcolumn(name = "Filing", type_ = "string", json_path = ".spec.filingReference", priority = 1),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].status"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[x_kube(validation = Rule::new("self.from != self.to").message("an agreement joins two different jurisdictions").field_path(".to"))]
#[x_kube(validation = Rule::new("self.expires > self.notBefore").message("expires comes after notBefore").field_path(".expires"))]
#[x_kube(validation = Rule::new(
    "(has(self.datasets) && self.datasets.size() > 0) || (has(self.commonTables) && self.commonTables.size() > 0) || (has(self.domains) && self.domains.size() > 0)"
).message("an agreement covers at least one of datasets, commonTables and domains"))]
#[x_kube(validation = Rule::new(
    "!has(self.agreedBy) || self.agreedBy.all(j, j == self.from || j == self.to)"
).message("only the two ends agree").field_path(".agreedBy"))]
#[x_kube(validation = Rule::new(
    "!(self.state in ['Agreed', 'Active']) || (has(self.agreedBy) && self.from in self.agreedBy && self.to in self.agreedBy)"
).message("an agreement is Agreed or Active only when both ends are in agreedBy").field_path(".state"))]
pub struct DataSharingAgreementSpec {
    /// Whose data may be asked for.
    pub from: JurisdictionId,
    /// Who may ask.
    pub to: JurisdictionId,
    /// Datasets of `from` that it covers, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 1000))]
    pub datasets: Vec<ResourceName>,
    /// CommonTables that it covers, by name: the part of each that `from` serves.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 1000))]
    pub common_tables: Vec<ResourceName>,
    /// Domains that it covers: every dataset of `from` and every common table in them, also those that come later.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    pub domains: Vec<SqlName>,
    /// The purposes that it allows.
    #[schemars(length(min = 1, max = 100))]
    pub purposes: Vec<Purpose>,
    /// Where it was filed.
    #[schemars(length(min = 1, max = 256))]
    pub filing_reference: String,
    /// It holds from here on.
    #[schemars(schema_with = "schema::date_time")]
    pub not_before: Timestamp,
    /// It no longer holds from here on.
    #[schemars(schema_with = "schema::date_time")]
    pub expires: Timestamp,
    /// Requested, Agreed, Active, Suspended or Terminated. Only an Active agreement allows anything.
    pub state: AgreementState,
    /// Which ends have agreed to it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 2))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub agreed_by: Vec<JurisdictionId>,
}
