//! The resources of a namespace as the compiler takes them. They are copied only when there is something to compile.

use k8s_openapi::NamespaceResourceScope;
use kube::runtime::reflector::Store;
use kube::{Resource, ResourceExt};
use wanqu_crds::{Finding, Resources, Sourced};

use crate::framework::Guarded;
use crate::framework::watched::{Catalogue, in_namespace};

/// Returns the resources of a namespace. An object that cannot be read becomes a finding.
pub(super) fn resources(catalogue: &Catalogue, namespace: &str) -> Resources {
    let mut unreadable = Vec::new();
    let found = &mut unreadable;
    let resources = Resources {
        federations: all(&catalogue.federations, namespace, found),
        jurisdictions: all(&catalogue.jurisdictions, namespace, found),
        datasets: all(&catalogue.datasets, namespace, found),
        common_tables: all(&catalogue.common_tables, namespace, found),
        policies: all(&catalogue.policies, namespace, found),
        agreements: all(&catalogue.agreements, namespace, found),
        projects: all(&catalogue.projects, namespace, found),
        // Each query has conditions of its own, and none is part of a bundle.
        queries: Vec::new(),
        unreadable: Vec::new(),
    };
    Resources { unreadable, ..resources }
}

fn all<K>(store: &Store<Guarded<K>>, namespace: &str, unreadable: &mut Vec<Finding>) -> Vec<Sourced<K>>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + 'static,
{
    let mut readable = Vec::new();
    for object in in_namespace(store, namespace) {
        match &object.0 {
            Ok(resource) => readable.push(Sourced::from(resource.clone())),
            Err(malformed) => unreadable.push(Finding {
                origin: None,
                kind: K::kind(&()).into_owned(),
                name: object.name_any(),
                path: malformed.path.clone(),
                problem: malformed.problem.clone(),
                remedy:
                    "this operator cannot read what the installed definition accepts: correct the field, or install \
                         operator and definitions of the same version"
                        .to_owned(),
            }),
        }
    }
    readable
}
