//! Objects that this operator may not be able to read.
//!
//! The API server checks objects against the schema of the definition that is installed. Where that is another version's,
//! or was edited, an object can pass it and still not be what this operator expects. Such an object must not stop the
//! watch of its kind: it gets a condition that names the field at fault, and the fields beside that one are read, so that
//! its node's certificates are renewed and its finalizer is removed.

use std::borrow::Cow;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use kube::core::PartialObjectMeta;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_path_to_error::{Path, Segment};

/// The most fields that are left out before an object counts as unreadable as a whole.
const MOST_LEFT_OUT: usize = 64;

/// An object, or what is known of one that cannot be read.
#[derive(Debug, Clone, PartialEq)]
pub struct Guarded<K>(pub Result<K, Box<Malformed<K>>>);

/// An object that cannot be read.
#[derive(Debug, Clone, PartialEq)]
pub struct Malformed<K> {
    /// Its metadata.
    pub metadata: ObjectMeta,
    /// The first field at fault: `spec.columns[3].class`.
    pub path: String,
    /// The problem with that field.
    pub problem: String,
    /// The object without the fields at fault, if it can be read then.
    rest: Option<Rest<K>>,
}

/// The part of an object that could be read.
#[derive(Debug, Clone, PartialEq)]
struct Rest<K> {
    object: K,
    /// The fields that were left out: `spec.columns[3]`.
    left_out: Vec<String>,
}

impl<K> Guarded<K> {
    /// Returns the object, if it can be read as a whole.
    pub fn read(&self) -> Option<&K> {
        self.0.as_ref().ok()
    }

    /// Returns the object, or as much as can be read of it, if nothing in the fields `needed` had to be left out. Nothing
    /// new may be made of what this returns.
    pub fn read_fields(&self, needed: &[&str]) -> Option<&K> {
        match &self.0 {
            Ok(object) => Some(object),
            Err(malformed) => {
                let rest = malformed.rest.as_ref()?;
                let lost = |field: &&str| rest.left_out.iter().any(|out| overlap(out, field));
                (!needed.iter().any(lost)).then_some(&rest.object)
            }
        }
    }
}

/// Returns true if one of the fields is the other, or lies in it.
fn overlap(one: &str, other: &str) -> bool {
    let (short, long) = if one.len() < other.len() { (one, other) } else { (other, one) };
    long.strip_prefix(short).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

impl<'de, K: Resource + DeserializeOwned> Deserialize<'de> for Guarded<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        serde_path_to_error::deserialize(&value).map(|object| Self(Ok(object))).or_else(|error| {
            let metadata = PartialObjectMeta::<K>::deserialize(&value).map_err(serde::de::Error::custom)?.metadata;
            let (path, problem) = (error.path().to_string(), error.into_inner().to_string());
            // The path of the object as a whole is a point.
            let path = if path == "." { String::new() } else { path };
            Ok(Self(Err(Box::new(Malformed { metadata, path, problem, rest: rest(value) }))))
        })
    }
}

/// Reads an object without its fields at fault; returns none if one of them is the whole spec, or there are too many.
fn rest<K: DeserializeOwned>(mut value: Value) -> Option<Rest<K>> {
    let mut left_out = Vec::new();
    while left_out.len() <= MOST_LEFT_OUT {
        match serde_path_to_error::deserialize(&value) {
            Ok(object) => return Some(Rest { object, left_out }),
            Err(error) => left_out.push(leave_out(&mut value, error.path())?),
        }
    }
    None
}

/// Removes the field at `path` and returns its path; the next larger one where there is none such.
fn leave_out(value: &mut Value, path: &Path) -> Option<String> {
    let known = path.iter().take_while(|segment| matches!(segment, Segment::Map { .. } | Segment::Seq { .. }));
    let segments: Vec<&Segment> = known.collect();
    // Metadata, spec and status themselves are not left out.
    (2..=segments.len()).rev().find_map(|length| remove(value, &segments[..length]))
}

fn remove(value: &mut Value, path: &[&Segment]) -> Option<String> {
    let (last, parents) = path.split_last()?;
    let mut at = value;
    let mut text = String::new();
    for segment in parents {
        at = match segment {
            Segment::Map { key } => at.get_mut(key)?,
            Segment::Seq { index } => at.get_mut(index)?,
            _ => return None,
        };
        push(&mut text, segment);
    }
    match (at, last) {
        (Value::Object(fields), Segment::Map { key }) => drop(fields.remove(key)?),
        (Value::Array(items), Segment::Seq { index }) if *index < items.len() => drop(items.remove(*index)),
        _ => return None,
    }
    push(&mut text, last);
    Some(text)
}

