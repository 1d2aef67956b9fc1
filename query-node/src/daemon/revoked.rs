//! What a new bundle withdraws is out of force, whatever fault keeps the node from using that bundle.

use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use wanqu_model::bundle::{NodeBundle, Subject};
use wanqu_model::refusal::{Code, Refusal};
use wanqu_rules::envelope::{ENVELOPE_VERSION, Envelope};

use super::tests::{hong_kong, opened, write};
use crate::bundle_file::FiledBundle;
use crate::exchange::{OwnerService, VerifiedRequest};
use crate::node::{Node, NodeError};

fn filed(bundle: &NodeBundle) -> FiledBundle {
    FiledBundle { bundle: bundle.clone(), digest: "next".to_owned(), left_out: Vec::new() }
}

fn fault(node: &Node) -> String {
    let check = node.checks().into_iter().find(|check| check.name == "bundle").unwrap();
    check.fault.map(std::borrow::Cow::into_owned).unwrap_or_default()
}

fn held(node: &Node) -> usize {
    node.owner().agreements_with(&"MO".parse().unwrap()).len()
}

/// Asks the node's owner as its own jurisdiction; `None` if it releases something.
async fn refused(node: &Node, bundle: &NodeBundle) -> Option<Refusal> {
    let now = Timestamp::now();
    let envelope = Envelope {
        version: ENVELOPE_VERSION,
        query_id: Uuid::new_v4(),
        fragment: 0,
        from: bundle.jurisdiction.clone(),
        to: bundle.jurisdiction.clone(),
        sql: "SELECT count(*) AS n FROM nothing.of.this".to_owned(),
        requester: Subject { issuer: "https://issuer.example".to_owned(), subject: "mei".to_owned() },
        project: None,
        purpose: None,
        agreement: None,
        issued_at: now,
        deadline: now + SignedDuration::from_mins(1),
        nonce: Uuid::new_v4(),
        max_rows: 10,
        traceparent: None,
    };
    let request = VerifiedRequest::from_self(envelope).unwrap();
    node.owner().answer(request, CancellationToken::new()).await.err()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_while_a_bundle_is_taken_leaves_what_both_bundles_grant() {
    let folder = tempfile::tempdir().unwrap();
    let (bundle, settings, _client) = hong_kong(folder.path());
    write(&settings, &bundle);
    let (node, ..) = opened(&settings);
    let (first, agreements) = (node.bundle_digest(), held(&node));
    assert!(agreements > 0);

    let mut next = bundle.clone();
    next.agreements.clear();
    node.panic_at_bundles(1);
    let error = node.reload(filed(&next)).unwrap_err();
    assert!(matches!(error, NodeError::Panicked) && !error.to_string().contains("patient"), "{error}");
    assert_eq!(held(&node), 0, "they are withdrawn, although the bundle that withdraws them is not in force");
    assert_eq!(node.bundle_digest(), format!("{first}+narrowed"));
    assert!(fault(&node).starts_with("the bundle's file cannot be used"), "{}", fault(&node));

    node.panic_at_bundles(1);
    node.reload(filed(&next)).unwrap_err();
    assert_eq!(node.bundle_digest(), format!("{first}+narrowed"), "narrowed twice, marked once");

    node.reload(filed(&bundle)).unwrap();
    assert_eq!((held(&node), node.bundle_digest()), (agreements, "next".to_owned()));
    assert_eq!(fault(&node), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_cannot_even_narrow_its_bundle_refuses_everything() {
    let folder = tempfile::tempdir().unwrap();
    let (bundle, settings, _client) = hong_kong(folder.path());
    write(&settings, &bundle);
    let (node, ..) = opened(&settings);
    let agreements = held(&node);
    let before = refused(&node, &bundle).await.expect("no such table");
    assert_ne!(before.code, Code::OwnerUnavailable);

    // The new bundle, what both grant, and what is left if nothing is granted.
    node.panic_at_bundles(3);
    node.reload(filed(&bundle)).unwrap_err();
    let refusal = refused(&node, &bundle).await.expect("nothing may be released");
    assert_eq!(refusal.code, Code::OwnerUnavailable);
    assert_eq!(refusal.message, "the node of HK has no bundle in force, so it releases nothing");
    assert!(refusal.rule.is_some() && refusal.remedy.is_some());
    assert_eq!((held(&node), node.bundle_digest()), (0, "none".to_owned()));
    assert!(fault(&node).starts_with("no bundle is in force"), "{}", fault(&node));

    node.reload(filed(&bundle)).unwrap();
    assert_eq!(refused(&node, &bundle).await.map(|refusal| refusal.code), Some(before.code));
    assert_eq!((held(&node), fault(&node)), (agreements, String::new()));
}
