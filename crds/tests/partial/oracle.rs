//! The faultless part of a federation, made by another way than the compiler's: objects with findings are taken away, and the
//! mention of them elsewhere, until the strict compiler finds nothing.

use std::collections::BTreeSet;

use wanqu_crds::{Compiled, Finding, Resources, Sourced, check};

use super::placements;

/// Returns what the objects in order compile to by themselves; `None` if no federation is left.
pub fn faultless(resources: &Resources) -> Option<Compiled> {
    let mut rest = resources.clone();
    let mut first = true;
    for _ in 0..200 {
        let findings = match check(&rest, &placements()) {
            Ok(compiled) => return Some(compiled),
            Err(findings) => findings,
        };
        if findings.iter().any(|finding| finding.kind == "Federation" && finding.name.is_empty()) {
            return None;
        }
        rest.unreadable.clear();
        // Later, a problem of a mention is one of what was taken away before.
        // One of an object at a time: positions in its lists are those from before.
        let mut touched = BTreeSet::new();
        for finding in &findings {
            if touched.insert((&finding.kind, &finding.name)) {
                without(&mut rest, finding, first);
            }
        }
        first = false;
    }
    panic!("what is left is never in order: {:#?}", check(&rest, &placements()));
}

fn without(rest: &mut Resources, finding: &Finding, first: bool) {
    let path = finding.path.as_str();
    let name = finding.name.as_str();
    let item =
        |list: &str| -> Option<usize> { path.strip_prefix(list)?.strip_prefix('[')?.split(']').next()?.parse().ok() };
    match finding.kind.as_str() {
        "Federation" => {
            let spec = &mut rest.federations[0].resource.spec;
            match item("spec.members") {
                Some(at) if at < spec.members.len() => drop(spec.members.remove(at)),
                Some(_) => {}
                None => spec.defaults.release = wanqu_crds::kinds::ReleaseDefaults::default(),
            }
        }
        "Jurisdiction" if path == "spec.traces" => {
            find(&mut rest.jurisdictions, name, |spec| spec.resource.spec.traces = None);
        }
        "Jurisdiction" => rest.jurisdictions.retain(|one| one.name() != name),
        "Dataset" => match item("spec.serves").filter(|_| !first && path.ends_with(".commonTable")) {
            Some(at) => find(&mut rest.datasets, name, |one| remove(&mut one.resource.spec.serves, at)),
            None => rest.datasets.retain(|one| one.name() != name),
        },
        "CommonTable" => rest.common_tables.retain(|one| one.name() != name),
        "DisclosurePolicy" => {
            rest.policies.retain(|one| one.name() != name);
            // It is in order where only the jurisdiction that it names was taken away: without it datasets are only less protected.
            for dataset in rest.datasets.iter_mut().filter(|_| !first) {
                dataset.resource.spec.policies.retain(|policy| policy.as_str() != name);
            }
        }
        "DataSharingAgreement" => {
            let mut mended = false;
            find(&mut rest.agreements, name, |one| {
                let spec = &mut one.resource.spec;
                let lists = [item("spec.datasets"), item("spec.commonTables"), item("spec.domains")];
                mended = !first && lists.iter().any(Option::is_some);
                if let (true, [datasets, tables, domains]) = (mended, lists) {
                    datasets.into_iter().for_each(|at| remove(&mut spec.datasets, at));
                    tables.into_iter().for_each(|at| remove(&mut spec.common_tables, at));
                    domains.into_iter().for_each(|at| remove(&mut spec.domains, at));
                }
            });
            if !mended {
                rest.agreements.retain(|one| one.name() != name);
            }
        }
        "ResearchProject" => {
            let mut mended = false;
            find(&mut rest.projects, name, |one| {
                let spec = &mut one.resource.spec;
                mended = item("spec.agreements").is_some() || item("spec.subjects").is_some();
                item("spec.agreements").into_iter().for_each(|at| remove(&mut spec.agreements, at));
                item("spec.subjects").into_iter().for_each(|at| remove(&mut spec.subjects, at));
                mended &= !(spec.agreements.is_empty() && item("spec.agreements").is_some());
            });
            if !mended {
                rest.projects.retain(|one| one.name() != name);
            }
        }
        _ => {}
    }
}

fn find<T: kube::Resource>(all: &mut [Sourced<T>], name: &str, change: impl FnOnce(&mut Sourced<T>)) {
    if let Some(one) = all.iter_mut().find(|one| one.name() == name) {
        change(one);
    }
}

fn remove<T>(list: &mut Vec<T>, at: usize) {
    if at < list.len() {
        list.remove(at);
    }
}
