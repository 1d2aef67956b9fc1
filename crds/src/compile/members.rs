//! The members, as every node knows them.

use std::collections::BTreeSet;

use wanqu_model::bundle::{Issuer, Member};

use super::index::Index;
use crate::finding::Findings;
use crate::kinds::{IssuerSpec, Jurisdiction, ServiceType};
use crate::placements::{Placement, Placements};
use crate::sourced::Sourced;

/// Every member, ordered by id.
pub(super) fn members(index: &Index<'_>, placements: &Placements, findings: &mut Findings) -> Vec<Member> {
    let nowhere = Placement::default();
    let member = |(&id, &jurisdiction): (&&_, &&Sourced<Jurisdiction>)| {
        check(jurisdiction, findings);
        let spec = &jurisdiction.resource.spec;
        let placement = placements.members.get(id).unwrap_or(&nowhere);
        let external = spec.placement.external.as_ref();
        Member {
            jurisdiction: id.clone(),
            sql_name: spec.sql_name.clone(),
            display_name: spec.display_name.clone().unwrap_or_else(|| spec.sql_name.to_string()),
            endpoint: placement.endpoint.clone().or_else(|| external.map(|e| e.endpoint.clone())),
            ca: placement.ca.clone().or_else(|| external.map(|e| e.ca.clone())),
            issuers: spec.issuers.iter().map(|issuer| with_keys(issuer, placement)).collect(),
        }
    };
    index.jurisdictions.iter().map(member).collect()
}

/// An issuer with the keys of the manifest and of the placement, each once.
fn with_keys(spec: &IssuerSpec, placement: &Placement) -> Issuer {
    let mut public_keys = spec.public_keys.clone();
    for key in placement.issuer_keys.get(&spec.issuer).into_iter().flatten() {
        if !public_keys.contains(key) {
            public_keys.push(key.clone());
        }
    }
    Issuer { issuer: spec.issuer.clone(), audience: spec.audience.clone(), public_keys }
}

fn check(jurisdiction: &Sourced<Jurisdiction>, findings: &mut Findings) {
    let spec = &jurisdiction.resource.spec;
    let placement = &spec.placement;
    let places = [placement.namespace.is_some(), placement.kubeconfig_secret.is_some(), placement.external.is_some()];
    if places.into_iter().filter(|&said| said).count() > 1 {
        let remedy = "keep at most one of namespace, kubeconfigSecret and external";
        findings.add(jurisdiction, "spec.placement", "it is placed in more than one way", remedy);
    }
    if let Some(external) = &placement.external
        && !external.ca.contains("-----BEGIN CERTIFICATE-----")
    {
        let remedy = "give the certificates of its own authority, as text from -----BEGIN CERTIFICATE----- on";
        findings.add(jurisdiction, "spec.placement.external.ca", "it holds no PEM certificate", remedy);
    }
    if placement.external.is_some() && (spec.data_claim.is_some() || spec.authority_secret.is_some()) {
        let problem = "it is run elsewhere, and has its data and its authority there";
        findings.add(jurisdiction, "spec.placement.external", problem, "leave dataClaim and authoritySecret out");
    }
    if let Some(traces) = &spec.traces
        && traces.namespace.is_none()
        && traces.cidrs.is_empty()
        && traces.address().is_none()
    {
        let problem = "its collector is known by a name only, and network policies know no names";
        let remedy = "say the namespace of the collector's pods, or its cidrs";
        findings.add(jurisdiction, "spec.traces", problem, remedy);
    }
    if let Some(exchange) = &spec.exchange
        && exchange.service_type == ServiceType::ClusterIP
        && (exchange.node_port.is_some() || exchange.external_traffic_policy.is_some())
    {
        let problem = "nodePort and externalTrafficPolicy speak of a way in from outside";
        findings.add(jurisdiction, "spec.exchange", problem, "let serviceType be NodePort or LoadBalancer");
    }
    let mut seen = BTreeSet::new();
    for (position, issuer) in spec.issuers.iter().enumerate() {
        if !seen.insert(&issuer.issuer) {
            let path = format!("spec.issuers[{position}].issuer");
            findings.add(jurisdiction, path, format!("issuer {} is listed twice", issuer.issuer), "list it once");
        }
        for (number, key) in issuer.public_keys.iter().enumerate() {
            if !key.contains("-----BEGIN PUBLIC KEY-----") {
                let path = format!("spec.issuers[{position}].publicKeys[{number}]");
                let remedy = "give an Ed25519 key as text from -----BEGIN PUBLIC KEY----- on";
                findings.add(jurisdiction, path, "it is no PEM public key", remedy);
            }
        }
    }
}
