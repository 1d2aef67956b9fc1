//! For random federations with random faults: no node is permitted more than what the faultless part permits, and every
//! revocation is in the bundle of every member that it concerns, whatever else is wrong.

use std::collections::BTreeMap;

use wanqu_crds::{Partial, Resources};
use wanqu_model::bundle::{AgreementState, NodeBundle};
use wanqu_model::names::JurisdictionId;

use super::edits::edit;
use super::grants::beyond;
use super::oracle::faultless;
use super::random::Random;
use super::{compiled, examples};

/// Random federations.
const FEDERATIONS: u64 = 150;

/// A federation with one to six random edits.
fn federation(seed: u64, random: &mut Random) -> Resources {
    println!("seed {seed}");
    let mut resources = examples();
    for _ in 0..=random.below(6) {
        edit(random, &mut resources);
    }
    resources
}

/// Every bundle that some node of the examples may have.
fn bundles(partial: &Partial) -> BTreeMap<JurisdictionId, NodeBundle> {
    let Some(compiled) = &partial.compiled else { return BTreeMap::new() };
    let ids = ["CN-SZ", "HK", "MO"].map(super::id);
    ids.into_iter().filter_map(|id| compiled.bundle(&id).map(|bundle| (id, bundle))).collect()
}

#[test]
fn no_fault_lets_a_node_permit_more_than_what_is_in_order_permits_alone() {
    let (mut faulty, mut answering) = (0, 0);
    for seed in 0..FEDERATIONS {
        let resources = federation(seed, &mut Random(seed));
        let partial = compiled(&resources);
        let most = faultless(&resources);
        let ours = bundles(&partial);
        for (id, bundle) in &ours {
            let most = most.as_ref().and_then(|most| most.bundle(id));
            let beyond = beyond(bundle, most.as_ref(), &|id| ours.get(id));
            assert!(
                beyond.is_empty(),
                "seed {seed}: {id}: {beyond:#?}\n{:#?}\n{:#?}",
                partial.findings,
                partial.left_out
            );
            let lost = bundle.slices.iter().filter(|slice| slice.jurisdiction == *id);
            let sources =
                lost.filter(|slice| !slice.table.is_common() && !bundle.sources.iter().any(|s| s.table == slice.table));
            assert_eq!(sources.count(), 0, "seed {seed}: {id} could not open its bundle");
        }
        faulty += usize::from(!partial.findings.is_empty());
        answering +=
            usize::from(!partial.findings.is_empty() && ours.values().any(|bundle| !bundle.agreements.is_empty()));
    }
    println!("{faulty} of {FEDERATIONS} federations were at fault, and {answering} of these went on");
    assert!(faulty > 100 && answering * 2 > faulty, "{faulty} {answering}");
}

#[test]
fn whatever_else_is_wrong_a_revocation_is_in_every_bundle_that_it_concerns() {
    for seed in 1_000..1_000 + FEDERATIONS {
        let mut random = Random(seed);
        let mut resources = federation(seed, &mut random);
        let told = revoke(&mut random, &mut resources);
        let partial = compiled(&resources);
        for (id, bundle) in bundles(&partial) {
            if let Some(revoked) = &told {
                revoked.is_in(&id, &bundle).unwrap_or_else(|left| panic!("seed {seed}: {id} still has {left}"));
            }
        }
    }
}

/// A permission that was taken back.
enum Revoked {
    Suspended(String),
    Deleted(String),
    Ejected(JurisdictionId),
    Dataset(String),
    Researcher(String, String),
    Stricter(JurisdictionId, u32),
}

fn revoke(random: &mut Random, resources: &mut Resources) -> Option<Revoked> {
    let choice = random.below(7);
    match choice {
        0 => {
            let agreement = random.one(&mut resources.agreements)?;
            agreement.resource.spec.state = AgreementState::Suspended;
            Some(Revoked::Suspended(agreement.name().to_owned()))
        }
        1 => random.take(&mut resources.agreements).map(|gone| Revoked::Deleted(gone.name().to_owned())),
        2 => {
            let members = &mut resources.federations.first_mut()?.resource.spec.members;
            let gone = random.take(members)?;
            members.retain(|member| *member != gone);
            Some(Revoked::Ejected(gone))
        }
        3 => {
            let gone = random.take(&mut resources.jurisdictions)?.resource.spec.id;
            Some(Revoked::Ejected(gone))
        }
        4 => random.take(&mut resources.datasets).map(|gone| Revoked::Dataset(gone.name().to_owned())),
        5 => {
            let project = random.one(&mut resources.projects)?;
            let gone = random.take(&mut project.resource.spec.subjects)?;
            let left =
                project.resource.spec.subjects.iter().any(|s| (&s.issuer, &s.subject) == (&gone.issuer, &gone.subject));
            (!left).then(|| Revoked::Researcher(project.name().to_owned(), format!("{} {}", gone.issuer, gone.subject)))
        }
        _ => {
            let policy = random.one(&mut resources.policies)?;
            policy.resource.spec.min_units = 77;
            let to = &policy.resource.spec.applies_to;
            to.jurisdiction.clone().filter(|_| to.datasets.is_empty()).map(|id| Revoked::Stricter(id, 77))
        }
    }
}

impl Revoked {
    /// Checks that a member's bundle does not permit it any more.
    fn is_in(&self, id: &JurisdictionId, bundle: &NodeBundle) -> Result<(), String> {
        let named = |name: &str| bundle.agreements.iter().find(|agreement| agreement.name.as_str() == name);
        let left = match self {
            Self::Suspended(name) => {
                named(name).filter(|agreement| agreement.state != AgreementState::Suspended).map(|_| name.clone())
            }
            Self::Deleted(name) => {
                let rests =
                    bundle.projects.iter().any(|p| p.agreements.iter().any(|agreement| agreement.as_str() == name));
                (named(name).is_some() || rests).then(|| name.clone())
            }
            Self::Ejected(gone) if gone == id => {
                let grants =
                    bundle.slices.len() + bundle.agreements.len() + bundle.projects.len() + bundle.members.len() - 1;
                (grants > 0).then(|| "grants of its own".to_owned())
            }
            Self::Ejected(gone) => {
                let known = bundle.members.iter().any(|member| member.jurisdiction == *gone);
                let asked = bundle.slices.iter().any(|slice| slice.jurisdiction == *gone);
                let agreed = bundle.agreements.iter().any(|a| a.from == *gone || a.to == *gone);
                (known || asked || agreed).then(|| gone.to_string())
            }
            Self::Dataset(name) => {
                bundle.slices.iter().find(|slice| slice.dataset.as_str() == name).map(|slice| slice.table.to_string())
            }
            Self::Researcher(project, who) => {
                let project = bundle.projects.iter().find(|other| other.name.as_str() == project);
                let mut subjects = project.into_iter().flat_map(|project| &project.subjects);
                subjects.any(|s| format!("{} {}", s.issuer, s.subject) == *who).then(|| who.clone())
            }
            Self::Stricter(of, least) => {
                let laxer = |slice: &&wanqu_model::bundle::Slice| {
                    slice.jurisdiction == *of
                        && slice.jurisdiction == *id
                        && !slice.is_public()
                        && slice.policy.min_units < *least
                };
                bundle.slices.iter().find(laxer).map(|slice| slice.table.to_string())
            }
        };
        left.map_or(Ok(()), Err)
    }
}
