//! Follows the node's files, once a second, for ever: what is good is taken, what is not is reported once and waited for.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::MissedTickBehavior;

use super::DaemonError;
use super::files::IdentityFiles;
use crate::bundle_file::{BundleError, BundleFile};
use crate::node::Node;

/// How often the files are looked at.
const PERIOD: Duration = Duration::from_secs(1);

/// A node and its files.
pub(super) struct Followed {
    node: Arc<Node>,
    bundle: BundleFile,
    identities: IdentityFiles,
    /// Why the certificates and keys in place are not in use.
    refused: Option<String>,
}

impl Followed {
    pub(super) fn new(node: &Arc<Node>, bundle: BundleFile, identities: IdentityFiles) -> Self {
        Self { node: Arc::clone(node), bundle, identities, refused: None }
    }

    /// Looks once. The bundle goes first: new certificates may be of a CA that only the new bundle knows.
    pub(super) fn look(&mut self) {
        self.look_at_bundle();
        self.look_at_identities();
    }

    fn look_at_bundle(&mut self) {
        let taken = match self.bundle.changed() {
            Ok(None) => return,
            Ok(Some(filed)) => {
                let digest = filed.digest.clone();
                self.node.reload(filed).map(|()| digest).map_err(DaemonError::from)
            }
            Err(error) => {
                match error {
                    BundleError::NotUnderstood { .. } => self.node.bundle_is_not_understood(),
                    _ => self.node.bundle_is_unreadable(),
                }
                Err(error.into())
            }
        };
        match taken {
            Ok(digest) => tracing::info!(digest, "a new bundle is in force"),
            Err(error) => {
                tracing::error!(%error, "the new bundle is not used; no more than the old one grants is in force")
            }
        }
    }

    /// What was refused is tried again at every look, because what it lacked may have come: the second half of a pair,
    /// or a bundle that knows its CA.
    fn look_at_identities(&mut self) {
        let outcome = self.identities.changed().and_then(|texts| {
            let Some(texts) = texts else { return Ok(None) };
            let (node, gateway) = self.identities.made_of(&texts, &self.node.trust_domain())?;
            self.node.reidentify(node, gateway)?;
            Ok(Some(texts))
        });
        match outcome {
            Ok(Some(texts)) => {
                self.identities.took(texts);
                self.refused = None;
                tracing::info!(not_after = %self.node.identity_not_after(), "new certificates and keys are in use");
            }
            Ok(None) => {
                if self.refused.take().is_some() {
                    self.node.identity_is_back();
                    tracing::info!("the certificates and keys in place are those in use again");
                }
            }
            Err(error) => {
                let error = error.to_string();
                if self.refused.as_ref() != Some(&error) {
                    tracing::error!(error, "the new certificates and keys are not used; the old ones stay in use");
                    self.node.identity_is_unusable();
                    self.refused = Some(error);
                }
            }
        }
    }
}

/// Looks again and again, on a thread that may block.
pub(super) async fn follow(mut followed: Followed) {
    let mut ticks = tokio::time::interval(PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let looking = tokio::task::spawn_blocking(move || {
            followed.look();
            followed
        });
        followed = match looking.await {
            Ok(followed) => followed,
            Err(error) => {
                tracing::error!(%error, "the node's files cannot be followed any more");
                return;
            }
        };
    }
}