fn push(text: &mut String, segment: &Segment) {
    match segment {
        Segment::Seq { index } => text.push_str(&format!("[{index}]")),
        _ if text.is_empty() => text.push_str(&segment.to_string()),
        _ => text.push_str(&format!(".{segment}")),
    }
}

impl<K: Resource> Resource for Guarded<K> {
    type DynamicType = K::DynamicType;
    type Scope = K::Scope;

    fn kind(dt: &Self::DynamicType) -> Cow<'_, str> {
        K::kind(dt)
    }

    fn group(dt: &Self::DynamicType) -> Cow<'_, str> {
        K::group(dt)
    }

    fn version(dt: &Self::DynamicType) -> Cow<'_, str> {
        K::version(dt)
    }

    fn plural(dt: &Self::DynamicType) -> Cow<'_, str> {
        K::plural(dt)
    }

    fn meta(&self) -> &ObjectMeta {
        self.0.as_ref().map_or_else(|malformed| &malformed.metadata, K::meta)
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        self.0.as_mut().map_or_else(|malformed| &mut malformed.metadata, K::meta_mut)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use wanqu_crds::kinds::{Federation, Jurisdiction};

    use super::*;

    #[test]
    fn an_object_that_cannot_be_read_keeps_its_name_and_says_which_field_is_at_fault() {
        let object = json!({
            "apiVersion": "wanqu.dev/v1alpha1", "kind": "Jurisdiction",
            "metadata": {"name": "hongkong", "namespace": "gba", "generation": 3},
            "spec": {"id": "HK", "sqlName": "hongkong", "issuers": [{"issuer": "kubernetes", "audience": 7}]},
        });
        let guarded: Guarded<Jurisdiction> = serde_json::from_value(object).unwrap();
        let malformed = guarded.0.as_ref().unwrap_err();
        assert_eq!(malformed.path, "spec.issuers[0].audience");
        assert_eq!(malformed.problem, "invalid type: integer `7`, expected a string");
        assert_eq!(guarded.meta().name.as_deref(), Some("hongkong"));
        assert_eq!(guarded.meta().generation, Some(3));
    }

    fn jurisdiction(spec: &Value) -> Guarded<Jurisdiction> {
        let mut object = json!({
            "apiVersion": "wanqu.dev/v1alpha1", "kind": "Jurisdiction",
            "metadata": {"name": "hongkong", "namespace": "gba", "finalizers": ["wanqu.dev/placed-elsewhere"]},
            "spec": {"id": "HK", "sqlName": "hongkong", "placement": {"namespace": "hk"}},
        });
        for (field, value) in spec.as_object().unwrap() {
            object["spec"][field] = value.clone();
        }
        serde_json::from_value(object).unwrap()
    }

    #[test]
    fn fields_that_cannot_be_read_are_left_out_and_the_rest_of_the_object_is_read() {
        let needed = ["spec.id", "spec.placement", "spec.authoritySecret"];
        for newer in [
            json!({"replicas": {"zones": 3}}),
            json!({"issuers": [{"issuer": "kubernetes", "audience": ["a", "b"]}, {"issuer": "other", "audience": "c"}]}),
            json!({"exchange": {"serviceType": "Mesh"}, "replicas": "many", "storage": {"size": 7, "className": []}}),
        ] {
            let guarded = jurisdiction(&newer);
            assert_eq!(guarded.read(), None, "{newer}");
            let rest = guarded.read_fields(&needed).unwrap_or_else(|| panic!("{newer}"));
            assert_eq!((rest.spec.id.as_str(), rest.spec.placement.namespace.as_deref()), ("HK", Some("hk")));
        }
    }

    #[test]
    fn a_field_that_is_needed_is_not_left_out() {
        for (newer, needed, readable) in [
            (json!({"placement": {"namespace": 7}}), "spec.placement", false),
            (json!({"placement": {"namespace": 7}}), "spec.id", true),
            (json!({"placement": 7}), "spec.placement.namespace", false),
            (json!({"authoritySecret": "mine"}), "spec.authoritySecret", false),
            (json!({"id": 7}), "spec.sqlName", false),
            (json!({"id": null}), "spec.id", false),
        ] {
            assert_eq!(jurisdiction(&newer).read_fields(&[needed]).is_some(), readable, "{newer} {needed}");
        }
        assert!(overlap("spec.a", "spec.a") && overlap("spec.a[1]", "spec.a") && !overlap("spec.a", "spec.ab"));
    }

    #[test]
    fn an_object_in_order_is_itself() {
        let object = json!({
            "apiVersion": "wanqu.dev/v1alpha1", "kind": "Federation", "metadata": {"name": "gba"},
            "spec": {"trustDomain": "gba.example", "members": ["HK"]},
        });
        let guarded: Guarded<Federation> = serde_json::from_value(object).unwrap();
        assert_eq!(guarded.read().unwrap().spec.trust_domain, "gba.example");
    }
}
