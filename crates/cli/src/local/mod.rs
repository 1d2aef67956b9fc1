//! A whole federation in one process, on loopback, with mutual TLS: for `wanqu up`, the demo and the tests.
//!
//! Each node has a runtime of its own, so that one can be killed as a process would be, and shares nothing with the
//! others but the machine: they meet over the exchange, with certificates of their own authorities, as they would across a
//! border.
//!
//! ```text
//! resources ─▶ compile ─▶ members ─▶ identities, ports ─▶ placements ─▶ compile ─▶ one Node for each bundle
//! ```

mod cast;
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

use cast::{Role, cast};
use member::Member;
pub use options::{Amend, LocalOptions};
pub use ports::Ports;
use ports::{Doors, address};
use query_node::clock::Clock;
use query_node::node::{Node, NodeError};
use wanqu_identity::IdentityError;

/// Why a local federation did not start, or could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    /// The manifests do not make a federation; all findings.
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
        /// Why not.
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
        /// Which.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A node could not be started.
    #[error("the node of {jurisdiction} does not start: {source}")]
    Node {
        /// Whose node.
        jurisdiction: JurisdictionId,
        /// Why not.
        source: NodeError,
    },
    /// Nobody of this name.
    #[error("{0} is no member of the federation")]
    NoMember(JurisdictionId),
    /// A token was asked for that no issuer of the member could sign.
    #[error("no issuer {0} is accepted there")]
    Issuer(String),
}

/// A federation that runs in this process. It ends when it is dropped.
pub struct LocalFederation {
    members: BTreeMap<JurisdictionId, Member>,
    roles: BTreeMap<JurisdictionId, Role>,
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
        let roles = cast(&bundles, options.clock.now())?;
        let mut doors = BTreeMap::new();
        for (position, id) in bundles.keys().enumerate() {
            doors.insert(id.clone(), Doors::open(options.ports, position)?);
        }
        place(&mut placements, &roles, &doors)?;
        let mut bundles = compile(resources, &placements).map_err(LocalError::Findings)?;
        let mut members = BTreeMap::new();
        for (id, door) in doors {
            // Both come from the same resources: what has a door has a bundle and a role.
            let (Some(mut bundle), Some(role)) = (bundles.remove(&id), roles.get(&id)) else {
                return Err(LocalError::NoMember(id));
            };
            if let Some(amend) = &options.amend {
                amend(&mut bundle);
            }
            let member = Member::start(bundle, role, door, &options).await?;
            members.insert(id, member);
        }
        Ok(Self { members, roles, clock: options.clock })
    }

    /// The members, ordered by id.
    pub fn jurisdictions(&self) -> impl Iterator<Item = &JurisdictionId> {
        self.members.keys()
    }

    /// Where a member's gateway listens: `https://127.0.0.1:PORT`.
    pub fn gateway(&self, jurisdiction: &JurisdictionId) -> Result<String, LocalError> {
        Ok(format!("https://{}", self.member(jurisdiction)?.gateway))
    }

    /// Where a member's exchange listens.
    pub fn exchange(&self, jurisdiction: &JurisdictionId) -> Result<SocketAddr, LocalError> {
        Ok(self.member(jurisdiction)?.exchange)
    }

    /// The CA that vouches for a member's node and gateway, PEM.
    pub fn ca(&self, jurisdiction: &JurisdictionId) -> Result<&str, LocalError> {
        Ok(self.role(jurisdiction)?.authority.certificate_pem())
    }

    /// A member's bundle, as its node reads it.
    pub fn bundle(&self, jurisdiction: &JurisdictionId) -> Result<&NodeBundle, LocalError> {
        Ok(&self.member(jurisdiction)?.bundle)
    }

    /// A member's node, whose bundle and identities can be replaced while it runs.
    pub fn node(&self, jurisdiction: &JurisdictionId) -> Result<&Node, LocalError> {
        Ok(&self.member(jurisdiction)?.node)
    }

    /// The folder of a member's audit log.
    pub fn audit(&self, jurisdiction: &JurisdictionId) -> Result<&Path, LocalError> {
        Ok(&self.member(jurisdiction)?.audit)
    }

    /// A member's certificate authority, so that a test can issue what an attacker would like to have.
    pub fn authority(&self, jurisdiction: &JurisdictionId) -> Result<&wanqu_identity::Authority, LocalError> {
        Ok(&self.role(jurisdiction)?.authority)
    }

    /// A token with which a researcher may ask at a member's gateway.
    pub fn token(
        &self,
        jurisdiction: &JurisdictionId,
        subject: &Subject,
        lifetime: Duration,
    ) -> Result<String, LocalError> {
        self.role(jurisdiction)?.token(subject, self.clock.now(), lifetime)
    }

    /// Ends one node at once, as if its process had been killed: in mid-stream, without a word.
    pub fn kill(&mut self, jurisdiction: &JurisdictionId) -> Result<(), LocalError> {
        let member = self.members.get_mut(jurisdiction).ok_or_else(|| LocalError::NoMember(jurisdiction.clone()))?;
        member.kill();
        Ok(())
    }

    /// Ends all nodes in good order: no new questions; those that run have a few seconds.
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

    fn role(&self, jurisdiction: &JurisdictionId) -> Result<&Role, LocalError> {
        self.roles.get(jurisdiction).ok_or_else(|| LocalError::NoMember(jurisdiction.clone()))
    }
}

/// What is known of the members before they have identities and ports: where their data lies.
#[must_use]
pub fn placements(base: Option<&Path>, data_roots: &BTreeMap<JurisdictionId, PathBuf>) -> Placements {
    let text = |path: &Path| path.display().to_string();
    let placed = |root: &PathBuf| Placement { data_root: Some(text(root)), ..Placement::default() };
    let members = data_roots.iter().map(|(id, root)| (id.clone(), placed(root))).collect();
    Placements { base: base.map(text), members }
}

/// Adds where each member's exchange listens, its CA and the keys of its issuers.
fn place(
    placements: &mut Placements,
    roles: &BTreeMap<JurisdictionId, Role>,
    doors: &BTreeMap<JurisdictionId, Doors>,
) -> Result<(), LocalError> {
    for (id, role) in roles {
        let placement = placements.members.entry(id.clone()).or_default();
        let endpoint = doors.get(id).map(|doors| address(&doors.exchange)).transpose()?;
        placement.endpoint = endpoint.map(|address| address.to_string());
        placement.ca = Some(role.authority.certificate_pem().to_owned());
        placement.issuer_keys = role.issuer_keys();
    }
    Ok(())
}
