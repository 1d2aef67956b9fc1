//! An object as the API server holds it, which may be one that this operator cannot read.
//!
//! The server checks objects against the schema of the definition that is installed. Where that is another version's,
//! or was edited, an object can pass it and still not be what this operator expects. Such an object must not stop the
//! watch of its kind: it is kept as what could be read of it, and gets a condition that names the field.

use std::borrow::Cow;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use kube::core::PartialObjectMeta;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};

/// An object, or what is known of one that cannot be read.
#[derive(Debug, Clone, PartialEq)]
pub struct Guarded<K>(pub Result<K, Box<Malformed>>);

/// An object that cannot be read.
#[derive(Debug, Clone, PartialEq)]
pub struct Malformed {
    /// What could be read of it.
    pub metadata: ObjectMeta,
    /// The field at fault: `spec.columns[3].class`.
    pub path: String,
    /// What is wrong with it.
    pub problem: String,
}

impl<K> Guarded<K> {
    /// The object, if it can be read.
    pub fn read(&self) -> Option<&K> {
        self.0.as_ref().ok()
    }
}

impl<'de, K: Resource + DeserializeOwned> Deserialize<'de> for Guarded<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = serde_json::Value::deserialize(deserializer)?;
        serde_path_to_error::deserialize(&value).map(|object| Self(Ok(object))).or_else(|error| {
            let metadata = PartialObjectMeta::<K>::deserialize(&value).map_err(serde::de::Error::custom)?.metadata;
            let (path, problem) = (error.path().to_string(), error.into_inner().to_string());
            // The path of the object as a whole is a point.
            let path = if path == "." { String::new() } else { path };
            Ok(Self(Err(Box::new(Malformed { metadata, path, problem }))))
        })
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
