//! Follows the node's files, once a second: what is good is put in force, what is not is reported once and waited for.

use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::MissedTickBehavior;

use super::DaemonError;
use super::files::IdentityFiles;
use crate::audit::BundleStanding;
use crate::bundle_file::{BundleError, BundleFile};
use crate::node::Node;
use crate::supervisor::{Progress, Supervisor, blocking};

/// Name of this task in readiness and metrics.
const TASK: &str = "file-follower";

/// Time between two looks at the files.
const PERIOD: Duration = Duration::from_secs(1);

/// Longest time that a look may take until readiness says so: a disk may be slow, and a large bundle is compiled.
const PATIENCE: Duration = Duration::from_secs(30);

/// A node and its files.
pub(super) struct Followed {
    node: Arc<Node>,
    bundle: BundleFile,
    identities: IdentityFiles,
    /// Reason why the certificates and keys in place are not in use.
    refused: Option<String>,
    /// How the bundle's file stood when that was last written into the audit log.
    recorded: BundleStanding,
}

impl Followed {
    /// Follows files whose contents are in force already.
    pub(super) fn new(node: &Arc<Node>, bundle: BundleFile, identities: IdentityFiles) -> Self {
        Self { node: Arc::clone(node), bundle, identities, refused: None, recorded: BundleStanding::InForce }
    }

    /// Returns the same node and files as if nobody had read the files yet.
    fn unread(&self) -> Self {
        Self::new(&self.node, self.bundle.unread(), self.identities.unread())
    }

    /// Returns a maker of looks at the files. Its first look goes on from here. Each later one reads the files anew, since
    /// a look that panicked may have left things half done.
    pub(super) fn looks(self) -> impl FnMut() -> Box<dyn FnMut() + Send> {
        let again = self.unread();
        let mut first = Some(self);
        move || {
            let mut followed = first.take().unwrap_or_else(|| again.unread());
            Box::new(move || followed.look())
        }
    }

    /// Looks once. The bundle goes first: new certificates may be of a CA that only the new bundle knows.
    pub(super) fn look(&mut self) {
        self.look_at_bundle();
        if !self.bundle.is_unread() {
            self.node.bundle_is_read();
        }
        self.record_standing();
        self.look_at_identities();
    }

    /// Says in log and audit log how the bundle's file stands to what is in force, if that has changed.
    fn record_standing(&mut self) {
        let standing = self.node.standing();
        if standing == self.recorded {
            return;
        }
        // An entry that cannot be written now is tried again at the next look; readiness has a check of the audit log.
        if self.node.record_standing(standing).is_ok() {
            if standing == BundleStanding::Closed {
                tracing::error!(
                    "no bundle is in force: the node refuses everything until its bundle's file can be read"
                );
            }
            self.recorded = standing;
        }
    }

    fn look_at_bundle(&mut self) {
        let changed = catch_unwind(AssertUnwindSafe(|| self.bundle.changed())).unwrap_or_else(|panic| {
            // Nothing is known of what the file holds.
            self.node.bundle_is_not_understood();
            resume_unwind(panic)
        });
        let taken = match changed {
            Ok(None) => return,
            Ok(Some(filed)) => {
                let digest = filed.digest.clone();
                self.node.reload(filed).map(|()| digest).map_err(DaemonError::from)
            }
            Err(error) => {
                if let BundleError::NotUnderstood { .. } = error {
                    self.node.bundle_is_not_understood();
                    Err(error.into())
                } else {
                    let until = self.node.bundle_is_unreadable();
                    let until = until.map(tracing::field::display);
                    tracing::error!(%error, until, "the bundle's file cannot be read; the old bundle stays in force for a limited time");
                    return;
                }
            }
        };
        match taken {
            Ok(digest) => tracing::info!(digest, "a new bundle is in force"),
            Err(error) => {
                tracing::error!(%error, "the new bundle is not used; no more than the old one grants is in force");
            }
        }
    }

