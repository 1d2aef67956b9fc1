//! Latest reports of the nodes about datasets that they cannot read.

use std::collections::BTreeMap;

use wanqu_model::names::JurisdictionId;

use crate::latest::Latest;

/// Datasets that cannot be read, by name, and why; by the member whose node says so.
pub type Unavailable = BTreeMap<JurisdictionId, BTreeMap<String, String>>;

/// Latest reports, by the namespace of the federation.
pub type SourceReports = Latest<Unavailable>;

impl SourceReports {
    /// Returns whether the node of a member can read a dataset of this name, and why not; `None` if it does not say.
    #[must_use]
    pub fn of(&self, namespace: &str, member: &JurisdictionId, dataset: &str) -> Option<Result<(), String>> {
        self.find(namespace, |reports| {
            let unavailable = reports.get(member)?;
            Some(unavailable.get(dataset).map_or(Ok(()), |reason| Err(reason.clone())))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dataset_is_readable_if_its_node_says_so_and_unknown_if_it_says_nothing() {
        let (hk, mo): (JurisdictionId, JurisdictionId) = ("HK".parse().unwrap(), "MO".parse().unwrap());
        let report = |datasets: &[(&str, &str)]| {
            let unavailable = datasets.iter().map(|(name, why)| ((*name).to_owned(), (*why).to_owned())).collect();
            Unavailable::from([(hk.clone(), unavailable)])
        };
        let reports = SourceReports::default();
        assert!(reports.store("gba", report(&[("hours", "no file is there")])));
        assert!(!reports.store("gba", report(&[("hours", "no file is there")])));
        assert_eq!(reports.of("gba", &hk, "hours"), Some(Err("no file is there".to_owned())));
        assert_eq!(reports.of("gba", &hk, "visits"), Some(Ok(())));
        assert_eq!(reports.of("gba", &mo, "hours"), None);
        assert!(reports.store("gba", report(&[])));
        assert_eq!(reports.of("gba", &hk, "hours"), Some(Ok(())));
        reports.retain_namespaces(&[]);
        assert_eq!(reports.of("gba", &hk, "hours"), None);
    }
}
