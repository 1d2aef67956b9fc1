//! The resources of a namespace as the compiler takes them. They are copied only when there is something to compile.
//!
//! What can be read of an object that cannot be read as a whole goes with it where something can only be closed that way: the
//! compiler makes nothing of an object with a finding, but has to know what it protected, or whose node it was.

use k8s_openapi::NamespaceResourceScope;
use kube::runtime::reflector::Store;
use kube::{Resource, ResourceExt};
use wanqu_crds::{Finding, Resources, Sourced};

use crate::framework::Guarded;
use crate::framework::watched::{Catalogue, in_namespace};

const REMEDY: &str = "this operator cannot read what the installed definition accepts: correct the field, or install operator and \
                      definitions of the same version";

/// Returns the resources of a namespace. An object that cannot be read becomes a finding.
pub(super) fn resources(catalogue: &Catalogue, namespace: &str) -> Resources {
    let mut unreadable = Vec::new();
    let found = &mut unreadable;
    let resources = Resources {
        federations: all(&catalogue.federations, namespace, &FEDERATION, found),
        jurisdictions: all(&catalogue.jurisdictions, namespace, &JURISDICTION, found),
        datasets: all(&catalogue.datasets, namespace, &DATASET, found),
        common_tables: all(&catalogue.common_tables, namespace, &WHOLE, found),
        policies: all(&catalogue.policies, namespace, &POLICY, found),
        agreements: all(&catalogue.agreements, namespace, &WHOLE, found),
        projects: all(&catalogue.projects, namespace, &WHOLE, found),
        // Each query has conditions of its own, and none is part of a bundle; nor are consents to placements.
        queries: Vec::new(),
        grants: Vec::new(),
        unreadable: Vec::new(),
    };
    Resources { unreadable, ..resources }
}

/// Fields of a kind: those without which nothing is made of an object, and those whose loss closes what it is about.
struct Fields {
    needed: &'static [&'static str],
    closing: &'static [&'static str],
}

const FEDERATION: Fields = Fields { needed: &["spec.trustDomain"], closing: &["spec.defaults"] };
const JURISDICTION: Fields = Fields {
    needed: &["spec.id", "spec.sqlName"],
    closing: &["spec.displayName", "spec.placement", "spec.issuers", "spec.dataRoot", "spec.dataClaim"],
};
const DATASET: Fields = Fields {
    needed: &["spec.jurisdiction", "spec.table", "spec.columns", "spec.privacyUnit", "spec.serves"],
    closing: &[],
};
const POLICY: Fields = Fields { needed: &["spec.appliesTo"], closing: &[] };
const WHOLE: Fields = Fields { needed: &["spec"], closing: &[] };

fn all<K>(store: &Store<Guarded<K>>, namespace: &str, fields: &Fields, unreadable: &mut Vec<Finding>) -> Vec<Sourced<K>>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + 'static,
{
    let mut readable = Vec::new();
    for object in in_namespace(store, namespace) {
        match &object.0 {
            Ok(resource) => readable.push(Sourced::from(resource.clone())),
            Err(malformed) => {
                let finding = |path: &str, problem: &str| Finding {
                    origin: None,
                    kind: K::kind(&()).into_owned(),
                    name: object.name_any(),
                    path: path.to_owned(),
                    problem: problem.to_owned(),
                    remedy: REMEDY.to_owned(),
                };
                unreadable.push(finding(&malformed.path, &malformed.problem));
                if let Some(rest) = object.read_fields(fields.needed) {
                    readable.push(Sourced::from(rest.clone()));
                    let told = |field: &str| malformed.path.starts_with(field);
                    let lost = |field: &&&str| object.read_fields(&[**field]).is_none() && !told(field);
                    unreadable
                        .extend(fields.closing.iter().filter(lost).map(|field| finding(field, "it cannot be read")));
                }
            }
        }
    }
    readable
}
