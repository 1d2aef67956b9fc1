//! A local federation with a record in the state folder, by which other commands find it until Ctrl-C ends it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use wanqu_crds::Resources;
use wanqu_model::bundle::{AgreementState, NodeBundle, Project, ProjectSubject, Subject};
use wanqu_model::names::JurisdictionId;

use super::args::PortArgs;
use super::failure::{Failure, Outcome};
use super::state::{FederationState, NodeState, ProjectState, Researcher, StateDir, StateLock, write_private};
use crate::local::{LocalError, LocalFederation, LocalOptions, Ports};

/// Lifetime of a local federation's tokens, which are renewed long before its end.
const TOKEN_LIFETIME: Duration = Duration::from_hours(24);

/// Longest time of a look at the sources of one node before the federation is said to be up.
const LOOK: Duration = Duration::from_secs(10);

/// Greatest interval at which tokens are renewed.
const RENEWAL: Duration = Duration::from_hours(6);

/// Folders of a federation's data.
pub struct Roots {
    /// The folder that relative data roots of the manifests start from.
    pub base: PathBuf,
    /// Data roots that replace those of the manifests.
    pub of: BTreeMap<JurisdictionId, PathBuf>,
}

/// A federation that runs in this process and has a record in the state folder.
pub struct Running {
    /// The record in the state folder.
    pub state: FederationState,
    /// Datasets that cannot be read, each with its owner and the reason.
    pub unavailable: Vec<String>,
    federation: LocalFederation,
    folder: StateDir,
    lock: StateLock,
}

impl Running {
    /// Starts the federation and writes its record into the state folder, which `lock` proves to be held.
    ///
    /// # Errors
    /// If the manifests do not compile, or a node does not start.
    pub async fn start(
        folder: &StateDir,
        lock: StateLock,
        resources: &Resources,
        roots: Roots,
        ports: PortArgs,
    ) -> Outcome<Self> {
        let options = LocalOptions {
            base: Some(roots.base),
            data_roots: roots.of,
            ports: Ports { gateway: ports.gateway_port, exchange: ports.exchange_port, http: 0 },
            ..LocalOptions::new(folder.path().join("nodes"))
        };
        let federation =
            LocalFederation::start(resources, options).await.map_err(|e| Failure::failed(e.to_string()))?;
        let state = describe(folder, &federation)?;
        let unavailable = unavailable(&federation).await?;
        let running = Self { state, unavailable, federation, folder: folder.clone(), lock };
        running.write_tokens()?;
        running.folder.publish(&running.lock, &running.state)?;
        Ok(running)
    }

    /// Serves until Ctrl-C or SIGTERM, then shuts down gracefully.
    pub async fn stay(self) -> Outcome {
        let mut renewal = tokio::time::interval(self.renewal()?);
        renewal.tick().await;
        let mut terminated = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())
            .map_err(|e| Failure::failed(format!("cannot wait for signals: {e}")))?;
        loop {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => break,
                _ = terminated.recv() => break,
                _ = renewal.tick() => self.write_tokens()?,
            }
        }
        eprintln!("\nstopping");
        self.end().await;
        Ok(())
    }

    /// Shuts down gracefully.
    pub async fn end(self) {
        self.federation.shutdown().await;
    }

    /// Returns the interval at which tokens are renewed: a quarter of the shortest life that an issuer's tokens may have.
    fn renewal(&self) -> Outcome<Duration> {
        let mut shortest = TOKEN_LIFETIME;
        for node in &self.state.nodes {
            let bundle = self.federation.bundle(&node.jurisdiction).map_err(|e| Failure::failed(e.to_string()))?;
            let lives =
                bundle.issuers_of(&node.jurisdiction).map(|issuer| Duration::from_secs(issuer.max_life_seconds.into()));
            shortest = lives.min().map_or(shortest, |life| life.min(shortest));
        }
        Ok((shortest / 4).clamp(Duration::from_secs(1), RENEWAL))
    }

    fn write_tokens(&self) -> Outcome {
        for node in &self.state.nodes {
            for researcher in &node.researchers {
                let token = self.federation.token(&node.jurisdiction, &researcher.subject, TOKEN_LIFETIME);
                write_private(&researcher.token, &token.map_err(|e| Failure::failed(e.to_string()))?)?;
            }
        }
        Ok(())
    }
}

/// Returns the datasets that cannot be read: said at the start, not by the first query.
async fn unavailable(federation: &LocalFederation) -> Outcome<Vec<String>> {
    let mut all = Vec::new();
    for id in federation.jurisdictions() {
        let node = federation.node(id).map_err(|e| Failure::failed(e.to_string()))?;
        // What takes longer is said in the log and by the queries.
        let _ = tokio::time::timeout(LOOK, node.look_at_sources()).await;
        all.extend(node.unavailable_datasets().into_iter().map(|dataset| format!("{id}: {dataset}")));
    }
    Ok(all)
}

