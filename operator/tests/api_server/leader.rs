//! Several operators, one leader; and an operator that stops anywhere leaves nothing that the next one cannot go on with.

use std::time::Duration;

use wanqu_testbed::until;

use crate::bed::Bed;

async fn holder(bed: &Bed, name: &str) {
    bed.until("Lease", "gba", "wanqu-operator", |lease| (lease["spec"]["holderIdentity"] == name).then_some(())).await;
}

#[tokio::test]
async fn of_two_operators_one_works_and_the_other_takes_over() {
    let bed = Bed::start().await;
    let first = bed.operator("first", &[]).await;
    holder(&bed, "first").await;
    let second = bed.operator("second", &[]).await;
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
    let third = bed.operator("third", &[]).await;
    holder(&bed, "third").await;
    drop(third);
}

#[tokio::test]
async fn an_operator_that_is_stopped_anywhere_leaves_what_the_next_one_finishes() {
    let bed = Bed::start().await;
    let mark = bed.plane.audit().mark().unwrap();
    bed.apply_examples().await;
    // A lease that runs out soon, and an end after so many more writes each time.
    for round in 0..12 {
        let operator = bed.operator(&format!("round-{round}"), &[]).await;
        let enough = bed.writes_since(mark).len() + 1 + round % 4 * 3;
        let limit = Duration::from_mins(1);
        until("a few more writes", limit, async || {
            let settled = bed.get("StatefulSet", "gba-macau", "macau-node").await.is_some()
                && bed.get("StatefulSet", "gba-hongkong", "hongkong-node").await.is_some()
                && bed.get("StatefulSet", "gba-shenzhen", "shenzhen-node").await.is_some();
            Ok((settled || bed.writes_since(mark).len() >= enough).then_some(()).ok_or_else(String::new))
        })
        .await
        .unwrap();
        drop(operator);
    }
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
