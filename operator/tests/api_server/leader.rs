//! Several operators, one leader; and an operator that stops anywhere leaves nothing that the next one cannot go on with.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::Request;
use kube::Client;
use kube::client::Body;
use serde_json::json;
use wanqu_testing::until;

use crate::bed::{Bed, WITHIN, condition};
use crate::cut::Cut;

/// Long enough that a busy machine renews it in time.
const LEASE: &[&str] = &["--lease-seconds", "10"];

async fn holder(bed: &Bed, name: &str) {
    bed.until("Lease", "gba", "wanqu-operator", |lease| (lease["spec"]["holderIdentity"] == name).then_some(())).await;
}

#[tokio::test]
async fn of_two_operators_one_works_and_the_other_takes_over() {
    let bed = Bed::start().await;
    let first = bed.operator("first", LEASE).await;
    holder(&bed, "first").await;
    let second = bed.operator("second", LEASE).await;
    bed.apply_examples().await;
    bed.until_there("StatefulSet", "gba-macau", "macau-node").await;
    holder(&bed, "first").await;

    // The first one dies without a word: its lease has to run out.
    drop(first);
    bed.delete("StatefulSet", "gba-macau", "macau-node").await;
    holder(&bed, "second").await;
    bed.until_there("StatefulSet", "gba-macau", "macau-node").await;

    // The second one is told to stop: it gives the lease back.
    second.stop().await;
    let third = bed.operator("third", LEASE).await;
    holder(&bed, "third").await;
    drop(third);
}

/// Returns a client whose requests for leases get no answer while `cut` is true. Everything else passes: the worst that can
/// happen to somebody who leads.
fn without_lease(client: &Client, cut: &Arc<AtomicBool>) -> Client {
    let (inner, cut) = (client.clone(), Arc::clone(cut));
    let service = tower::service_fn(move |request: Request<Body>| {
        let (inner, lost) = (inner.clone(), cut.load(Ordering::Relaxed) && request.uri().path().contains("/leases"));
        async move {
            if lost {
                pending::<()>().await;
            }
            inner.send(request).await
        }
    });
    Client::new(service, client.default_namespace())
}

