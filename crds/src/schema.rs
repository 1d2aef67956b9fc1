//! Schemas of this crate's names and types in custom resources.
//!
//! A name's syntax is checked twice: by the API server, from the patterns below, and by the name's own constructor. The
//! tests hold the two against each other.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::columns::ColumnType;
use crate::kinds::LocalTable;
use crate::names::{Cidr, JurisdictionId, Purpose, ResourceName, SqlName};

/// Gives newtypes over text their schemas: a pattern (RE2), the greatest length, and words for `kubectl explain`.
macro_rules! text_schemas {
    ($($ty:ident { $pattern:literal, $max:literal, $description:literal })*) => {
        $(impl JsonSchema for $ty {
            fn schema_name() -> Cow<'static, str> {
                stringify!($ty).into()
            }
            fn inline_schema() -> bool {
                true
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "pattern": $pattern, "maxLength": $max, "description": $description })
            }
        })*

        /// Parses a text as the name whose schema has this pattern; `None` if no name has it.
        ///
        /// # Errors
        /// The rule that the text breaks.
        pub(crate) fn parse_name(pattern: &str, text: &str) -> Option<Result<(), String>> {
            match pattern {
                $($pattern => Some(text.parse::<$ty>().map(|_| ()).map_err(|error| error.to_string())),)*
                _ => None,
            }
        }
    };
}

text_schemas! {
    JurisdictionId { "^[A-Z]{2}(-[A-Z0-9]{1,3})?$", 6, "A jurisdiction's identifier, for example CN-SZ." }
    SqlName { "^[a-z][a-z0-9_]{0,62}$", 63, "A lower-case SQL name, for example visits_2019." }
    LocalTable {
        "^[a-z][a-z0-9_]{0,62}[.][a-z][a-z0-9_]{0,62}$", 127,
        "A table's name inside its catalog: its domain, a point, and its own name, for example health.visits."
    }
    Purpose {
        "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", 63,
        "A purpose of queries, as a short code, for example health-planning."
    }
    ResourceName {
        "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?([.][a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$", 253,
        "The name of a resource in the same namespace."
    }
    // No pattern can tell a valid block; a rule of the API server checks it.
    Cidr { "^[0-9a-fA-F.:]{2,45}/[0-9]{1,3}$", 49, "A block of addresses in CIDR notation, for example 203.0.113.0/24." }
    ColumnType {
        "^(boolean|int32|int64|float64|string|date|timestamp|decimal[(][0-9]{1,2}, *[0-9]{1,2}[)]|list[(](boolean|int32|int64|float64|string|date|timestamp|decimal[(][0-9]{1,2}, *[0-9]{1,2}[)])[)])$",
        64,
        "A column's type: boolean, int32, int64, float64, decimal(P,S), string, date, timestamp or list(TYPE)."
    }
}

/// Returns the schema of a point in time, RFC 3339.
pub(crate) fn date_time(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "format": "date-time" })
}

/// Returns the schema of a status's conditions (`metav1.Condition`): a map by type, so that two writers do not collide.
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
                    "description": "Type of the condition: Ready, or something more specific.",
                },
                "status": { "type": "string", "enum": ["True", "False", "Unknown"], "description": "Status of the condition." },
                "observedGeneration": {
                    "type": "integer", "format": "int64", "minimum": 0,
                    "description": "Generation of the spec that the condition describes.",
                },
                "lastTransitionTime": {
                    "type": "string", "format": "date-time", "description": "Time at which the status last changed.",
                },
                "reason": {
                    "type": "string", "minLength": 1, "maxLength": 1024,
                    "pattern": "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$",
                    "description": "Reason for the status, as one word for programs.",
                },
                "message": { "type": "string", "maxLength": 32768, "description": "Reason for the status, for people, with the remedy if there is one." },
            },
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The API server and the constructor accept the same texts.
    #[test]
    fn patterns_and_constructors_agree() {
        fn check<T: JsonSchema + std::str::FromStr>(texts: &[&str]) {
            let schema = T::json_schema(&mut SchemaGenerator::default());
            let pattern = schema.get("pattern").and_then(|p| p.as_str()).expect("a name has a pattern");
            let most =
                schema.get("maxLength").and_then(serde_json::Value::as_u64).expect("a name has a greatest length");
            let regex = regex::Regex::new(pattern).expect("a pattern is a regular expression");
            let mut taken = 0;
            for text in texts {
                let by_schema = regex.is_match(text) && text.chars().count() as u64 <= most;
                assert_eq!(by_schema, text.parse::<T>().is_ok(), "{} {text:?}", T::schema_name());
                taken += usize::from(by_schema);
            }
            assert!((1..texts.len()).contains(&taken), "{}: both ways", T::schema_name());
        }
        let long = "a".repeat(64);
        let fits = "a".repeat(63);
        let dotted = [fits.as_str(); 4].join(".");
        check::<JurisdictionId>(&["CN-SZ", "HK", "CN-44", "hk", "CN-", "CN-ABCD", "CHN", "", "HK "]);
        check::<SqlName>(&["visits_2019", "a", "__unit", "_a", "1a", "A", "a-b", "", &fits, &long]);
        check::<LocalTable>(&["health.visits", "health", "a.b.c", ".b", "a.", "Health.visits", "health.1", &long]);
        check::<Purpose>(&["health-planning", "a", "-a", "a-", "A", "", "a.b", &fits, &long]);
        check::<ResourceName>(&["sz-visits", "a.b", "a..b", ".a", "a.", "a_b", "A", "", "-a", &fits, &long, &dotted]);
        check::<Cidr>(&["203.0.113.0/24", "2001:db8::/32", "::/0", "10.0.0.1", "gba.example/8", "10.0.0.0/", "/8", ""]);
        check::<ColumnType>(&[
            "boolean",
            "int64",
            "decimal(12,2)",
            "decimal(12, 2)",
            "list(float64)",
            "list(decimal(4,1))",
            "int",
            "Int64",
            "list(list(int32))",
            "decimal(12)",
            "decimal()",
            "list()",
            "string ",
            "",
        ]);
    }
}
