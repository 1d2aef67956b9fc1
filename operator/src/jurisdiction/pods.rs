//! Reasons for which a pod does not run, as its status has them. Pure.

use kube::ResourceExt;
use kube::api::DynamicObject;
use serde_json::Value;

/// The longest reason of one pod, in characters.
const MOST: usize = 300;

/// Returns why a pod is not ready, if its status says so. One that is only starting gives no reason.
pub(super) fn problem_of(pod: &DynamicObject) -> Option<String> {
    let status = &pod.data["status"];
    if holds(status, "Ready") == Some("True") || pod.metadata.deletion_timestamp.is_some() {
        return None;
    }
    let why = unplaced(status).or_else(|| {
        let containers = status["containerStatuses"].as_array()?;
        containers.iter().find_map(|container| waiting(container).or_else(|| ended(container)))
    })?;
    Some(format!("pod {}: {}", pod.name_any(), shortened(&why)))
}

fn condition<'a>(status: &'a Value, of: &str) -> Option<&'a Value> {
    status["conditions"].as_array()?.iter().find(|condition| condition["type"] == of)
}

fn holds<'a>(status: &'a Value, of: &str) -> Option<&'a str> {
    condition(status, of)?["status"].as_str()
}

/// The pod is not scheduled.
fn unplaced(status: &Value) -> Option<String> {
    let condition = condition(status, "PodScheduled").filter(|condition| condition["status"] == "False")?;
    condition["message"].as_str().map(str::to_owned)
}

/// Its container is not started: the image cannot be pulled, a volume is missing.
fn waiting(container: &Value) -> Option<String> {
    let waiting = &container["state"]["waiting"];
    let reason = waiting["reason"].as_str()?;
    if ["ContainerCreating", "PodInitializing", "CrashLoopBackOff"].contains(&reason) {
        return None;
    }
    let message = waiting["message"].as_str().unwrap_or_default();
    Some([reason, message].join(": ").trim_end_matches(": ").to_owned())
}

/// Its container ended: the exit code, and the last line that it wrote.
fn ended(container: &Value) -> Option<String> {
    let ends = [&container["state"]["terminated"], &container["lastState"]["terminated"]];
    let end = ends.into_iter().find(|end| end.is_object())?;
    let code = end["exitCode"].as_i64().unwrap_or_default();
    let reason = end["reason"].as_str().filter(|reason| *reason == "OOMKilled");
    let words = end["message"].as_str().and_then(|words| words.lines().rfind(|line| !line.trim().is_empty()));
    let told = reason.map(|_| "it took more memory than spec.resources.memory allows").or(words);
    Some(match told {
        Some(told) => format!("its container ended with exit code {code}: {told}"),
        None => format!("its container ended with exit code {code}; kubectl logs --previous says more"),
    })
}

fn shortened(text: &str) -> String {
    let printable = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let mut told: String = printable.take(MOST).collect();
    if text.chars().count() > MOST {
        told.push('…');
    }
    told
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn said(status: &Value) -> Option<String> {
        problem_of(&serde_json::from_value(json!({"metadata": {"name": "hk-0"}, "status": status})).unwrap())
    }

    fn container(state: &Value, last: &Value) -> Value {
        json!({"conditions": [{"type": "Ready", "status": "False"}],
               "containerStatuses": [{"state": state, "lastState": last}]})
    }

    #[test]
    fn a_pods_problem_is_told_with_its_reason() {
        let crashed =
            json!({"terminated": {"exitCode": 1, "message": "{\"level\":\"INFO\"}\nquery-node: no bundle\n\n"}});
        let looping = json!({"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s"}});
        let image = json!({"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling image \"wanqu\""}});
        let killed = json!({"terminated": {"exitCode": 137, "reason": "OOMKilled"}});
        for (status, told) in [
            (
                json!({"conditions": [{"type": "PodScheduled", "status": "False", "message": "0/3 nodes are available"}]}),
                "pod hk-0: 0/3 nodes are available",
            ),
            (container(&image, &json!({})), "pod hk-0: ImagePullBackOff: Back-off pulling image \"wanqu\""),
            (container(&looping, &crashed), "pod hk-0: its container ended with exit code 1: query-node: no bundle"),
            (
                container(&json!({"running": {}}), &killed),
                "pod hk-0: its container ended with exit code 137: it took more memory than spec.resources.memory allows",
            ),
            (
                container(&json!({"terminated": {"exitCode": 2}}), &json!({})),
                "pod hk-0: its container ended with exit code 2; kubectl logs --previous says more",
            ),
        ] {
            assert_eq!(said(&status).as_deref(), Some(told));
        }
    }

    #[test]
    fn a_pod_that_starts_or_is_ready_has_nothing_to_say() {
        let crashed = json!({"terminated": {"exitCode": 1}});
        let mut ready = container(&json!({"running": {}}), &crashed);
        ready["conditions"][0]["status"] = json!("True");
        let creating = container(&json!({"waiting": {"reason": "ContainerCreating"}}), &json!({}));
        for status in [json!({}), ready, creating, container(&json!({"running": {}}), &json!({}))] {
            assert_eq!(said(&status), None);
        }
    }

    #[test]
    fn a_pods_message_is_cut_and_stripped_of_control_characters() {
        let long = json!({"waiting": {"reason": "Odd", "message": "\u{1b}[2J".repeat(200)}});
        let told = said(&container(&long, &json!({}))).unwrap();
        assert!(told.chars().count() < MOST + 20 && told.ends_with('…') && !told.contains('\u{1b}'), "{told}");
    }
}
