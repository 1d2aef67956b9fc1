//! Several operators, one leader; and an operator that stops anywhere leaves nothing that the next one cannot go on with.

use std::time::Duration;

use wanqu_testing::until;

use crate::bed::Bed;
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
        let ended = until("its death, or the end of its work", Duration::from_mins(1), async || {
            let before = bed.writes_since(mark).len();
            tokio::time::sleep(Duration::from_millis(1_500)).await;
            let idle =
                bed.writes_since(mark).len() == before && bed.get("ConfigMap", "gba", "macau-trust").await.is_some();
            let ended = if cut.is_over() { Some(false) } else { idle.then_some(true) };
            ended.ok_or("it works")
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
