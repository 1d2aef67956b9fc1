//! Comparison of an object as it lives with the object as it is to be.
//!
//! The API server adds defaults, other managers add fields of their own, and quantities come back in another spelling.
//! None of that is drift. Drift is a field that was set and has another value now, or one that was set once and is not to
//! be set any more. The first is seen by comparing values; the second by the object's [`shape`], which is kept in an
//! annotation. Values are left out of the shape, so that nothing of a Secret is in it.

use serde_json::Value;

use super::hash::sha256;
use super::quantity::Quantity;

/// Comparison of texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Text {
    /// Letter by letter.
    Plain,
    /// As a quantity.
    Quantity,
    /// As the amount of a resource, which the API server rounds up.
    Amount,
}

impl Text {
    /// Returns how texts below a field are compared.
    fn below(self, field: &str) -> Self {
        match field {
            // A map from resources to amounts: its keys are cpu, memory, or anything that a device calls itself.
            "limits" | "requests" => Self::Amount,
            "sizeLimit" => Self::Quantity,
            _ => self,
        }
    }

    fn equal(self, live: &str, desired: &str) -> bool {
        let (Some(left), Some(right)) = (Quantity::parse(live), Quantity::parse(desired)) else {
            return live == desired;
        };
        match self {
            Self::Plain => live == desired,
            Self::Quantity => left == right,
            Self::Amount => left.of_resource() == right.of_resource(),
        }
    }
}

/// Returns true if `live` has all that `desired` has. Type and kind of the object are not compared: lists leave them out.
#[must_use]
pub fn has_all(live: &Value, desired: &Value) -> bool {
    let (Value::Object(live), Value::Object(desired)) = (live, desired) else { return false };
    let fields = desired.iter().filter(|(name, _)| *name != "apiVersion" && *name != "kind");
    fields.into_iter().all(|(name, value)| has(live.get(name), value, Text::Plain.below(name)))
}

fn has(live: Option<&Value>, desired: &Value, text: Text) -> bool {
    live.is_some_and(|live| within(live, desired, text)) || void(desired)
}

fn within(live: &Value, desired: &Value, text: Text) -> bool {
    match (live, desired) {
        (Value::Object(live), Value::Object(desired)) => {
            desired.iter().all(|(name, value)| has(live.get(name), value, text.below(name)))
        }
        // Others may have added items; ours are there, in our order.
        (Value::Array(live), Value::Array(desired)) => {
            let mut rest = live.iter();
            desired.iter().all(|item| rest.any(|found| within(found, item, text)))
        }
        (Value::String(live), Value::String(desired)) => text.equal(live, desired),
        _ => live == desired,
    }
}

/// Returns true for a value that the API server drops when it stores an object.
fn void(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(map) => map.values().all(void),
        Value::Array(list) => list.is_empty(),
        _ => false,
    }
}

/// Returns a short hash of which fields an object sets.
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
    fn fields_that_others_add_are_no_difference_and_fields_that_they_change_are() {
        let desired =
            json!({"kind": "Service", "spec": {"ports": [{"name": "a", "port": 1}, {"name": "b", "port": 2}]}});
        let added = json!({
            "metadata": {"uid": "x"},
            "spec": {"clusterIP": "10.0.0.1", "ports": [
                {"name": "z", "port": 9}, {"name": "a", "port": 1, "protocol": "TCP"}, {"name": "b", "port": 2},
            ]},
        });
        assert!(has_all(&added, &desired));
        let changed = json!({"spec": {"ports": [{"name": "a", "port": 1}, {"name": "b", "port": 3}]}});
        assert!(!has_all(&changed, &desired));
        let missing = json!({"spec": {"ports": [{"name": "a", "port": 1}]}});
        assert!(!has_all(&missing, &desired));
        assert!(has_all(&json!({}), &json!({"spec": {"selector": null, "tolerations": [], "nothing": {}}})));
    }

    #[test]
    fn quantities_are_compared_by_their_value_where_they_stand() {
        for (live, desired) in [
            ("0.5", "500m"),
            ("1Gi", "1024Mi"),
            ("2", "2000m"),
            ("1k", "1000"),
            ("1536Mi", "1.5Gi"),
            ("1k", "1e3"),
            ("1k", "1E3"),
            ("1m", "100u"),
            ("1m", "1n"),
            ("124m", "0.1234567"),
            ("1000P", "1E"),
            ("1Ei", "1024Pi"),
        ] {
            for field in ["cpu", "memory", "storage", "ephemeral-storage", "hugepages-2Mi", "example.com/device"] {
                for list in ["limits", "requests"] {
                    let object = |amount: &str| json!({"spec": {"resources": {list: {field: amount}}}});
                    assert!(has_all(&object(live), &object(desired)), "{list} {field} {live} {desired}");
                }
            }
        }
        let volume = |size: &str| json!({"emptyDir": {"sizeLimit": size}});
        assert!(has_all(&volume("1Gi"), &volume("1024Mi")));
        assert!(!has_all(&volume("1m"), &volume("100u")), "this is no amount of a resource");
        let limits = |amount: &str| json!({"limits": {"cpu": amount}});
        assert!(!has_all(&limits("1"), &limits("1m")));
        assert!(!has_all(&limits("x"), &limits("y")));
        let name = |name: &str| json!({"metadata": {"labels": {"version": name}}});
        assert!(!has_all(&name("1000m"), &name("1")), "a text that only looks like a quantity");
    }

    #[test]
    fn the_shape_of_an_object_has_its_fields_and_no_values() {
        let a = json!({"data": {"ca.key": "one"}, "x": [1, 2]});
        assert_eq!(shape(&a), shape(&json!({"data": {"ca.key": "two"}, "x": [3, 4], "y": null})));
        assert_ne!(shape(&a), shape(&json!({"data": {"ca.key": "one"}, "x": [1]})));
        assert_ne!(shape(&a), shape(&json!({"data": {"ca.key": "one", "ca.pem": ""}, "x": [1, 2]})));
    }
}
