//! Who takes part in a project: a researcher is an issuer and a subject **of a home**.
//!
//! Names of issuers are the choice of whoever lists them: `kubernetes` is another issuer in each cluster. So `kubernetes:alice` at
//! Hong Kong is not `kubernetes:alice` at Shenzhen, unless a project lists both. An owner learns the home from the certificate of
//! the connection, and believes of it only that it has authenticated somebody of an issuer that it is known to have.

use super::{Issuer, NodeBundle, Project, Subject};
use crate::names::JurisdictionId;

impl NodeBundle {
    /// Returns the issuers of a member; none if it is no member.
    pub fn issuers_of(&self, member: &JurisdictionId) -> impl Iterator<Item = &Issuer> {
        self.members.iter().filter(move |m| m.jurisdiction == *member).flat_map(|m| &m.issuers)
    }

    /// Returns true if this home can have authenticated a researcher: the issuer is one of the home's.
    #[must_use]
    pub fn is_issuer_of(&self, home: &JurisdictionId, issuer: &str) -> bool {
        self.issuers_of(home).any(|known| known.issuer == issuer)
    }

    /// Returns true if a researcher of this home takes part in a project.
    #[must_use]
    pub fn takes_part(&self, project: &Project, home: &JurisdictionId, requester: &Subject) -> bool {
        let is_listed = project.subjects.iter().any(|listed| {
            // A member that is left out of a bundle may not make a subject of several homes one of another: what is not said
            // is never found out by who else has the issuer.
            listed.jurisdiction.as_ref().is_none_or(|listed| listed == home)
                && listed.issuer == requester.issuer
                && listed.subject == requester.subject
        });
        is_listed && self.is_issuer_of(home, &requester.issuer)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::bundle;
    use super::*;

    fn id(text: &str) -> JurisdictionId {
        text.parse().unwrap()
    }

    #[test]
    fn a_researcher_of_one_home_is_not_one_of_another_with_the_same_names() {
        let mut bundle = bundle();
        let kubernetes = Issuer { issuer: "kubernetes".to_owned(), ..bundle.members[0].issuers[0].clone() };
        bundle.members.iter_mut().for_each(|member| member.issuers.push(kubernetes.clone()));
        let alice = Subject { issuer: "kubernetes".to_owned(), subject: "alice".to_owned() };
        let mut project = bundle.projects[0].clone();
        project.subjects[0].issuer.clone_from(&alice.issuer);
        project.subjects[0].subject.clone_from(&alice.subject);
        project.subjects[0].jurisdiction = Some(id("HK"));
        assert!(bundle.takes_part(&project, &id("HK"), &alice));
        assert!(!bundle.takes_part(&project, &id("MO"), &alice), "another home's alice");
        let mut both = project.clone();
        both.subjects.push(both.subjects[0].clone());
        both.subjects[1].jurisdiction = Some(id("MO"));
        assert!(bundle.takes_part(&both, &id("MO"), &alice), "unless the project says so");
        bundle.members[1].issuers.pop();
        assert!(!bundle.takes_part(&project, &id("HK"), &alice), "the home has no such issuer");
        assert!(!bundle.takes_part(&project, &id("CN-SZ"), &alice), "no member");
    }

    #[test]
    fn a_subject_of_an_older_operator_is_one_of_a_home_that_has_the_issuer() {
        let bundle = bundle();
        let (project, mei) = (&bundle.projects[0], &bundle.projects[0].subjects[0]);
        assert_eq!(mei.jurisdiction, None);
        let mei = Subject { issuer: mei.issuer.clone(), subject: mei.subject.clone() };
        assert!(bundle.takes_part(project, &id("HK"), &mei));
        assert!(!bundle.takes_part(project, &id("MO"), &mei), "Macau cannot vouch for whom Hong Kong's issuer names");
        let eve = Subject { subject: "eve".to_owned(), ..mei };
        assert!(!bundle.takes_part(project, &id("HK"), &eve));
    }
}
