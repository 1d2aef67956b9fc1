//! Resources of one federation.

use crate::finding::Finding;
use crate::kinds::{
    CommonTable, DataSharingAgreement, Dataset, DisclosurePolicy, FederatedQuery, Federation, Jurisdiction,
    PlacementGrant, ResearchProject,
};
use crate::sourced::Sourced;

/// Resources of one federation, in no particular order and not yet checked against each other.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Resources {
    /// The federation; there must be exactly one.
    pub federations: Vec<Sourced<Federation>>,
    /// Members of the federation.
    pub jurisdictions: Vec<Sourced<Jurisdiction>>,
    /// Datasets of the members.
    pub datasets: Vec<Sourced<Dataset>>,
    /// Common tables that the datasets serve.
    pub common_tables: Vec<Sourced<CommonTable>>,
    /// Rules for releases.
    pub policies: Vec<Sourced<DisclosurePolicy>>,
    /// Agreements between members.
    pub agreements: Vec<Sourced<DataSharingAgreement>>,
    /// Research projects.
    pub projects: Vec<Sourced<ResearchProject>>,
    /// Problems of resources that exist in a cluster but cannot be read. They stop the compilation like any other finding, and
    /// an object that refers to such a resource is not told that it does not exist.
    pub unreadable: Vec<Finding>,
    /// Queries from manifests. No bundle holds them; on a cluster each has its own conditions and they are left out here.
    pub queries: Vec<Sourced<FederatedQuery>>,
    /// Consents to placements from manifests. No bundle holds them; on a cluster they lie in the namespaces of the nodes, and are
    /// left out here.
    pub grants: Vec<Sourced<PlacementGrant>>,
}

impl Resources {
    /// Adds another collection to this one.
    pub fn extend(&mut self, other: Self) {
        self.federations.extend(other.federations);
        self.jurisdictions.extend(other.jurisdictions);
        self.datasets.extend(other.datasets);
        self.common_tables.extend(other.common_tables);
        self.policies.extend(other.policies);
        self.agreements.extend(other.agreements);
        self.projects.extend(other.projects);
        self.unreadable.extend(other.unreadable);
        self.queries.extend(other.queries);
        self.grants.extend(other.grants);
    }

    /// Returns the number of resources.
    #[must_use]
    pub fn len(&self) -> usize {
        self.federations.len()
            + self.jurisdictions.len()
            + self.datasets.len()
            + self.common_tables.len()
            + self.policies.len()
            + self.agreements.len()
            + self.projects.len()
            + self.queries.len()
            + self.grants.len()
    }

    /// Returns true if there are no resources.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
