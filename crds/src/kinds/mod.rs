//! The custom resources, `wanqu.dev/v1alpha1`: one file per kind.
//!
//! All are namespaced: a federation and everything in it lives in one namespace; only a `PlacementGrant` lives where a node
//! is to run. On a laptop the namespace is ignored.
//! References between resources go by `metadata.name`.

#![expect(clippy::duplicated_attributes, reason = "two printer columns may well have one type")]
#![expect(clippy::doc_markdown, reason = "`kubectl explain` shows these comments as they stand")]

mod common_table;
mod data_sharing_agreement;
mod dataset;
mod definition;
mod disclosure_policy;
mod exchange;
mod federated_query;
mod federation;
mod jurisdiction;
mod network;
mod placement_grant;
mod pods;
mod query_run;
mod research_project;
mod status;
mod traces;

pub use crate::local_table::LocalTable;
pub use common_table::{Code, ColocationSpec, CommonColumn, CommonTable, CommonTableSpec};
pub use data_sharing_agreement::{DataSharingAgreement, DataSharingAgreementSpec};
pub use dataset::{ColumnMapping, Dataset, DatasetColumn, DatasetSource, DatasetSpec, FilesSource, Grade, ServedTable};
pub use definition::{Definition, definitions};
pub use disclosure_policy::{AppliesTo, DisclosurePolicy, DisclosurePolicySpec, Dominance};
pub use exchange::{ExternalTraffic, NodeExchange, ServiceType};
pub use federated_query::{ConcurrencyPolicy, Delivery, FederatedQuery, FederatedQuerySpec, FederatedQueryStatus};
pub use federation::{Federation, FederationDefaults, FederationSpec, LimitsSpec, ReleaseDefaults};
pub use jurisdiction::{
    AuthoritySecret, ExternalPlacement, IssuerSpec, Jurisdiction, JurisdictionSpec, KubeconfigSecret, NodeResources,
    NodeStorage, PlacementSpec,
};
pub use network::NodeNetwork;
pub use placement_grant::{GrantedFrom, PlacementGrant, PlacementGrantSpec};
pub use pods::{NodePods, NodeSpread, NodeToleration, NodeVariable, TaintEffect, TolerationOperator, Unsatisfiable};
pub use query_run::{JurisdictionPart, KeptAnswer, QueryRun, Receipt, RunState};
pub use research_project::{ResearchProject, ResearchProjectSpec, SubjectSpec};
pub use status::Status;
pub use traces::TracesSpec;

/// API group of every kind.
pub const GROUP: &str = "wanqu.dev";
/// Version of every kind.
pub const VERSION: &str = "v1alpha1";
