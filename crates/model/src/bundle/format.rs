//! Version of the bundle's format: how a node tells a bundle that it does not fully understand.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::NodeBundle;

/// The newest version of the format that this build reads and writes.
const FORMAT_VERSION: u32 = 1;

/// The features that this build knows of those that a bundle can require by name.
const FEATURES: [&str; 0] = [];

/// Version of a bundle, and the exceptions to the rule that a node refuses what it does not know.
///
/// This type is the same in every version, so that every node can read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BundleFormat {
    /// Lowest version of the format whose readers understand this bundle.
    pub version: u32,
    /// Features that a reader must know although no field or value of the bundle shows them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requires: Vec<String>,
    /// Paths of fields that only describe, such as `agreements[].contact`: a reader that does not know them ignores them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ignorable: Vec<String>,
}

impl Default for BundleFormat {
    /// Version 1, which every reader understands.
    fn default() -> Self {
        Self { version: 1, requires: Vec::new(), ignorable: Vec::new() }
    }
}

impl BundleFormat {
    /// Returns true for what a bundle without this field says.
    pub(super) fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Returns what this build lacks to understand the bundle; `None` if it lacks nothing.
    pub(super) fn lacking(&self) -> Option<String> {
        if self.version > FORMAT_VERSION {
            return Some(format!("it has format version {}; this node knows up to {FORMAT_VERSION}", self.version));
        }
        let unknown: Vec<&str> =
            self.requires.iter().map(String::as_str).filter(|feature| !FEATURES.contains(feature)).collect();
        (!unknown.is_empty()).then(|| format!("it requires {}, which this node does not know", unknown.join(", ")))
    }

    /// Removes the fields that a reader may ignore. A field that this build knows is none of them, whoever says so: without
    /// it a limit or a term would be gone.
    pub(super) fn strip(&self, bundle: &mut Value) {
        for path in self.ignorable.iter().filter(|path| !is_known(path)) {
            remove(bundle, path);
        }
    }
}

/// Returns true unless the type of a bundle refuses the field at this path as one that it does not know. The type itself is
/// asked: it is given a bundle of that one field, and refuses at the first thing that is wrong with it.
fn is_known(path: &str) -> bool {
    let mut names = path.rsplit('.');
    let name = names.next().unwrap_or_default();
    let alone = |name: &str, value: Value| Value::Object(Map::from_iter([(name.to_owned(), value)]));
    let probe = names.fold(alone(name, Value::Null), |below, name| match name.strip_suffix("[]") {
        Some(list) => alone(list, Value::Array(vec![below])),
        None => alone(name, below),
    });
    let unknown = format!("unknown field `{name}`");
    NodeBundle::deserialize(probe).map_or_else(|error| !error.to_string().starts_with(&unknown), |_| true)
}

/// Removes the field at a path such as `slices[].policy.note`, in every element of the lists on the way.
fn remove(value: &mut Value, path: &str) {
    let (head, rest) = path.split_once('.').map_or((path, None), |(head, rest)| (head, Some(rest)));
    let Some(fields) = value.as_object_mut() else { return };
    match (head.strip_suffix("[]"), rest) {
        (_, None) => drop(fields.remove(head)),
        (None, Some(rest)) => {
            if let Some(below) = fields.get_mut(head) {
                remove(below, rest);
            }
        }
        (Some(list), Some(rest)) => {
            for item in fields.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
                remove(item, rest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_path_removes_its_field_and_nothing_else() {
        let bundle =
            || json!({"note": 1, "limits": {"note": 1, "x": 2}, "slices": [{"note": 1, "policy": {"note": 1}}, 3]});
        let without = |path: &str| {
            let mut bundle = bundle();
            BundleFormat { ignorable: vec![path.to_owned()], ..BundleFormat::default() }.strip(&mut bundle);
            bundle.to_string().matches("note").count()
        };
        for path in ["note", "limits.note", "slices[].note", "slices[].policy.note"] {
            assert_eq!(without(path), 3, "{path}");
        }
        for path in ["", "notes", "limits[].note", "slices.note", "slices[]", "slices[].policy[].note", "note.note"] {
            assert_eq!(without(path), 4, "{path}");
        }
    }

    #[test]
    fn a_field_that_this_build_knows_is_never_ignored() {
        for path in [
            "agreements",
            "limits.releaseRows",
            "agreements[].expires",
            "agreements[].state",
            "projects[].queriesPerDay",
            "projects[].subjects",
            "slices[].policy.minUnits",
            "slices[].columns[].class",
            "slices[].privacyUnit",
            "slices[].approximateRows",
            "slices[].oneRowPerUnit",
            "commonTables[].disjointUnits",
            "commonTables[].colocation[].key",
            "sources[].maxRowsPerUnit",
            "sources[].csv.separator",
            "members[].ca",
            "members[].issuers[].audience",
            "members[].issuers[].maxLifeSeconds",
            "projects[].subjects[].jurisdiction",
            "format.requires",
        ] {
            assert!(is_known(path), "{path}");
        }
        for path in ["note", "limits.note", "slices[].columns[].note", "sources[].csv.note", "members[].issuers[].note"]
        {
            assert!(!is_known(path), "{path}");
        }
    }

    #[test]
    fn a_bundle_format_that_a_node_does_not_know_is_named() {
        assert_eq!(BundleFormat::default().lacking(), None);
        let newer = BundleFormat { version: FORMAT_VERSION + 1, ..BundleFormat::default() };
        assert_eq!(newer.lacking().unwrap(), "it has format version 2; this node knows up to 1");
        let feature = BundleFormat { requires: vec!["noise".to_owned()], ..BundleFormat::default() };
        assert_eq!(feature.lacking().unwrap(), "it requires noise, which this node does not know");
    }
}