/// Returns the record of a federation for the state folder, and writes the CA files that it names.
fn describe(folder: &StateDir, federation: &LocalFederation) -> Outcome<FederationState> {
    let failed = |error: LocalError| Failure::failed(error.to_string());
    let mut nodes = Vec::new();
    let mut asking = Vec::new();
    let mut name = None;
    for id in federation.jurisdictions() {
        let bundle = federation.bundle(id).map_err(failed)?;
        let own = folder.node(id);
        let ca = own.join("ca.pem");
        write_private(&ca, federation.ca(id).map_err(failed)?)?;
        let member = bundle.members.iter().find(|member| member.jurisdiction == *id);
        nodes.push(NodeState {
            jurisdiction: id.clone(),
            display_name: member.map_or_else(|| id.to_string(), |member| member.display_name.clone()),
            gateway: federation.gateway(id).map_err(failed)?,
            ca,
            bundle: own.join("bundle.json"),
            audit: federation.audit(id).map_err(failed)?.to_owned(),
            researchers: researchers(bundle, &own),
        });
        asking.push((reach(bundle), id.clone()));
        name = Some(bundle.federation.clone());
    }
    let default_node = most_reaching(asking).ok_or_else(|| Failure::failed("the federation has no member"))?;
    Ok(FederationState {
        federation: name.ok_or_else(|| Failure::failed("the federation has no member"))?,
        pid: std::process::id(),
        started_at: Timestamp::now(),
        default_node,
        nodes,
    })
}

/// Returns the subjects of projects whom an issuer of this member vouches for; first those who may query other members
/// from here.
fn researchers(bundle: &NodeBundle, folder: &Path) -> Vec<Researcher> {
    let mut found: Vec<Researcher> = Vec::new();
    let asks_from_here = |project: &&Project| {
        bundle.agreements.iter().any(|a| a.to == bundle.jurisdiction && project.agreements.contains(&a.name))
    };
    let (first, others): (Vec<_>, Vec<_>) = bundle.projects.iter().partition(asks_from_here);
    for project in first.into_iter().chain(others) {
        let part = ProjectState { name: project.name.clone(), purposes: project.purposes.clone() };
        for subject in own_subjects(bundle, project) {
            match found.iter_mut().find(|researcher| researcher.subject == subject) {
                Some(researcher) => researcher.projects.push(part.clone()),
                None => found.push(Researcher {
                    subject,
                    token: folder.join(format!("{}.token", found.len())),
                    projects: vec![part.clone()],
                }),
            }
        }
    }
    found
}

/// Returns the subjects of a project who may ask at the bundle's own member.
fn own_subjects(bundle: &NodeBundle, project: &Project) -> impl Iterator<Item = Subject> {
    let named = |subject: &ProjectSubject| Subject { issuer: subject.issuer.clone(), subject: subject.subject.clone() };
    let own = project.subjects.iter().map(named);
    own.filter(move |subject| bundle.takes_part(project, &bundle.jurisdiction, subject))
}

/// Returns the number of jurisdictions that a member's own researchers can query under active agreements.
fn reach(bundle: &NodeBundle) -> usize {
    let is_own = |project: &&Project| own_subjects(bundle, project).next().is_some();
    let mut owners: Vec<&JurisdictionId> = bundle
        .agreements
        .iter()
        .filter(|a| a.to == bundle.jurisdiction && a.state == AgreementState::Active)
        .filter(|a| bundle.projects.iter().any(|p| p.agreements.contains(&a.name) && is_own(&p)))
        .map(|agreement| &agreement.from)
        .collect();
    owners.sort();
    owners.dedup();
    owners.len()
}

/// Returns the member that reaches most others; the first of several.
fn most_reaching(members: Vec<(usize, JurisdictionId)>) -> Option<JurisdictionId> {
    let mut best: Option<(usize, JurisdictionId)> = None;
    for (reach, id) in members {
        if best.as_ref().is_none_or(|(most, _)| reach > *most) {
            best = Some((reach, id));
        }
    }
    best.map(|(_, id)| id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_member_that_can_ask_most_others_is_asked_by_default() {
        let members = |reach: [usize; 3]| {
            let ids = ["CN-SZ", "HK", "MO"].map(|id| id.parse().unwrap());
            most_reaching(reach.into_iter().zip(ids).collect()).unwrap().to_string()
        };
        assert_eq!(members([1, 2, 2]), "HK");
        assert_eq!(members([0, 0, 0]), "CN-SZ");
    }
}
