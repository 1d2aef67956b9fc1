//! A new image: one member of the federation restarts at a time, and the next when all of its copies run.

use serde_json::Value;

use crate::bed::Bed;

const MEMBERS: [&str; 3] = ["shenzhen", "hongkong", "macau"];

fn image(set: &Value) -> String {
    set["spec"]["template"]["spec"]["containers"][0]["image"].as_str().unwrap().to_owned()
}

/// The members whose nodes have the next image.
async fn rolled(bed: &Bed) -> Vec<&'static str> {
    let mut rolled = Vec::new();
    for member in MEMBERS {
        let set = bed.get("StatefulSet", &format!("gba-{member}"), &format!("{member}-node")).await.unwrap();
        if image(&set) == "wanqu:next" {
            rolled.push(member);
        }
    }
    rolled
}

#[tokio::test]
async fn an_upgrade_goes_one_member_at_a_time_and_stops_at_one_that_does_not_come_up() {
    let bed = Bed::start().await;
    let operator = bed.operator("a", &[]).await;
    bed.apply_examples().await;
    bed.run_workloads().await;
    bed.ready("Federation", "gba").await;
    operator.stop().await;
    let _operator = bed.operator("b", &["--node-image", "wanqu:next"]).await;
    let mut before = Vec::new();
    for turn in 1..=3 {
        let now = wanqu_testing::until("the next member restarting", crate::bed::WITHIN, async || {
            let now = rolled(&bed).await;
            if now.len() >= turn { Ok(now) } else { Err(format!("{now:?}")) }
        })
        .await;
        // The copies of this one do not run yet: nobody else begins, whatever happens.
        for member in MEMBERS {
            let look = serde_json::json!({"metadata": {"annotations": {"look": turn.to_string()}}});
            bed.merge("Jurisdiction", "gba", member, look).await;
        }
        tokio::time::sleep(std::time::Duration::from_secs(5)).await;
        assert_eq!(rolled(&bed).await, now, "turn {turn}");
        assert_eq!(now.len(), turn);
        let next = *now.iter().find(|member| !before.contains(*member)).unwrap();
        if let Some(waits) = MEMBERS.iter().find(|member| !now.contains(*member)) {
            let told = format!("restart once those of Jurisdiction {next} all run");
            let (reason, _) = bed.told("Jurisdiction", waits, "WorkloadReady", "False", &told).await;
            assert_eq!(reason, "RollingOut");
        }
        bed.run_workload(&format!("gba-{next}"), &format!("{next}-node")).await;
        before = now;
    }
    bed.ready("Federation", "gba").await;
}

#[tokio::test]
async fn a_member_that_is_paused_keeps_its_workload_and_gets_every_bundle() {
    let bed = Bed::start().await;
    let operator = bed.operator("a", &[]).await;
    bed.apply_examples().await;
    bed.run_workloads().await;
    bed.ready("Federation", "gba").await;
    let paused = serde_json::json!({"spec": {"paused": true, "pods": {"priorityClassName": "later"}}});
    bed.merge("Jurisdiction", "gba", "macau", paused).await;
    let says = "spec.paused is true, so its workload stays as it is";
    bed.told("Jurisdiction", "macau", "WorkloadReady", "True", says).await;
    operator.stop().await;
    let _operator = bed.operator("b", &["--node-image", "wanqu:next"]).await;
    let suspended = serde_json::json!({"spec": {"state": "Suspended"}});
    bed.merge("DataSharingAgreement", "gba", "macau-to-shenzhen", suspended).await;
    bed.until("ConfigMap", "gba-macau", "macau-bundle", |map| {
        let bundle = crate::conditions::bundle(map);
        let agreement = bundle.agreements.iter().find(|agreement| agreement.name.as_str() == "macau-to-shenzhen")?;
        (agreement.state == wanqu_model::bundle::AgreementState::Suspended).then_some(())
    })
    .await;
    for member in ["shenzhen", "hongkong"] {
        wanqu_testing::until("the others having the next image", crate::bed::WITHIN, async || {
            bed.run_workload("gba-shenzhen", "shenzhen-node").await;
            bed.run_workload("gba-hongkong", "hongkong-node").await;
            let now = rolled(&bed).await;
            if now.contains(&member) { Ok(()) } else { Err(format!("{now:?}")) }
        })
        .await;
    }
    assert!(!rolled(&bed).await.contains(&"macau"));
    bed.merge("Jurisdiction", "gba", "macau", serde_json::json!({"spec": {"paused": false}})).await;
    bed.until("StatefulSet", "gba-macau", "macau-node", |set| {
        let pod = &set["spec"]["template"]["spec"];
        (image(set) == "wanqu:next" && pod["priorityClassName"] == "later").then_some(())
    })
    .await;
}
