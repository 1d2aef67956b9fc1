//! A whole federation in one process, on loopback, with mutual TLS: for `wanqu up`, the demo and the tests.
//!
//! Each node has a runtime of its own, so that one can be killed as a process would be, and shares nothing with the
//! others but the machine: they meet over the exchange, with certificates of their own authorities, as they would across a
//! border.
//!
//! ```text
//! resources ─▶ compile ─▶ members ─▶ identities, ports ─▶ placements ─▶ compile ─▶ one Node for each bundle
//! ```

mod identities;
mod member;
mod options;
mod ports;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use wanqu_crds::{Finding, Placement, Placements, Resources, compile};
use wanqu_model::bundle::{NodeBundle, Subject};
use wanqu_model::names::JurisdictionId;

use identities::{MemberIdentities, issue};
use member::Member;
pub use options::{Amend, LocalOptions};
pub use ports::Ports;
use ports::{Listeners, address};
use query_node::clock::Clock;
use query_node::node::{Node, NodeError};
use wanqu_identity::IdentityError;

/// Failures of a local federation.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    /// The manifests do not compile; all findings.
    #[error("the manifests do not make a federation: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Findings(Vec<Finding>),
    /// A certificate or a token could not be made.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// A port is in use, or may not be opened.
    #[error("port {port} cannot be listened on: {}", wanqu_model::io_reason(.source))]
    Port {
        /// The port; 0 for any.
        port: u16,
        /// The cause.
        source: std::io::Error,
    },
    /// There are fewer ports after the first than members.
    #[error("there are not enough ports after {first}")]
    NoPort {
        /// The first port.
        first: u16,
    },
    /// A file or folder could not be made.
    #[error("cannot write {}: {}", .path.display(), wanqu_model::io_reason(.source))]
    File {
        /// Its path.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// A node could not be started.
    #[error("the node of {jurisdiction} does not start: {source}")]
    Node {
        /// The node's jurisdiction.
        jurisdiction: JurisdictionId,
        /// The cause.
        source: NodeError,
    },
    /// A jurisdiction that is no member.
    #[error("{0} is no member of the federation")]
    NoMember(JurisdictionId),
    /// An issuer that the member does not accept.
    #[error("the issuer {0} is not one that the member accepts")]
    Issuer(String),
}

/// A federation that runs in this process. It ends when it is dropped.
pub struct LocalFederation {
    members: BTreeMap<JurisdictionId, Member>,
    identities: BTreeMap<JurisdictionId, MemberIdentities>,
    clock: Arc<dyn Clock>,
}

impl LocalFederation {
    /// Compiles the resources, makes the identities, and starts every node. Returns once all of them listen.
    ///
    /// # Errors
    /// The findings of the compiler, all of them; a port in use; a source that is not there; a disk that is full.
    pub async fn start(resources: &Resources, options: LocalOptions) -> Result<Self, LocalError> {
        let mut placements = placements(options.base.as_deref(), &options.data_roots);
        let bundles = compile(resources, &placements).map_err(LocalError::Findings)?;
        let identities = issue(&bundles, options.clock.now())?;
        let mut listeners = BTreeMap::new();
        for (position, id) in bundles.keys().enumerate() {
            listeners.insert(id.clone(), Listeners::open(options.ports, position)?);
        }
        place(&mut placements, &identities, &listeners)?;
        let mut bundles = compile(resources, &placements).map_err(LocalError::Findings)?;
        let mut members = BTreeMap::new();
        for (id, own) in listeners {
            // All come from the same resources: a member with listeners has a bundle and identities.
            let (Some(mut bundle), Some(issued)) = (bundles.remove(&id), identities.get(&id)) else {
                return Err(LocalError::NoMember(id));
            };
            if let Some(amend) = &options.amend {
                amend(&mut bundle);
            }
            let member = Member::start(bundle, issued, own, &options).await?;
            members.insert(id, member);
        }
        Ok(Self { members, identities, clock: options.clock })
    }

    /// Returns the members, ordered by id.
    pub fn jurisdictions(&self) -> impl Iterator<Item = &JurisdictionId> {
        self.members.keys()
    }

    /// Returns the URL of a member's gateway: `https://127.0.0.1:PORT`.
    pub fn gateway(&self, jurisdiction: &JurisdictionId) -> Result<String, LocalError> {
        Ok(format!("https://{}", self.member(jurisdiction)?.gateway))
    }

