//! The home node's own statement about an answer: what was asked, and which releases it was made of.

use jiff::Timestamp;
use sha2::{Digest, Sha256};
use uuid::Uuid;
use wanqu_client::status::internal;
use wanqu_identity::{NodeIdentity, sign_statement};
use wanqu_model::answer::JurisdictionOutcome;
use wanqu_model::bundle::Subject;
use wanqu_model::names::JurisdictionId;
use wanqu_model::receipt::{DeliveredRelease, Delivery, Signed};
use wanqu_model::refusal::Refusal;
use wanqu_model::report::ReleaseReport;

/// Facts of a question that are known before its answer.
pub(super) struct Deliveries {
    pub home: JurisdictionId,
    pub query_id: Uuid,
    pub requester: Subject,
    /// SQL text as it was asked, without the settings before it.
    pub text: String,
}

impl Deliveries {
    /// Signs the statement about an answer of so many rows.
    ///
    /// # Errors
    /// It cannot be signed.
    pub fn of(
        self,
        rows: u64,
        outcomes: &[JurisdictionOutcome],
        time: Timestamp,
        identity: &NodeIdentity,
    ) -> Result<Box<Signed<Delivery>>, Refusal> {
        let Self { home, query_id, requester, text } = self;
        let delivery = Delivery {
            home,
            query_id,
            requester,
            text: format!("{:x}", Sha256::digest(&text)),
            time,
            rows,
            releases: outcomes.iter().flat_map(|outcome| &outcome.releases).map(delivered).collect(),
            missing: outcomes.iter().filter(|it| it.missing.is_some()).map(|it| it.jurisdiction.clone()).collect(),
        };
        sign_statement(delivery, identity).map(Box::new).map_err(|error| {
            tracing::error!(%error, "the statement about an answer cannot be signed");
            internal()
        })
    }
}

fn delivered(report: &ReleaseReport) -> DeliveredRelease {
    DeliveredRelease {
        owner: report.owner.clone(),
        sequence: report.audit_sequence,
        digest: report.audit_digest.clone(),
        has_receipt: report.receipt.is_some(),
    }
}
