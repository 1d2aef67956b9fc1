//! Agreements that the other members hold with this one, as their nodes report them. They are asked every ten seconds, so
//! that a difference is seen before somebody's question is refused for it.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use parking_lot::Mutex;
use serde::Serialize;
use tokio::sync::Notify;
use wanqu_model::names::JurisdictionId;
use wanqu_model::refusal::Code;

use super::Node;
use crate::exchange::{HeldAgreement, endpoints_of, noted};
use crate::supervisor::Progress;

/// Name of this task in readiness and metrics.
const TASK: &str = "peer-poller";

/// Pause between two rounds.
const PERIOD: Duration = Duration::from_secs(10);

/// Longest time that a round may take until readiness says so. Each member has ten seconds to answer.
const PATIENCE: Duration = Duration::from_mins(5);

/// Last answer of another member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum PeerAnswer {
    /// Agreements that it holds with this one.
    Agreements(Vec<HeldAgreement>),
    /// Code of the refusal, if it did not answer.
    Problem(Code),
}

/// Last answers of the other members.
#[derive(Debug, Default)]
pub(super) struct Peers {
    answers: Mutex<BTreeMap<JurisdictionId, PeerAnswer>>,
    /// Notified when another bundle is in force: there may be other members to ask, or other addresses.
    changed: Notify,
}

impl Peers {
    /// Has the other members asked at once.
    pub(super) fn ask_again(&self) {
        self.changed.notify_one();
    }
}

impl Node {
    /// Asks the other members again and again which agreements they hold with this one, and now and then for the end of
    /// their audit logs, for as long as it is polled.
    pub async fn follow_peers(self: &Arc<Self>) -> Infallible {
        let poll = |progress: Progress| {
            let node = Arc::clone(self);
            async move {
                loop {
                    node.ask_peers().await;
                    if node.checkpoints.is_due()
                        && let Err(error) = node.hold_checkpoints().await
                    {
                        tracing::error!(%error, "the ends of the other members' logs cannot be written down");
                    }
                    progress.made();
                    tokio::select! {
                        () = tokio::time::sleep(PERIOD) => {}
                        () = node.peers.changed.notified() => {}
                    }
                }
            }
        };
        self.supervisor.keep_running(TASK, Some(PATIENCE), poll).await
    }

    async fn ask_peers(&self) {
        let state = self.in_force.live.now();
        let others: Vec<JurisdictionId> =
            endpoints_of(&state.bundle).map(|(member, _)| member).filter(|m| *m != state.bundle.jurisdiction).collect();
        let asked = others.into_iter().map(async |member| {
            let answer = self.in_force.exchange.agreements(&member).await;
            self.metrics.peer_reachable(&member, answer.is_ok());
            if answer.is_ok() {
                self.in_force.exchange.look_for_unavailable(&member).await;
            } else {
                self.in_force.exchange.forget_unavailable(&member);
            }
            let answer = match answer {
                Ok(held) => PeerAnswer::Agreements(noted(&state.bundle, &member, held)),
                Err(refusal) => PeerAnswer::Problem(refusal.code),
            };
            (member, answer)
        });
        let answers: BTreeMap<JurisdictionId, PeerAnswer> = join_all(asked).await.into_iter().collect();
        let mut last = self.peers.answers.lock();
        for (member, answer) in answers.iter().filter(|(member, answer)| last.get(member) != Some(answer)) {
            match answer {
                PeerAnswer::Problem(code) => tracing::warn!(%member, %code, "a member's node does not answer"),
                PeerAnswer::Agreements(held) => {
                    tracing::info!(%member, agreements = held.len(), "a member's node answers");
                }
            }
        }
        *last = answers;
    }

    /// Returns the last answers of the other members.
    #[must_use]
    pub fn peers(&self) -> BTreeMap<JurisdictionId, PeerAnswer> {
        self.peers.answers.lock().clone()
    }
}
