//! Whether an object as it lives says everything that it is to say.
//!
//! The API server adds defaults, other managers add fields of their own, and quantities come back in another spelling.
//! None of that is a difference. What is: a field that was set and is not so any more, or one that was set once and is
//! not to be set now. The first is seen by comparing values; the second by the object's [`shape`], which is kept in an
//! annotation. Values are left out of the shape, so that nothing of a Secret is in it.

use serde_json::Value;

use super::hash::sha256;

/// Fields whose values are quantities: `500m` and `0.5` are one.
const QUANTITIES: [&str; 5] = ["cpu", "memory", "storage", "ephemeral-storage", "sizeLimit"];

/// Whether `live` says all that `desired` says. Type and kind of the object are not compared: lists leave them out.
#[must_use]
pub fn says_all(live: &Value, desired: &Value) -> bool {
    let (Value::Object(live), Value::Object(desired)) = (live, desired) else { return false };
    let fields = desired.iter().filter(|(name, _)| *name != "apiVersion" && *name != "kind");
    fields
        .into_iter()
        .all(|(name, value)| live.get(name).is_some_and(|found| within(found, value, name)) || void(value))
}

fn within(live: &Value, desired: &Value, field: &str) -> bool {
    match (live, desired) {
        (Value::Object(live), Value::Object(desired)) => desired
            .iter()
            .all(|(name, value)| live.get(name).is_some_and(|found| within(found, value, name)) || void(value)),
        // Others may have added items; ours are there, in our order.
        (Value::Array(live), Value::Array(desired)) => {
            let mut rest = live.iter();
            desired.iter().all(|item| rest.any(|found| within(found, item, field)))
        }
        (Value::String(live), Value::String(desired)) if live != desired && QUANTITIES.contains(&field) => {
            quantity(live).is_some() && quantity(live) == quantity(desired)
        }
        _ => live == desired,
    }
}

/// What the API server drops when it stores an object.
fn void(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(map) => map.values().all(void),
        Value::Array(list) => list.is_empty(),
        _ => false,
    }
}

/// A Kubernetes quantity in thousandths.
fn quantity(text: &str) -> Option<i128> {
    const SUFFIXES: [(&str, i128); 11] = [
        ("Ki", 1 << 10),
        ("Mi", 1 << 20),
        ("Gi", 1 << 30),
        ("Ti", 1 << 40),
        ("Pi", 1 << 50),
        ("k", 1_000),
        ("M", 1_000_000),
        ("G", 1_000_000_000),
        ("T", 1_000_000_000_000),
        ("P", 1_000_000_000_000_000),
        ("", 1),
    ];
    if let Some(thousandths) = text.strip_suffix('m') {
        return thousandths.parse().ok();
    }
    let (number, unit) = SUFFIXES.iter().find_map(|(suffix, unit)| Some((text.strip_suffix(suffix)?, *unit)))?;
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    if part.len() > 9 || !part.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let whole: i128 = whole.parse().ok()?;
    let part: i128 = format!("{part:0<9}").parse().ok()?;
    Some((whole * 1_000_000_000 + part).checked_mul(unit)? / 1_000_000)
}

/// Which fields an object sets, as a short hash.
#[must_use]
pub fn shape(object: &Value) -> String {
    let mut paths = Vec::new();
    collect(object, String::new(), &mut paths);
    paths.sort();
    let mut hash = sha256(paths.join("\n"));
    hash.truncate(16);
    hash
}

fn collect(value: &Value, path: String, paths: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            map.iter().filter(|(_, v)| !void(v)).for_each(|(name, v)| collect(v, format!("{path}/{name}"), paths));
        }
        Value::Array(list) => list.iter().enumerate().for_each(|(at, v)| collect(v, format!("{path}/{at}"), paths)),
        _ => paths.push(path),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_others_add_is_no_difference_and_what_they_change_is() {
        let desired =
            json!({"kind": "Service", "spec": {"ports": [{"name": "a", "port": 1}, {"name": "b", "port": 2}]}});
        let added = json!({
            "metadata": {"uid": "x"},
            "spec": {"clusterIP": "10.0.0.1", "ports": [
                {"name": "z", "port": 9}, {"name": "a", "port": 1, "protocol": "TCP"}, {"name": "b", "port": 2},
            ]},
        });
        assert!(says_all(&added, &desired));
        let changed = json!({"spec": {"ports": [{"name": "a", "port": 1}, {"name": "b", "port": 3}]}});
        assert!(!says_all(&changed, &desired));
        let missing = json!({"spec": {"ports": [{"name": "a", "port": 1}]}});
        assert!(!says_all(&missing, &desired));
        assert!(says_all(&json!({}), &json!({"spec": {"selector": null, "tolerations": [], "nothing": {}}})));
    }

    #[test]
    fn quantities_are_compared_by_what_they_say() {
        for (a, b) in [("0.5", "500m"), ("1024Mi", "1Gi"), ("2", "2000m"), ("1k", "1000"), ("1.5Gi", "1536Mi")] {
            let (live, desired) = (json!({"r": {"cpu": a}}), json!({"r": {"cpu": b}}));
            assert!(says_all(&live, &desired), "{a} {b}");
        }
        assert!(!says_all(&json!({"r": {"cpu": "1"}}), &json!({"r": {"cpu": "1m"}})));
        assert!(!says_all(&json!({"r": {"cpu": "x"}}), &json!({"r": {"cpu": "y"}})));
        assert!(
            !says_all(&json!({"r": {"name": "1000m"}}), &json!({"r": {"name": "1"}})),
            "only where quantities stand"
        );
    }

    #[test]
    fn the_shape_tells_fields_and_no_values() {
        let a = json!({"data": {"ca.key": "one"}, "x": [1, 2]});
        assert_eq!(shape(&a), shape(&json!({"data": {"ca.key": "two"}, "x": [3, 4], "y": null})));
        assert_ne!(shape(&a), shape(&json!({"data": {"ca.key": "one"}, "x": [1]})));
        assert_ne!(shape(&a), shape(&json!({"data": {"ca.key": "one", "ca.pem": ""}, "x": [1, 2]})));
    }
}