    /// Tries what was refused again at every look, because what it lacked may have come: the second half of a pair, or a
    /// bundle that knows its CA.
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

/// Looks at the files for as long as it is polled. `start` makes a look: the first, and another one after each panic.
pub(super) async fn follow<L: FnMut() + Send + 'static>(
    supervisor: &Supervisor,
    mut start: impl FnMut() -> L,
) -> Infallible {
    supervisor.keep_running(TASK, Some(PATIENCE), |progress| look_every_second(start(), progress)).await
}

async fn look_every_second(mut look: impl FnMut() + Send + 'static, progress: Progress) {
    let mut ticks = tokio::time::interval(PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        look = blocking(move || {
            look();
            look
        })
        .await;
        progress.made();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

    use super::*;
    use crate::bundle_file;
    use crate::daemon::tests::{hong_kong, opened, until, write};
    use crate::exchange::OwnerService;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_follower_that_panics_shows_in_readiness_and_takes_the_bundle_that_it_had_begun_with() {
        let folder = tempfile::tempdir().unwrap();
        let (mut bundle, settings, _client) = hong_kong(folder.path());
        write(&settings, &bundle);
        let (node, file, identities) = opened(&settings);
        bundle.agreements.clear();
        write(&settings, &bundle);
        let next = bundle_file::read(&settings.bundle).unwrap().digest;

        let (starts, blocked) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicBool::new(true)));
        let mut looks = Followed::new(&node, file, identities).looks();
        let start = || {
            let (mut look, path) = (looks(), settings.bundle.clone());
            let (start, blocked) = (starts.fetch_add(1, Ordering::SeqCst), Arc::clone(&blocked));
            move || {
                if start == 0 {
                    // The file is read, and what is in it is not put in force.
                    BundleFile::new(path.clone()).first().unwrap();
                    panic!("patient 4711");
                }
                assert!(!blocked.load(Ordering::SeqCst), "patient 4712");
                look();
            }
        };
        let fault = || {
            let tasks = node.checks().into_iter().find(|check| check.name == "tasks").unwrap();
            tasks.fault.map(std::borrow::Cow::into_owned)
        };
        let watching = async {
            until("the panic shows", || fault().is_some_and(|fault| fault.starts_with("file-follower is down"))).await;
            assert_ne!(node.bundle_digest(), next);
            until("it panics again", || node.metrics().contains("{task=\"file-follower\"} 2")).await;
            assert!(!fault().unwrap().contains("patient"), "what a panic says is told to nobody");
            blocked.store(false, Ordering::SeqCst);
            until("the bundle is in force", || node.bundle_digest() == next).await;
            until("readiness is back", || fault().is_none()).await;
        };
        tokio::select! {
            never = follow(node.supervisor(), start) => match never {},
            () = watching => {}
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_file_of_an_unknown_version_closes_all_agreements_until_a_later_file_can_be_used() {
        let folder = tempfile::tempdir().unwrap();
        let (bundle, settings, _client) = hong_kong(folder.path());
        write(&settings, &bundle);
        let (node, file, identities) = opened(&settings);
        let macau = "MO".parse().unwrap();
        let held = || node.owner().agreements_with(&macau).len();
        let fault = || {
            let check = node.checks().into_iter().find(|check| check.name == "bundle").unwrap();
            check.fault.map(std::borrow::Cow::into_owned)
        };
        let (first, agreements) = (node.bundle_digest(), held());
        assert!(agreements > 0 && fault().is_none());

        let mut newer = serde_json::to_value(&bundle).unwrap();
        newer["format"] = serde_json::json!({"version": 2});
        std::fs::write(&settings.bundle, newer.to_string()).unwrap();
        let looks = Followed::new(&node, file, identities).looks();
        let watching = async {
            until("the agreements are closed", || held() == 0).await;
            until("readiness says why", || fault().is_some_and(|f| f.starts_with("the bundle's file cannot be used")))
                .await;
            assert_eq!(node.bundle_digest(), format!("{first}+narrowed"), "it is no bundle's digest");
            write(&settings, &bundle);
            until("the bundle is in force again", || node.bundle_digest() == first).await;
            until("readiness is back", || fault().is_none()).await;
            assert_eq!(held(), agreements);
        };
        tokio::select! {
            never = follow(node.supervisor(), looks) => match never {},
            () = watching => {}
        }
    }
}
