//! Members, as every node knows them.

use std::collections::BTreeSet;

use wanqu_model::audience::{gateway_audience, is_gateway_audience};
use wanqu_model::bundle::{Issuer, Member, usual_token_life};
use wanqu_model::names::JurisdictionId;

use super::Closed;
use super::index::Index;
use crate::audiences::Audiences;
use crate::finding::Findings;
use crate::kinds::{IssuerSpec, Jurisdiction, NodeVariable, ServiceType};
use crate::placements::{Placement, Placements};
use crate::sourced::Sourced;

/// Returns every member, ordered by id.
pub(super) fn members(index: &Index<'_>, placements: &Placements, findings: &mut Findings) -> Vec<Member> {
    let nowhere = Placement::default();
    let trust_domain = index
        .federation
        .as_ref()
        .map(|(_, federation)| federation.resource.spec.trust_domain.as_str())
        .unwrap_or_default();
    if !trust_domain.is_empty() {
        check_audiences(index, trust_domain, findings);
    }
    let audiences = Audiences::of(
        trust_domain,
        index.jurisdictions.values().chain(&index.out.jurisdictions).map(|j| &j.resource.spec),
    );
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
            issuers: spec.issuers.iter().map(|issuer| with_keys(issuer, audiences.at(id, issuer), placement)).collect(),
        }
    };
    index.jurisdictions.iter().map(member).collect()
}

/// Returns the jurisdictions that the compilation goes without. Nobody is believed who comes from one, and nobody asks it; only its
/// own node knows its address and its authority, without which it could show nothing.
pub(super) fn closed(index: &Index<'_>, placements: &Placements, listed: &[JurisdictionId]) -> Closed {
    let mut closed = Closed::default();
    for jurisdiction in &index.out.jurisdictions {
        let spec = &jurisdiction.resource.spec;
        if index.jurisdictions.contains_key(&spec.id) || closed.own.contains_key(&spec.id) {
            continue;
        }
        let placement = placements.members.get(&spec.id);
        let own = Member {
            jurisdiction: spec.id.clone(),
            sql_name: spec.sql_name.clone(),
            display_name: spec.display_name.clone().unwrap_or_else(|| spec.sql_name.to_string()),
            endpoint: placement.and_then(|placement| placement.endpoint.clone()),
            ca: placement.and_then(|placement| placement.ca.clone()),
            issuers: Vec::new(),
        };
        if listed.contains(&spec.id) {
            closed.listed.insert(spec.id.clone(), Member { endpoint: None, ca: None, ..own.clone() });
        }
        closed.own.insert(spec.id.clone(), (jurisdiction.name().to_owned(), own));
    }
    closed
}

/// Returns an issuer with its audience, and with the keys of the manifest and of the placement, each once.
fn with_keys(spec: &IssuerSpec, audience: String, placement: &Placement) -> Issuer {
    let mut public_keys = spec.public_keys.clone();
    for key in placement.issuer_keys.get(&spec.issuer).into_iter().flatten() {
        if !public_keys.contains(key) {
            public_keys.push(key.clone());
        }
    }
    Issuer {
        issuer: spec.issuer.clone(),
        audience,
        public_keys,
        max_life_seconds: spec.max_life_seconds.unwrap_or(usual_token_life()),
    }
}

/// Checks that no jurisdiction states the audience of another.
fn check_audiences(index: &Index<'_>, trust_domain: &str, findings: &mut Findings) {
    for (id, jurisdiction) in &index.jurisdictions {
        let own = gateway_audience(trust_domain, id);
        for (position, issuer) in jurisdiction.resource.spec.issuers.iter().enumerate() {
            if issuer.audience.as_ref().is_some_and(|audience| is_gateway_audience(audience) && *audience != own) {
                let path = format!("spec.issuers[{position}].audience");
                let problem = format!(
                    "{} is not the audience of this jurisdiction",
                    issuer.audience.as_deref().unwrap_or_default()
                );
                let remedy =
                    format!("leave it out, which means {own}, or give each jurisdiction an audience of its own");
                findings.add(jurisdiction, path, problem, remedy);
            }
        }
    }
}

fn check(jurisdiction: &Sourced<Jurisdiction>, findings: &mut Findings) {
    let spec = &jurisdiction.resource.spec;
    let placement = &spec.placement;
    let places = [placement.namespace.is_some(), placement.kubeconfig_secret.is_some(), placement.external.is_some()];
    if places.into_iter().filter(|&said| said).count() > 1 {
        let remedy = "keep at most one of namespace, kubeconfigSecret and external";
        findings.add(jurisdiction, "spec.placement", "it has more than one placement", remedy);
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
        let problem = "its collector is given by a name only, which network policies cannot allow";
        let remedy = "give the namespace of the collector's pods, or its cidrs";
        findings.add(jurisdiction, "spec.traces", problem, remedy);
    }
    if let Some(position) = spec.pods.env.iter().position(NodeVariable::is_reserved) {
        let problem = format!("{} is a variable of the operator", spec.pods.env[position].name);
        findings.add(
            jurisdiction,
            format!("spec.pods.env[{position}].name"),
            problem,
            "use the fields of the Jurisdiction",
        );
    }
    if let Some(label) = spec.pods.reserved_label() {
        let problem = format!("{label} is a label by which the node's pods are selected");
        findings.add(jurisdiction, "spec.pods.labels", problem, "use a label of your own");
    }
    if let Some(exchange) = &spec.exchange
        && exchange.service_type == ServiceType::ClusterIP
        && (exchange.node_port.is_some() || exchange.external_traffic_policy.is_some())
    {
        let problem = "nodePort and externalTrafficPolicy apply to a Service that is reached from outside";
        findings.add(jurisdiction, "spec.exchange", problem, "set serviceType to NodePort or LoadBalancer");
    }
    let mut seen = BTreeSet::new();
    for (position, issuer) in spec.issuers.iter().enumerate() {
        if !seen.insert(&issuer.issuer) {
            let path = format!("spec.issuers[{position}].issuer");
            findings.add(jurisdiction, path, format!("issuer {} is listed twice", issuer.issuer), "list it once");
        }
        if issuer.audience.as_deref() == Some("") {
            let path = format!("spec.issuers[{position}].audience");
            findings.add(
                jurisdiction,
                path,
                "it is empty",
                "leave it out, or give the claim aud of the issuer's tokens",
            );
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
