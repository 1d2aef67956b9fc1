//! A home node that lies: it has the identity that it was given, and sends whatever it likes straight to an owner.

use std::sync::Arc;
use std::time::Duration;

use arrow::datatypes::{DataType, Field, Schema};
use futures::StreamExt;
use jiff::Timestamp;
use query_node::exchange::Exchange;
use uuid::Uuid;
use wanqu_identity::{Authority, NodeIdentity, Trust, Validity};
use wanqu_model::bundle::NodeBundle;
use wanqu_model::names::JurisdictionId;
use wanqu_model::refusal::Refusal;
use wanqu_rules::envelope::{ENVELOPE_VERSION, Envelope};
use wanqu_rules::fragment::Fragment;

use crate::federation::{Federation, jid, researcher};

/// A node's identity, new and valid, as its own authority would issue it.
///
/// # Panics
/// For a jurisdiction that is no member.
#[must_use]
pub fn identity_of(federation: &Federation, jurisdiction: &str) -> NodeIdentity {
    let authority: &Authority = federation.local.authority(&jid(jurisdiction)).expect("a member");
    authority.issue_node(Validity::days(Timestamp::now(), 1)).expect("an identity")
}

/// A home node that lies.
pub struct Impostor {
    exchange: Exchange,
    bundle: NodeBundle,
    from: JurisdictionId,
}

impl Impostor {
    /// Comes with an identity, and knows what the bundle of `jurisdiction` says.
    ///
    /// # Panics
    /// For a jurisdiction that is no member.
    #[must_use]
    pub fn new(federation: &Federation, jurisdiction: &str, identity: NodeIdentity) -> Self {
        let bundle = federation.local.bundle(&jid(jurisdiction)).expect("a member").clone();
        let trust = Trust::from_bundle(&bundle).expect("authorities that can be read");
        let exchange = Exchange::from_bundle(Arc::new(identity), trust, &bundle);
        Self { exchange, bundle, from: jid(jurisdiction) }
    }

    /// An envelope as an honest home node would make it.
    #[must_use]
    pub fn envelope(&self, owner: &str, sql: &str) -> Envelope {
        let owner = jid(owner);
        let agreement = self.bundle.agreements.iter().find(|a| a.from == owner && a.to == self.from);
        let now = Timestamp::now();
        Envelope {
            version: ENVELOPE_VERSION,
            query_id: Uuid::new_v4(),
            fragment: 0,
            from: self.from.clone(),
            to: owner,
            sql: sql.to_owned(),
            requester: researcher(),
            project: "capacity".parse().ok(),
            purpose: "health-planning".parse().ok(),
            agreement: agreement.map(|a| a.digest.clone()),
            issued_at: now,
            deadline: now + Duration::from_mins(1),
            nonce: Uuid::new_v4(),
            max_rows: 1_000_000,
            traceparent: None,
        }
    }

    /// Sends an envelope to whom it names, and reads the release to its end. The columns that it expects are one count,
    /// so that a release of anything else ends in `release-shape`: after it has crossed.
    ///
    /// # Errors
    /// The refusal.
    pub async fn send(&self, envelope: &Envelope) -> Result<usize, Refusal> {
        self.send_to(envelope.to.as_str(), envelope).await
    }

    /// The same, to somebody else than it names.
    ///
    /// # Errors
    /// The refusal.
    pub async fn send_to(&self, owner: &str, envelope: &Envelope) -> Result<usize, Refusal> {
        let schema = Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, true)]));
        let fragment = Fragment {
            id: envelope.fragment,
            group: 0,
            owner: jid(owner),
            sql: envelope.sql.clone(),
            schema,
            public: false,
        };
        let mut release = self.exchange.send(envelope, &fragment).await?;
        let mut rows = 0;
        while let Some(batch) = release.batches.next().await {
            rows += batch?.num_rows();
        }
        release.report.await?;
        Ok(rows)
    }
}
