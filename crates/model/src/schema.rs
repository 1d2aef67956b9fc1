//! Schemas of names and types in a custom resource.
//!
//! A name's syntax is checked twice: by the API server, from the patterns below, and by the name's own constructor. The
//! tests hold the two against each other.

use crate::bundle::{Mark, TimePattern};
use crate::columns::ColumnType;
use crate::names::{Cidr, JurisdictionId, Purpose, ResourceName, SqlName};

/// Gives newtypes over text their schemas, each with a pattern (RE2), the greatest length and a description for `kubectl explain`,
/// and defines a function that parses a text by one of the patterns.
#[macro_export]
macro_rules! text_schemas {
    ($($ty:ident { $pattern:literal, $max:literal, $description:literal })*) => {
        $(impl schemars::JsonSchema for $ty {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($ty).into()
            }
            fn inline_schema() -> bool {
                true
            }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "pattern": $pattern, "maxLength": $max, "description": $description })
            }
        })*

        /// Parses a text as the name whose schema has this pattern; `None` if no name has it.
        ///
        /// # Errors
        /// The rule that the text breaks.
        #[must_use]
        pub fn parse_name(pattern: &str, text: &str) -> Option<Result<(), String>> {
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
    Mark { "^[\\t -/:-@\\[-`{-~]$", 1, "One character of ASCII that is no letter, digit or line end." }
    // No pattern can tell whether all of a date is there; its constructor does.
    TimePattern {
        "^([^%]|%[YymdbHIMSfpzsQ%])+$", 64,
        "A pattern of dates or timestamps after strftime: %d/%m/%Y, %Y-%m-%d %H:%M:%S."
    }
}

#[cfg(test)]
mod tests {
    use schemars::{JsonSchema, SchemaGenerator};

    use crate::bundle::{Mark, TimePattern};
    use crate::columns::ColumnType;
    use crate::names::{Cidr, JurisdictionId, Purpose, ResourceName, SqlName};

    /// The API server and the constructor accept the same texts.
    #[test]
    fn the_patterns_in_the_schemas_take_the_names_that_the_constructors_take() {
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
        check::<Purpose>(&["health-planning", "a", "-a", "a-", "A", "", "a.b", &fits, &long]);
        check::<ResourceName>(&["sz-visits", "a.b", "a..b", ".a", "a.", "a_b", "A", "", "-a", &fits, &long, &dotted]);
        check::<Cidr>(&["203.0.113.0/24", "2001:db8::/32", "::/0", "10.0.0.1", "gba.example/8", "10.0.0.0/", "/8", ""]);
        check::<Mark>(&[",", "\t", " ", "\\", "~", "[", "`", "a", "0", "Z", "", ";;", "\n", "；"]);
        check::<TimePattern>(&["%Y-%m-%d", "%s", "%Y年%m月%d日", "%q", "100%", ""]);
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
