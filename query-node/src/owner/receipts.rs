//! Receipts that an owner gives with its releases.

use std::sync::Arc;

use sha2::{Digest, Sha256};
use uuid::Uuid;
use wanqu_client::status::internal;
use wanqu_gate::AuditReference;
use wanqu_identity::{NodeIdentity, Slot, sign_statement};
use wanqu_model::bundle::ReleaseRule;
use wanqu_model::names::JurisdictionId;
use wanqu_model::receipt::{Receipt, Signed};
use wanqu_model::refusal::Refusal;

use crate::audit::FragmentRequest;
use crate::clock::Clock;

/// Facts of one release that its receipt states, but for those that are known at its end.
pub(super) struct Receipts {
    pub request: FragmentRequest,
    pub owner: JurisdictionId,
    /// Digest of the bundle whose rules decided.
    pub rules: String,
    pub rule: Option<ReleaseRule>,
    /// Id of the audit log.
    pub log: Uuid,
    pub identity: Slot<NodeIdentity>,
    pub clock: Arc<dyn Clock>,
}

impl Receipts {
    /// Signs the receipt of the release whose entry is in the log.
    ///
    /// # Errors
    /// It cannot be signed: nothing is released then.
    pub fn of(self, entry: &AuditReference, rows: u64) -> Result<Box<Signed<Receipt>>, Refusal> {
        let Self { request, owner, rules, rule, log, identity, clock } = self;
        let receipt = Receipt {
            owner,
            log,
            sequence: entry.sequence,
            digest: entry.digest.clone(),
            time: clock.now(),
            query_id: request.query_id,
            fragment: request.fragment,
            home: request.from,
            requester: request.requester,
            project: request.project,
            purpose: request.purpose,
            agreement: request.agreement,
            text: format!("{:x}", Sha256::digest(&request.sql)),
            rules,
            min_units: rule.as_ref().map(|rule| rule.min_units),
            rounding: rule.as_ref().map_or(1, |rule| rule.rounding),
            policies: rule.map(|rule| rule.policies).unwrap_or_default(),
            rows,
        };
        sign_statement(receipt, &identity.now()).map(Box::new).map_err(|error| {
            tracing::error!(%error, "a receipt cannot be signed");
            internal()
        })
    }
}
