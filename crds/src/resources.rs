//! The resources of one federation.

use crate::finding::Finding;
use crate::kinds::{
    CommonTable, DataSharingAgreement, Dataset, DisclosurePolicy, FederatedQuery, Federation, Jurisdiction,
    ResearchProject,
};
use crate::sourced::Sourced;

/// Everything that describes one federation, in no particular order and not yet checked against each other.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Resources {
    /// There must be exactly one.
    pub federations: Vec<Sourced<Federation>>,
    /// Its members.
    pub jurisdictions: Vec<Sourced<Jurisdiction>>,
    /// What they hold.
    pub datasets: Vec<Sourced<Dataset>>,
    /// What they agreed to call alike.
    pub common_tables: Vec<Sourced<CommonTable>>,
    /// What may be released.
    pub policies: Vec<Sourced<DisclosurePolicy>>,
    /// Who may ask whom.
    pub agreements: Vec<Sourced<DataSharingAgreement>>,
    /// Who asks, and what for.
    pub projects: Vec<Sourced<ResearchProject>>,
    /// Resources that exist but cannot be read, as a cluster may hold some: each with what is wrong with it. They stop
    /// the compilation like any other finding, and nobody who refers to one of them is told that it is not there.
    pub unreadable: Vec<Finding>,
    /// What is asked. No bundle holds it: on a cluster each question has conditions of its own and these are left out.
    pub queries: Vec<Sourced<FederatedQuery>>,
}

impl Resources {
    /// Puts two collections together.
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
    }

    /// How many resources there are.
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
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