#[tokio::test]
async fn a_leader_that_cannot_renew_its_lease_writes_nothing_once_another_one_may() {
    let bed = Bed::start().await;
    let cut = Arc::new(AtomicBool::new(false));
    let login = |name: &str| bed.plane.user(name, Some("system:masters")).unwrap();
    let client = without_lease(&login("first").client().await.unwrap(), &cut);
    let _first = bed.operator_with(client, "first", LEASE);
    holder(&bed, "first").await;
    bed.apply_examples().await;
    bed.until_there("StatefulSet", "gba-macau", "macau-node").await;
    let second = bed.operator_as(&login("second"), "second", LEASE).await;
    let mark = bed.plane.audit().mark().unwrap();
    cut.store(true, Ordering::Relaxed);
    // Whoever leads has something to undo, all the time.
    let disturb = async || {
        let labels = json!({"metadata": {"labels": {"app.kubernetes.io/name": "mine"}}});
        bed.merge("NetworkPolicy", "gba-macau", "macau-node-deny", labels).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    let wrote = |since| {
        let made = bed.plane.audit().since(since).unwrap();
        let writes = made.into_iter().filter(wanqu_testbed::Request::is_write);
        writes.map(|write| (write.user.username.clone(), write.resource().to_owned())).collect::<Vec<_>>()
    };
    let objects = |writes: &[(String, String)], of: &str| {
        writes.iter().filter(|(user, what)| user == of && !["leases", "events"].contains(&what.as_str())).count()
    };
    until("the second one working", WITHIN, async || {
        disturb().await;
        let writes = wrote(mark);
        if objects(&writes, "second") > 2 { Ok(()) } else { Err(format!("{writes:?}")) }
    })
    .await;
    for _ in 0..40 {
        disturb().await;
    }
    let writes = wrote(mark);
    let taken = writes.iter().position(|(user, what)| user == "second" && what == "leases").unwrap();
    assert!(objects(&writes[..taken], "first") > 0, "it led on as long as it might: {writes:?}");
    assert_eq!(objects(&writes[taken..], "first"), 0, "{writes:?}");
    assert_eq!(objects(&writes[..taken], "second"), 0, "{writes:?}");

    // It has not given up for good: it leads again when it can, and once the other one is gone.
    cut.store(false, Ordering::Relaxed);
    second.stop().await;
    holder(&bed, "first").await;
    let mark = bed.plane.audit().mark().unwrap();
    until("the first one working again", WITHIN, async || {
        disturb().await;
        let writes = wrote(mark);
        if objects(&writes, "first") > 2 { Ok(()) } else { Err(format!("{writes:?}")) }
    })
    .await;
}

/// Returns what an operator has still to say about the examples, whose nodes nobody runs; `None` when its work is done.
async fn unfinished(bed: &Bed) -> Option<String> {
    let said = async |kind: &str, name: &str, of: &str| {
        let object = bed.get(kind, "gba", name).await.unwrap_or_default();
        let current = condition(&object, of).filter(|c| c["observedGeneration"] == object["metadata"]["generation"]);
        current.map(|c| (c["status"] == "True", c["message"].as_str().unwrap_or_default().to_owned()))
    };
    for kind in ["Dataset", "CommonTable", "DisclosurePolicy", "DataSharingAgreement", "ResearchProject"] {
        for object in bed.api(kind, "gba").list(&<_>::default()).await.unwrap() {
            let name = object.metadata.name.unwrap();
            let ready = said(kind, &name, "Ready").await;
            if !ready.as_ref().is_some_and(|(holds, _)| *holds) {
                return Some(format!("{kind} {name}: {ready:?}"));
            }
        }
    }
    // The last of its objects and conditions come after everything that they rest on.
    for name in ["shenzhen", "hongkong", "macau"] {
        let workload = said("Jurisdiction", name, "WorkloadReady").await;
        if !workload.as_ref().is_some_and(|(_, message)| message.contains("copies are ready")) {
            return Some(format!("Jurisdiction {name}: {workload:?}"));
        }
    }
    let ready = said("Federation", "gba", "Ready").await;
    let done = ready.as_ref().is_some_and(|(_, message)| message.contains("copies are ready"));
    (!done).then(|| format!("Federation gba: {ready:?}"))
}

#[tokio::test]
async fn an_operator_that_dies_after_any_of_its_calls_leaves_what_the_next_one_finishes() {
    let bed = Bed::start().await;
    let mark = bed.plane.audit().mark().unwrap();
    bed.apply_examples().await;
    // The first one dies after one write, the next after two more, and so on, until one has nothing left to write. They
    // have one name, so that none has to wait for the lease of the one before.
    let mut deaths = 0;
    loop {
        let cut = Cut::after(deaths + 1);
        let operator = bed.operator_with(cut.client(&bed.login()).await, "mortal", &[]);
        let ended =
            until("its death, or the end of its work", Duration::from_mins(1), async || match unfinished(&bed).await {
                _ if cut.is_over() => Ok(false),
                Some(unfinished) => Err(unfinished),
                None => Ok(true),
            });
        let done = ended.await;
        drop(operator);
        if done {
            break;
        }
        deaths += 1;
    }
    assert!(deaths > 8, "{deaths} deaths are too few to say anything");
    let _operator = bed.operator("last", &[]).await;
    bed.run_workloads().await;
    bed.ready("Federation", "gba").await;
    // One authority each, never a second one over the first.
    for (namespace, name) in [("gba-shenzhen", "shenzhen"), ("gba-hongkong", "hongkong"), ("gba-macau", "macau")] {
        let made = bed.plane.audit().since(mark).unwrap();
        let writes = made.iter().filter(|request| {
            let object = request.object.clone().unwrap_or_default();
            request.is_write() && object.namespace == namespace && object.name == format!("{name}-ca")
        });
        assert_eq!(writes.count(), 1, "{name}");
    }
}
