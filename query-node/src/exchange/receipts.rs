//! Check of an owner's receipt at the home node that asked: it must be of this release, and the owner's own.

use sha2::{Digest, Sha256};
use uuid::Uuid;
use wanqu_identity::{Trust, verify_statement};
use wanqu_model::bundle::Subject;
use wanqu_model::names::{JurisdictionId, Purpose, ResourceName};
use wanqu_rules::envelope::Envelope;
use wanqu_rules::fragment::ReleaseReport;

/// What a receipt must say of the question.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub query_id: Uuid,
    fragment: u32,
    home: JurisdictionId,
    requester: Subject,
    project: Option<ResourceName>,
    purpose: Option<Purpose>,
    agreement: Option<String>,
    text: String,
}

impl Asked {
    /// Returns what an envelope asks.
    pub fn of(envelope: &Envelope) -> Self {
        Self {
            query_id: envelope.query_id,
            fragment: envelope.fragment,
            home: envelope.from.clone(),
            requester: envelope.requester.clone(),
            project: envelope.project.clone(),
            purpose: envelope.purpose.clone(),
            agreement: envelope.agreement.clone(),
            text: format!("{:x}", Sha256::digest(&envelope.sql)),
        }
    }

    /// Checks the receipt in a report. A node from before there were receipts gives none, which the account of the answer tells.
    ///
    /// # Errors
    /// The fault of it, in words.
    pub fn check(&self, report: &ReleaseReport, trust: &Trust) -> Result<(), String> {
        let Some(signed) = &report.receipt else { return Ok(()) };
        let told = &signed.statement;
        let is_of_release = (&told.owner, told.sequence, &told.digest, told.rows)
            == (&report.owner, report.audit_sequence, &report.audit_digest, report.rows)
            && (told.min_units, told.rounding, &told.policies) == (report.min_units, report.rounding, &report.policies);
        let is_of_question = (told.query_id, told.fragment, &told.home, &told.text)
            == (self.query_id, self.fragment, &self.home, &self.text)
            && (&told.requester, &told.project, &told.purpose, &told.agreement)
                == (&self.requester, &self.project, &self.purpose, &self.agreement);
        if !(is_of_release && is_of_question) {
            return Err("the receipt is of another release".to_owned());
        }
        verify_statement(signed, trust).map_err(|why| format!("the receipt does not hold: {why}"))
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use wanqu_fixtures::identity::{authority, jid, node, trust};
    use wanqu_identity::sign_statement;
    use wanqu_model::receipt::Receipt;

    use super::*;

    fn receipt() -> Receipt {
        Receipt {
            owner: jid("MO"),
            log: Uuid::from_u128(1),
            sequence: 4,
            digest: "d".repeat(64),
            time: Timestamp::now(),
            query_id: Uuid::from_u128(7),
            fragment: 2,
            home: jid("HK"),
            requester: Subject { issuer: "https://i.example".to_owned(), subject: "wei".to_owned() },
            project: None,
            purpose: None,
            agreement: None,
            text: "a".repeat(64),
            rules: "r".to_owned(),
            min_units: None,
            rounding: 1,
            policies: vec![],
            rows: 3,
        }
    }

    #[test]
    fn a_receipt_is_of_this_release_and_of_nobody_else() {
        let (hk, mo) = (authority("HK"), authority("MO"));
        let trust = trust(&[("HK", &hk), ("MO", &mo)]);
        let asked = Asked {
            query_id: Uuid::from_u128(7),
            fragment: 2,
            home: jid("HK"),
            requester: receipt().requester,
            project: None,
            purpose: None,
            agreement: None,
            text: "a".repeat(64),
        };
        let check = |change: &dyn Fn(&mut Receipt), by| {
            let mut statement = receipt();
            change(&mut statement);
            let report = ReleaseReport {
                owner: jid("MO"),
                rows: 3,
                min_units: None,
                rounding: 1,
                publish_zeros: true,
                policies: vec![],
                fetched_bytes: 0,
                left_out: vec![],
                earlier_values: false,
                audit_sequence: 4,
                audit_digest: "d".repeat(64),
                receipt: Some(Box::new(sign_statement(statement, &node(by)).unwrap())),
            };
            asked.check(&report, &trust)
        };
        check(&|_| {}, &mo).unwrap();
        let changes: [&dyn Fn(&mut Receipt); 14] = [
            &|receipt| receipt.owner = jid("HK"),
            &|receipt| receipt.sequence = 5,
            &|receipt| receipt.digest = "e".repeat(64),
            &|receipt| receipt.rows = 4,
            &|receipt| receipt.query_id = Uuid::nil(),
            &|receipt| receipt.fragment = 0,
            &|receipt| receipt.home = jid("MO"),
            &|receipt| receipt.text = "b".repeat(64),
            &|receipt| receipt.min_units = Some(10),
            &|receipt| receipt.rounding = 5,
            &|receipt| receipt.policies = vec!["gba".parse().unwrap()],
            &|receipt| receipt.requester.subject = "chan".to_owned(),
            &|receipt| receipt.project = Some("care".parse().unwrap()),
            &|receipt| receipt.agreement = Some("b".repeat(64)),
        ];
        for change in changes {
            assert!(check(change, &mo).unwrap_err().contains("of another release"));
        }
        assert!(check(&|_| {}, &hk).unwrap_err().contains("signed by HK"));
    }
}