    /// Returns the address of a member's gateway over HTTP, for clients of others'.
    pub fn http(&self, jurisdiction: &JurisdictionId) -> Result<String, LocalError> {
        Ok(format!("https://{}", self.member(jurisdiction)?.http))
    }

    /// Returns the address of a member's exchange.
    pub fn exchange(&self, jurisdiction: &JurisdictionId) -> Result<SocketAddr, LocalError> {
        Ok(self.member(jurisdiction)?.exchange)
    }

    /// Returns the CA that vouches for a member's node and gateway, PEM.
    pub fn ca(&self, jurisdiction: &JurisdictionId) -> Result<&str, LocalError> {
        Ok(self.identities_of(jurisdiction)?.authority.certificate_pem())
    }

    /// Returns a member's bundle, as its node reads it.
    pub fn bundle(&self, jurisdiction: &JurisdictionId) -> Result<&NodeBundle, LocalError> {
        Ok(&self.member(jurisdiction)?.bundle)
    }

    /// Returns a member's node, whose bundle and identities can be replaced while it runs.
    pub fn node(&self, jurisdiction: &JurisdictionId) -> Result<&Node, LocalError> {
        Ok(&self.member(jurisdiction)?.node)
    }

    /// Returns the folder of a member's audit log.
    pub fn audit(&self, jurisdiction: &JurisdictionId) -> Result<&Path, LocalError> {
        Ok(&self.member(jurisdiction)?.audit)
    }

    /// Returns a member's certificate authority, so that a test can issue what an attacker would like to have.
    pub fn authority(&self, jurisdiction: &JurisdictionId) -> Result<&wanqu_identity::Authority, LocalError> {
        Ok(&self.identities_of(jurisdiction)?.authority)
    }

    /// Returns a token with which a researcher may query a member's gateway.
    pub fn token(
        &self,
        jurisdiction: &JurisdictionId,
        subject: &Subject,
        lifetime: Duration,
    ) -> Result<String, LocalError> {
        self.identities_of(jurisdiction)?.token(subject, self.clock.now(), lifetime)
    }

    /// Ends one node at once, as if its process had been killed.
    pub fn kill(&mut self, jurisdiction: &JurisdictionId) -> Result<(), LocalError> {
        let member = self.members.get_mut(jurisdiction).ok_or_else(|| LocalError::NoMember(jurisdiction.clone()))?;
        member.kill();
        Ok(())
    }

    /// Shuts all nodes down gracefully: they take no new queries, and those that run have a few seconds.
    pub async fn shutdown(self) {
        let mut members = self.members;
        for member in members.values() {
            member.stop();
        }
        for member in members.values_mut() {
            member.stopped().await;
        }
    }

    fn member(&self, jurisdiction: &JurisdictionId) -> Result<&Member, LocalError> {
        self.members.get(jurisdiction).ok_or_else(|| LocalError::NoMember(jurisdiction.clone()))
    }

    fn identities_of(&self, jurisdiction: &JurisdictionId) -> Result<&MemberIdentities, LocalError> {
        self.identities.get(jurisdiction).ok_or_else(|| LocalError::NoMember(jurisdiction.clone()))
    }
}

/// Returns placements with the data roots of the members, who have no identities and ports yet.
#[must_use]
pub fn placements(base: Option<&Path>, data_roots: &BTreeMap<JurisdictionId, PathBuf>) -> Placements {
    let text = |path: &Path| path.display().to_string();
    let placed = |root: &PathBuf| Placement { data_root: Some(text(root)), ..Placement::default() };
    let members = data_roots.iter().map(|(id, root)| (id.clone(), placed(root))).collect();
    Placements { base: base.map(text), members }
}

/// Adds the address of each member's exchange, its CA and the keys of its issuers.
fn place(
    placements: &mut Placements,
    identities: &BTreeMap<JurisdictionId, MemberIdentities>,
    listeners: &BTreeMap<JurisdictionId, Listeners>,
) -> Result<(), LocalError> {
    for (id, issued) in identities {
        let placement = placements.members.entry(id.clone()).or_default();
        let endpoint = listeners.get(id).map(|listeners| address(&listeners.exchange)).transpose()?;
        placement.endpoint = endpoint.map(|address| address.to_string());
        placement.ca = Some(issued.authority.certificate_pem().to_owned());
        placement.issuer_keys = issued.issuer_keys();
    }
    Ok(())
}
