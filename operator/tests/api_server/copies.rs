//! Reports of a node's copies: the bundle that each of them runs.

use serde_json::{Value, json};

use crate::bed::{Bed, condition};
use crate::pods::{reporting, running};

/// The answers of a copy that runs a bundle.
fn runs(digest: &str) -> Value {
    json!({"jurisdiction": "MO", "digest": digest, "identityNotAfter": null})
}

fn digest(config_map: &Value) -> Option<String> {
    Some(config_map["metadata"]["annotations"]["wanqu.dev/bundle-digest"].as_str()?.to_owned())
}

#[tokio::test]
async fn a_bundle_is_current_when_the_copies_say_so_and_pods_are_told_of_a_new_one() {
    let bed = Bed::start().await;
    let _operator = bed.operator("a", &[]).await;
    bed.apply_examples().await;
    bed.run_workloads().await;
    bed.ready("Federation", "gba").await;

    // A copy that runs the bundle of another time.
    let copy = running(&bed, "MO", "macau", "127.77.3.9").await;
    copy.say("/bundle", runs("another"));
    let message = bed.condition("Jurisdiction", "macau", "BundleCurrent", "False", "RollingOut").await;
    assert!(message.starts_with("macau-node-0 runs another bundle still"), "{message}");
    bed.condition("Federation", "gba", "Ready", "False", "MemberNotReady").await;

    let first = bed.until("ConfigMap", "gba-macau", "macau-bundle", digest).await;
    copy.say("/bundle", runs(&first));
    bed.condition("Jurisdiction", "macau", "BundleCurrent", "True", "Compiled").await;
    bed.ready("Federation", "gba").await;
    bed.until("Pod", "gba-macau", "macau-node-0", |pod| (digest(pod)? == first).then_some(())).await;

    // A new bundle: the pod is told at once, and counts again when it has it.
    bed.merge("DisclosurePolicy", "gba", "macau-people", json!({"spec": {"minUnits": 25}})).await;
    let second =
        bed.until("ConfigMap", "gba-macau", "macau-bundle", |map| digest(map).filter(|digest| *digest != first)).await;
    bed.until("Pod", "gba-macau", "macau-node-0", |pod| (digest(pod)? == second).then_some(())).await;
    bed.condition("Jurisdiction", "macau", "BundleCurrent", "False", "RollingOut").await;
    copy.say("/bundle", runs(&second));
    bed.ready("Federation", "gba").await;

    // One that the copy takes, and is too old for a part of it.
    bed.merge("DisclosurePolicy", "gba", "macau-people", json!({"spec": {"minUnits": 30}})).await;
    let third =
        bed.until("ConfigMap", "gba-macau", "macau-bundle", |map| digest(map).filter(|digest| *digest != second)).await;
    let mut partly = runs(&third);
    partly["leftOut"] = json!(["agreements[0] macau-to-hongkong: unknown field `quorum`"]);
    copy.say("/bundle", partly);
    let message = bed.condition("Jurisdiction", "macau", "BundleCurrent", "False", "NodeTooOld").await;
    assert!(message.contains("agreements[0] macau-to-hongkong: unknown field `quorum`"), "{message}");
    bed.condition("Federation", "gba", "Ready", "False", "MemberNotReady").await;
}

#[tokio::test]
async fn a_copy_that_does_not_start_says_why_in_the_condition_of_its_jurisdiction() {
    let bed = Bed::start().await;
    let _operator = bed.operator("a", &[]).await;
    bed.apply_examples().await;
    let not_ready = json!([{"type": "Ready", "status": "False"}]);
    let state = |state: Value, last: Value| {
        let container = json!({
            "name": "node", "image": "wanqu:test", "imageID": "", "ready": false, "restartCount": 1, "state": state,
            "lastState": last,
        });
        json!({"phase": "Pending", "conditions": not_ready, "containerStatuses": [container]})
    };
    let image = json!({"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling image \"wanqu:test\""}});
    let looping = json!({"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s"}});
    let ended = json!({"terminated": {"exitCode": 1, "message": "query-node: cannot read /etc/wanqu/bundle"}});
    for (status, told) in [
        (state(image, json!({})), "pod macau-node-0: ImagePullBackOff: Back-off pulling image \"wanqu:test\""),
        (state(looping, ended), "pod macau-node-0: its container ended with exit code 1: query-node: cannot read"),
    ] {
        reporting(&bed, "MO", "macau", status).await;
        bed.until("Jurisdiction", "gba", "macau", |object| {
            condition(object, "WorkloadReady")?["message"].as_str()?.contains(told).then_some(())
        })
        .await;
    }
}
