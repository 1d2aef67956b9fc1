//! The names of the federation, parsed once at the boundary.
//!
//! Inside the project nobody compares bare strings: a [`JurisdictionId`] is not a [`SqlName`], a [`Purpose`] is not
//! a table. Each type checks its own syntax when it is made, so that a value which exists is a value which is well formed.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Text that is not a well-formed name, with the rule that it breaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{value:?} is not a valid {what}: {rule}")]
pub struct NameError {
    /// Kind of name that was expected.
    pub what: &'static str,
    /// Rule of the kind's syntax, in words.
    pub rule: &'static str,
    /// Text that was given, up to 80 characters.
    pub value: String,
}

/// Declares a newtype over `String` whose constructor checks a syntax.
macro_rules! name {
    ($(#[$doc:meta])* $ty:ident, $what:literal, $rule:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $ty(String);

        impl $ty {
            /// Returns the name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $ty {
            type Err = NameError;
            fn from_str(value: &str) -> Result<Self, NameError> {
                let check: fn(&str) -> bool = $check;
                if check(value) {
                    Ok(Self(value.to_owned()))
                } else {
                    Err(NameError { what: $what, rule: $rule, value: value.chars().take(80).collect() })
                }
            }
        }

        crate::written_as_text!($ty);

        impl fmt::Display for $ty {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name! {
    /// Identifier of a jurisdiction: `CN-SZ`, `HK`, `MO` (ISO 3166-1 alpha-2, with a subdivision where there is one).
    JurisdictionId, "jurisdiction id",
    "two capital letters, then optionally '-' and one to three capital letters or digits, for example CN-SZ",
    |s| {
        let (country, rest) = s.split_once('-').map_or((s, None), |(c, r)| (c, Some(r)));
        country.len() == 2
            && country.bytes().all(|b| b.is_ascii_uppercase())
            && rest.is_none_or(|r| (1..=3).contains(&r.len()) && r.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit()))
    }
}

name! {
    /// Part of a table's name, or a column's name, in SQL: lower case, so that it never needs quotes.
    SqlName, "SQL name",
    "a lower-case letter, then at most 62 lower-case letters, digits or '_', and not beginning with '__'",
    |s| {
        s.len() <= 63
            && s.starts_with(|c: char| c.is_ascii_lowercase())
            && s.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
    }
}

name! {
    /// Purpose of a query: a short code that agreements and projects list, for example `health-planning`.
    Purpose, "purpose",
    "lower-case letters and digits in words joined by '-', at most 63 characters, for example health-planning",
    |s| is_label(s)
}

name! {
    /// Name of a resource, as Kubernetes spells it (RFC 1123).
    ResourceName, "resource name",
    "lower-case letters and digits in words joined by '-' or '.', at most 253 characters",
    |s| s.len() <= 253 && !s.is_empty() && s.split('.').all(is_label)
}

name! {
    /// Block of addresses in CIDR notation: `203.0.113.0/24`, `2001:db8::/32`.
    Cidr, "CIDR",
    "an address and the length of its prefix in bits, for example 203.0.113.0/24 or 2001:db8::/32",
    |s| s.split_once('/').is_some_and(|(address, length)| {
        let most = match address.parse() {
            Ok(IpAddr::V4(_)) => 32,
            // The API server takes an IPv4 address only as such.
            Ok(IpAddr::V6(address)) if address.to_ipv4_mapped().is_none() => 128,
            _ => return false,
        };
        length.parse::<u8>().is_ok_and(|number| number <= most && number.to_string() == length)
    })
}

impl From<IpAddr> for Cidr {
    /// Returns the block of one address.
    fn from(address: IpAddr) -> Self {
        let address = address.to_canonical();
        Self(format!("{address}/{}", if address.is_ipv4() { 32 } else { 128 }))
    }
}

fn is_label(s: &str) -> bool {
    (1..=63).contains(&s.len())
        && !s.starts_with('-')
        && !s.ends_with('-')
        && s.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

/// Catalog of the common tables in SQL: `gba.<domain>.<table>`.
pub const COMMON_CATALOG: &str = "gba";

/// Catalog, at an owner, of public common tables with the slices of all members.
pub const WHOLE_CATALOG: &str = "whole";

/// First column of every common table: the id of the row's owner.
pub const JURISDICTION_COLUMN: &str = "jurisdiction";

/// Full name of a table in SQL: `shenzhen.health.visits`, or `gba.health.visits` for a common table.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TableRef {
    /// Catalog: the jurisdiction's SQL name, or [`COMMON_CATALOG`].
    pub catalog: SqlName,
    /// Domain: `health`, `transport`.
    pub domain: SqlName,
    /// Name of the table in its domain.
    pub table: SqlName,
}

impl TableRef {
    /// Returns the name made of these parts.
    #[must_use]
    pub fn new(catalog: SqlName, domain: SqlName, table: SqlName) -> Self {
        Self { catalog, domain, table }
    }

    /// Returns true if this names a common table, the union of several jurisdictions' slices.
    #[must_use]
    pub fn is_common(&self) -> bool {
        self.catalog.as_str() == COMMON_CATALOG
    }
}

impl fmt::Display for TableRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.catalog, self.domain, self.table)
    }
}

impl FromStr for TableRef {
    type Err = NameError;
    fn from_str(value: &str) -> Result<Self, NameError> {
        let parts: Vec<&str> = value.split('.').collect();
        let [catalog, domain, table] = parts[..] else {
            return Err(NameError {
                what: "table name",
                rule: "three parts joined by '.', for example gba.health.visits",
                value: value.chars().take(80).collect(),
            });
        };
        Ok(Self::new(catalog.parse()?, domain.parse()?, table.parse()?))
    }
}

crate::written_as_text!(TableRef);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn well_formed_names_are_taken_and_others_explained() {
        for good in ["CN-SZ", "HK", "MO", "CN-44"] {
            assert!(good.parse::<JurisdictionId>().is_ok(), "{good}");
        }
        for bad in ["", "hk", "CN-", "CN-SZ-1", "CHN", "CN SZ", "CN-ABCD"] {
            assert!(bad.parse::<JurisdictionId>().is_err(), "{bad}");
        }
        assert!("visits_2019".parse::<SqlName>().is_ok());
        for bad in ["__unit", "Visits", "1st", "a-b", "", "就诊"] {
            assert!(bad.parse::<SqlName>().is_err(), "{bad}");
        }
        let error = "gba.visits".parse::<TableRef>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "\"gba.visits\" is not a valid table name: three parts joined by '.', for example gba.health.visits"
        );
        assert!("gba.health.visits".parse::<TableRef>().unwrap().is_common());
    }
}
