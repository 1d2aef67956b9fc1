//! What a new bundle withdraws is out of force, whatever fault keeps the node from using that bundle.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use wanqu_model::bundle::{NodeBundle, Subject};
use wanqu_model::refusal::{Code, Refusal};
use wanqu_rules::envelope::{ENVELOPE_VERSION, Envelope};

use super::follow::Followed;
use super::tests::{hong_kong, opened, opened_at, write};
use crate::audit::{self, BundleStanding, Entry, Filter};
use crate::bundle_file::FiledBundle;
use crate::clock::SetClock;
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
        requester: Subject { issuer: "https://issuer.wanqu.local".to_owned(), subject: "mei".to_owned() },
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

/// Standings of the bundle in the audit log, in order.
fn standings(folder: &Path) -> Vec<BundleStanding> {
    let records = audit::read(&[folder], &Filter::default()).unwrap();
    let standing = |entry: &Entry| if let Entry::Bundle { standing, .. } = entry { Some(*standing) } else { None };
    records.iter().filter_map(|record| standing(&record.entry)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_no_bundle_closes_the_node_when_the_grace_time_is_over() {
    let garble = |settings: &super::Settings, how: usize| {
        let (path, text) = (&settings.bundle, std::fs::read_to_string(&settings.bundle).unwrap());
        std::fs::remove_file(path).unwrap();
        match how {
            0 => std::fs::write(path, "garbage").unwrap(),
            1 => std::fs::write(path, &text[..text.len() / 2]).unwrap(),
            2 => std::fs::write(
                path,
                text.replacen("\"jurisdiction\":\"HK\",\"members\"", "\"jurisdiction\":\"MO\",\"members\"", 1),
            )
            .unwrap(),
            3 => assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success()),
            4 => std::fs::create_dir(path).unwrap(),
            _ => {}
        }
    };
    for how in 0..6 {
        let folder = tempfile::tempdir().unwrap();
        let (bundle, settings, _client) = hong_kong(folder.path());
        write(&settings, &bundle);
        let clock = Arc::new(SetClock::new(Timestamp::now()));
        let (node, file, identities) = opened_at(&settings, clock.clone());
        node.limit_bundle(Duration::from_mins(5));
        let mut followed = Followed::new(&node, file, identities);
        let (agreements, digest) = (held(&node), node.bundle_digest());
        let before = refused(&node, &bundle).await.map(|refusal| refusal.code);
        clock.pass(SignedDuration::from_mins(5));
        followed.look();
        assert_eq!(fault(&node), "", "every look that reads the bundle prolongs its time");

        garble(&settings, how);
        followed.look();
        clock.pass(SignedDuration::from_mins(5));
        followed.look();
        assert_eq!((held(&node), node.bundle_digest()), (agreements, digest.clone()), "{how}: it may be half written");
        let words = fault(&node);
        assert!(
            words.starts_with("the bundle's file cannot be read; what the bundle before it grants is in force until "),
            "{how}: {words}"
        );
        assert!(node.metrics().contains("wanqu_bundle_closed 0"));
        assert!(node.metrics().contains("wanqu_bundle_reloads_total{outcome=\"refused\"} 1"));

        clock.pass(SignedDuration::from_secs(1));
        let refusal = refused(&node, &bundle).await.expect("nothing may be released");
        assert_eq!(refusal.code, Code::OwnerUnavailable, "{how}: no look is needed for it");
        assert_eq!(
            refusal.message,
            "the node of HK has not been able to read its bundle for too long, so it releases nothing"
        );
        assert!(refusal.rule.is_some() && refusal.remedy.is_some());
        assert_eq!((held(&node), node.bundle_digest()), (0, "none".to_owned()));
        followed.look();
        assert!(
            fault(&node).starts_with("no bundle is in force: the bundle's file could not be read"),
            "{}",
            fault(&node)
        );
        assert!(node.metrics().contains("wanqu_bundle_closed 1"));

        if settings.bundle.is_dir() {
            std::fs::remove_dir(&settings.bundle).unwrap();
        } else if settings.bundle.exists() {
            std::fs::remove_file(&settings.bundle).unwrap();
        }
        write(&settings, &bundle);
        followed.look();
        assert_eq!((held(&node), node.bundle_digest(), fault(&node)), (agreements, digest, String::new()), "{how}");
        // By now its clock is ahead of the envelope's.
        let after = refused(&node, &bundle).await.map(|refusal| refusal.code);
        assert!(after == before || after == Some(Code::Envelope), "{how}: {after:?}");
        let expected = [BundleStanding::Unread, BundleStanding::Closed, BundleStanding::InForce];
        assert_eq!(standings(&settings.audit), expected, "{how}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_files_nobody_looks_at_any_more_closes_too() {
    let folder = tempfile::tempdir().unwrap();
    let (bundle, settings, _client) = hong_kong(folder.path());
    write(&settings, &bundle);
    let clock = Arc::new(SetClock::new(Timestamp::now()));
    let (node, file, identities) = opened_at(&settings, clock.clone());
    node.limit_bundle(Duration::from_mins(5));
    let mut followed = Followed::new(&node, file, identities);
    followed.look();
    clock.pass(SignedDuration::from_mins(6));
    assert_eq!(held(&node), 0, "the follower hangs, and the file may withdraw anything");
    assert!(fault(&node).starts_with("no bundle is in force"), "{}", fault(&node));
    followed.look();
    assert!(held(&node) > 0 && fault(&node).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_beside_a_value_that_cannot_be_read_is_in_force_at_once() {
    let deep = format!("{}{}", "[".repeat(5000), "]".repeat(5000));
    for part in ["1e999", "\"\\ud800\"", deep.as_str()] {
        let folder = tempfile::tempdir().unwrap();
        let (mut bundle, settings, _client) = hong_kong(folder.path());
        write(&settings, &bundle);
        let (node, file, identities) = opened(&settings);
        let mut followed = Followed::new(&node, file, identities);
        assert!(held(&node) > 0);
        bundle.agreements.clear();
        let mut next = serde_json::to_value(&bundle).unwrap();
        next["slices"][0]["approximateRows"] = serde_json::json!("HERE");
        std::fs::write(&settings.bundle, next.to_string().replace("\"HERE\"", part)).unwrap();
        followed.look();
        assert_eq!(held(&node), 0, "{part:.20}");
        assert!(!node.left_out().is_empty());
    }
}
