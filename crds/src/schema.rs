//! Schemas that several kinds share: names of tables, points in time, conditions.

use schemars::{Schema, SchemaGenerator, json_schema};
use wanqu_model::schema as names;

mod own {
    use crate::kinds::LocalTable;

    wanqu_model::text_schemas! {
        LocalTable {
            "^[a-z][a-z0-9_]{0,62}[.][a-z][a-z0-9_]{0,62}$", 127,
            "A table's name inside its catalog: its domain, a point, and its own name, for example health.visits."
        }
    }
}

/// Reads a text as the name whose schema has this pattern, and says what is wrong with it; `None` if no name has it.
pub(crate) fn parse_name(pattern: &str, text: &str) -> Option<Result<(), String>> {
    own::parse_name(pattern, text).or_else(|| names::parse_name(pattern, text))
}

/// A point in time, RFC 3339.
pub(crate) fn date_time(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "format": "date-time" })
}

/// The conditions of a status, as `metav1.Condition` has them; a map by type, so that two writers do not collide.
pub(crate) fn conditions(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["type"],
        "items": {
            "type": "object",
            "required": ["type", "status", "lastTransitionTime", "reason", "message"],
            "properties": {
                "type": {
                    "type": "string", "maxLength": 316,
                    "description": "What is true or not: Ready, or something more specific.",
                },
                "status": { "type": "string", "enum": ["True", "False", "Unknown"], "description": "Whether it is." },
                "observedGeneration": {
                    "type": "integer", "format": "int64", "minimum": 0,
                    "description": "The generation of the spec that this was said of.",
                },
                "lastTransitionTime": {
                    "type": "string", "format": "date-time", "description": "When the status last changed.",
                },
                "reason": {
                    "type": "string", "minLength": 1, "maxLength": 1024,
                    "pattern": "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$",
                    "description": "Why, as one word for programs.",
                },
                "message": { "type": "string", "maxLength": 32768, "description": "Why, for people." },
            },
        },
    })
}

#[cfg(test)]
mod tests {
    use schemars::JsonSchema;

    use super::*;
    use crate::kinds::LocalTable;

    /// What the API server takes, the constructor takes; what it does not, neither does.
    #[test]
    fn the_pattern_of_a_local_table_and_its_constructor_agree() {
        let schema = LocalTable::json_schema(&mut SchemaGenerator::default());
        let pattern = schema.get("pattern").and_then(|p| p.as_str()).expect("a name has a pattern");
        let regex = regex::Regex::new(pattern).expect("a pattern is a regular expression");
        for (text, taken) in [
            ("health.visits", true),
            ("health", false),
            ("a.b.c", false),
            (".b", false),
            ("a.", false),
            ("Health.visits", false),
            ("health.1", false),
            (&"a".repeat(64), false),
        ] {
            assert_eq!((regex.is_match(text), text.parse::<LocalTable>().is_ok()), (taken, taken), "{text:?}");
        }
    }
}
