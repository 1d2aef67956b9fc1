//! What the other members hold of the agreements with this one, as they say themselves: asked now and then, so that it is
//! seen before somebody's question is refused.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::join_all;
use parking_lot::Mutex;
use serde::Serialize;
use tokio::sync::Notify;
use wanqu_model::names::JurisdictionId;
use wanqu_model::refusal::Code;

use super::Node;
use crate::exchange::{HeldAgreement, endpoints_of, noted};

/// How often the others are asked.
const PERIOD: Duration = Duration::from_secs(10);

/// What another member said last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Told {
    /// The agreements that it holds with this one.
    Agreements(Vec<HeldAgreement>),
    /// Nothing, and why not.
    Problem(Code),
}

/// What the others said last, by member.
#[derive(Debug, Default)]
pub(super) struct Peers {
    told: Mutex<BTreeMap<JurisdictionId, Told>>,
    /// Another bundle is in force: there may be others to ask, or other addresses.
    changed: Notify,
}

impl Peers {
    /// Has the others asked anew.
    pub(super) fn ask_again(&self) {
        self.changed.notify_one();
    }
}

impl Node {
    /// Asks the other members again and again which agreements they hold with this one, for ever.
    pub async fn follow_peers(&self) {
        loop {
            self.ask_peers().await;
            tokio::select! {
                () = tokio::time::sleep(PERIOD) => {}
                () = self.peering.changed.notified() => {}
            }
        }
    }

    async fn ask_peers(&self) {
        let state = self.live.now();
        let others: Vec<JurisdictionId> =
            endpoints_of(&state.bundle).map(|(member, _)| member).filter(|m| *m != state.bundle.jurisdiction).collect();
        let asked = others.into_iter().map(async |member| {
            let answer = self.exchange.agreements(&member).await;
            self.metrics.peer_reachable(&member, answer.is_ok());
            let told = match answer {
                Ok(held) => Told::Agreements(noted(&state.bundle, &member, held)),
                Err(refusal) => Told::Problem(refusal.code),
            };
            (member, told)
        });
        let told: BTreeMap<JurisdictionId, Told> = join_all(asked).await.into_iter().collect();
        let mut last = self.peering.told.lock();
        for (member, told) in told.iter().filter(|(member, told)| last.get(member) != Some(told)) {
            match told {
                Told::Problem(code) => tracing::warn!(%member, %code, "a member's node does not answer"),
                Told::Agreements(held) => tracing::info!(%member, agreements = held.len(), "a member's node answers"),
            }
        }
        *last = told;
    }

    /// What the other members said last.
    #[must_use]
    pub fn peers(&self) -> BTreeMap<JurisdictionId, Told> {
        self.peering.told.lock().clone()
    }
}
