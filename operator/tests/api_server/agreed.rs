//! Agreements with a member that another operator runs: they count where its node says that it holds the same.

use serde_json::{Value, json};

use crate::bed::{Bed, condition};
use crate::pods::running;

const AGREEMENT: &str = "macau-to-hongkong-planning";

fn digest(message: &str) -> String {
    message.split("sha256:").nth(1).unwrap()[..64].to_owned()
}

/// The agreements that Macau's node reported to Hong Kong's.
fn told(name: &str, digest: &str, state: &str) -> Value {
    json!({"MO": {"agreements": [{"name": name, "digest": digest, "state": state}]}})
}

#[tokio::test]
async fn an_agreement_with_a_member_elsewhere_counts_when_its_node_holds_the_same_terms() {
    let bed = Bed::start().await;
    let _operator = bed.operator("a", &[]).await;
    bed.apply_examples().await;
    let trust = bed.until_there("ConfigMap", "gba", "macau-trust").await;
    bed.ready("DataSharingAgreement", AGREEMENT).await;
    let agreement = bed.get("DataSharingAgreement", "gba", AGREEMENT).await.unwrap();
    let message = condition(&agreement, "Agreed").unwrap()["message"].as_str().unwrap();
    assert!(message.starts_with("this operator runs both parties' nodes"), "{message}");
    let ours = digest(condition(&agreement, "InForce").unwrap()["message"].as_str().unwrap());

    let external = json!({"endpoint": "node.mo.example:7443", "ca": trust["data"]["ca.pem"]});
    let placement = json!({"spec": {"dataClaim": null, "placement": {"namespace": null, "external": external}}});
    bed.merge("Jurisdiction", "gba", "macau", placement).await;
    let agreed =
        async |status, reason| bed.condition("DataSharingAgreement", AGREEMENT, "Agreed", status, reason).await;
    agreed("Unknown", "Waiting").await;

    let hk = running(&bed, "HK", "hongkong", "127.77.3.10").await;
    hk.say("/peers", json!({"MO": {"problem": "owner-unavailable"}}));
    let message = agreed("Unknown", "PeerUnreachable").await;
    assert!(message.contains("[owner-unavailable]") && message.contains("placement.external"), "{message}");
    hk.say("/peers", told("another", &ours, "Active"));
    agreed("False", "NotHeld").await;
    let theirs = "f".repeat(64);
    hk.say("/peers", told(AGREEMENT, &theirs, "Active"));
    let message = agreed("False", "DigestDiffers").await;
    assert!(message.contains(&ours) && message.contains(&theirs), "{message}");
    bed.condition("DataSharingAgreement", AGREEMENT, "Ready", "False", "DigestDiffers").await;
    hk.say("/peers", told(AGREEMENT, &ours, "Suspended"));
    agreed("False", "Inactive").await;
    hk.say("/peers", told(AGREEMENT, &ours, "Active"));
    assert_eq!(digest(&agreed("True", "SameTerms").await), ours);
    bed.ready("DataSharingAgreement", AGREEMENT).await;

    // Terms that change here are no longer theirs.
    bed.merge("DataSharingAgreement", "gba", AGREEMENT, json!({"spec": {"filingReference": "another"}})).await;
    agreed("False", "DigestDiffers").await;
    // An answer that is none changes nothing that was said.
    hk.say("/peers", json!({"MO": "CANARY"}));
    hk.say("/bundle", json!("CANARY"));
    let other = "shenzhen-to-hongkong";
    bed.merge("DataSharingAgreement", "gba", other, json!({"metadata": {"annotations": {"look": "again"}}})).await;
    bed.ready("DataSharingAgreement", other).await;
    let agreement = bed.get("DataSharingAgreement", "gba", other).await.unwrap();
    assert_eq!(condition(&agreement, "Agreed").unwrap()["reason"], "SameTerms");
    assert!(!agreement.to_string().contains("CANARY"));
}
