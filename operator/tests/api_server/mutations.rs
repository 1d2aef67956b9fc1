//! The example manifests, changed at random but each time in the same way: whatever comes of a change, it is refused in words
//! or told by a condition, and the operator is there for the next good object.

use std::collections::BTreeSet;
use std::path::Path;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Map, Value, json};

use crate::bed::{Bed, condition};
use crate::corpus::{all_else_goes_on, create, federation};

/// Everything random follows from it.
const SEED: u64 = 20_260_728;
/// The number of objects at once, and of rounds.
const AT_ONCE: usize = 30;
const WAVES: usize = 4;

/// Texts that somebody might have meant, or not.
const TEXTS: [&str; 12] = [
    "",
    " ",
    "深圳",
    "\u{202e}abc",
    "a\nb",
    "../../etc/passwd",
    "'; DROP TABLE x; --",
    "{{ .Values }}",
    "-----BEGIN CERTIFICATE-----",
    "99999999999999999999",
    "null",
    "HK",
];

/// The documents that are changed: every example, and the example of a question.
fn examples() -> Vec<Value> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let mut files: Vec<_> = std::fs::read_dir(root.join("gba")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.push(root.join("kubernetes/query.yaml"));
    files.sort();
    let yaml = files.iter().filter(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    yaml.flat_map(|path| serde_saphyr::from_multiple::<Value>(&std::fs::read_to_string(path).unwrap()).unwrap())
        .collect()
}

/// The pointers to everything below a value.
fn pointers(value: &Value, at: &str, found: &mut Vec<String>) {
    let mut below = |key: &str, value: &Value| {
        let at = format!("{at}/{}", key.replace('~', "~0").replace('/', "~1"));
        found.push(at.clone());
        pointers(value, &at, found);
    };
    match value {
        Value::Object(map) => map.iter().for_each(|(key, value)| below(key, value)),
        Value::Array(values) => values.iter().enumerate().for_each(|(index, value)| below(&index.to_string(), value)),
        _ => {}
    }
}

fn one<'a, T>(random: &mut StdRng, of: &'a [T]) -> &'a T {
    &of[random.random_range(0..of.len())]
}

/// One change of a spec, anywhere in it.
fn change(random: &mut StdRng, spec: &mut Value) {
    let mut found = Vec::new();
    pointers(spec, "", &mut found);
    if found.is_empty() {
        return;
    }
    let (at, from) = (one(random, &found).clone(), one(random, &found).clone());
    let other = spec.pointer(&from).cloned().unwrap_or_default();
    let (parent, key) = at.rsplit_once('/').unwrap();
    let kind = random.random_range(0..9);
    let number = random.random_range(-2_i64..4_000_000_000);
    let text = *one(random, &TEXTS);
    let value = spec.pointer_mut(&at).unwrap();
    match kind {
        0 => match spec.pointer_mut(parent) {
            Some(Value::Object(map)) => drop(map.remove(key)),
            Some(Value::Array(values)) => drop(values.remove(key.parse().unwrap())),
            _ => {}
        },
        1 => *value = json!(number),
        2 => *value = json!(text),
        3 => *value = json!("x".repeat(100_000)),
        4 => *value = json!([value.clone()]),
        5 => *value = json!({"value": value.clone()}),
        6 => *value = other,
        7 => match value {
            Value::Array(values) => values.extend(values.clone()),
            Value::Object(map) => *map = Map::new(),
            Value::String(there) => *there = there.chars().rev().collect(),
            value => *value = json!(!value.as_bool().unwrap_or_default()),
        },
        _ => match spec.pointer_mut(parent) {
            Some(Value::Object(map)) => drop(map.insert(format!("{key}s"), other)),
            Some(Value::Array(values)) => values.push(other),
            _ => {}
        },
    }
}

/// Returns the verdict on an object that was accepted, once there is one: a condition with what is wrong, or that
/// nothing is.
async fn is_judged(bed: &Bed, kind: &str, name: &str, object: &Value) {
    let of = if kind == "FederatedQuery" { "Accepted" } else { "Valid" };
    let judged = bed.until(kind, "gba", name, |object| {
        let condition = condition(object, of)?;
        (condition["observedGeneration"] == object["metadata"]["generation"]).then(|| condition.clone())
    });
    let judged = judged.await;
    let message = judged["message"].as_str().unwrap();
    // An object that waits for another reports that.
    let is_wrong = judged["status"] == "False" && judged["reason"] == "Invalid";
    assert!(!is_wrong || message.contains("; "), "what is wrong has a remedy: {message}\n{object:#}");
}

#[tokio::test]
async fn no_change_of_a_manifest_stops_the_operator() {
    let (bed, _operator) = federation().await;
    let (examples, mut random) = (examples(), StdRng::seed_from_u64(SEED));
    let (mut refused, mut taken, mut kinds) = (0, 0, BTreeSet::new());
    for wave in 0..WAVES {
        let mut there = Vec::new();
        for number in 0..AT_ONCE {
            let mut object = one(&mut random, &examples).clone();
            let (kind, name) = (object["kind"].as_str().unwrap().to_owned(), format!("changed-{wave}-{number}"));
            object["metadata"] = json!({"name": name});
            for _ in 0..random.random_range(1..4) {
                change(&mut random, &mut object["spec"]);
            }
            match create(&bed, &object).await {
                Ok(()) => {
                    kinds.insert(kind.clone());
                    there.push((kind, name, object));
                }
                Err(kube::Error::Api(status)) => {
                    assert!((400..500).contains(&status.code), "{}: {:.500}\n{object:#}", status.code, status.message);
                    assert!(!status.message.is_empty(), "{object:#}");
                    refused += 1;
                }
                Err(error) => panic!("{error}\n{object:#}"),
            }
        }
        for (kind, name, object) in &there {
            is_judged(&bed, kind, name, object).await;
        }
        taken += there.len();
        let names: Vec<(String, String)> = there.iter().map(|(kind, name, _)| (kind.clone(), name.clone())).collect();
        all_else_goes_on(&bed, &format!("mutation-{wave}"), &names).await;
        for (kind, name) in names {
            bed.delete(&kind, "gba", &name).await;
            bed.until_gone(&kind, "gba", &name).await;
        }
        bed.ready("Federation", "gba").await;
    }
    println!(
        "{refused} changes were refused, {taken} were taken, of {}",
        kinds.into_iter().collect::<Vec<_>>().join(", ")
    );
    assert!(refused > WAVES && taken > WAVES, "{refused} refused, {taken} taken");
}
