//! Classes and types of columns, which a manifest declares for every column.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Class of a column: what a query may do with its values. Ordered from least to most strict; an undeclared column is sealed.
///
/// | class | leaves as a row | filter | group key | inside an aggregate |
/// |---|---|---|---|---|
/// | public | yes | yes | yes | counted |
/// | dimension | no | yes | yes | counted |
/// | measure | no | no | no | yes |
/// | identifier | never | only joined with another identifier | no | counting distinct units |
/// | sealed | never | no | no | no; no fragment reads it |
///
/// Where a cell needs one unit only, there is nobody to protect: there measures may filter, and dimensions and public columns be
/// added up.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub enum ColumnClass {
    /// Values may leave as they are.
    Public,
    /// Describes people in groups: may be filtered by and grouped by.
    Dimension,
    /// Measured on somebody: may be filtered and aggregated.
    Measure,
    /// Identifies somebody: only distinct units are counted.
    Identifier,
    /// Never read by any query.
    #[default]
    Sealed,
}

impl fmt::Display for ColumnClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Public => "public",
            Self::Dimension => "dimension",
            Self::Measure => "measure",
            Self::Identifier => "identifier",
            Self::Sealed => "sealed",
        })
    }
}

/// Type of a column, written in manifests as `int64`, `decimal(12,2)`, `list(float64)`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum ColumnType {
    /// True or false.
    Boolean,
    /// 32-bit signed integer.
    Int32,
    /// 64-bit signed integer.
    Int64,
    /// IEEE 754 binary64.
    Float64,
    /// Exact decimal: digits in all (1 to 38), digits after the point.
    Decimal(u8, i8),
    /// UTF-8 text.
    String,
    /// A calendar day.
    Date,
    /// A point in time without a zone, to the microsecond.
    Timestamp,
    /// A list of values of one type.
    List(Box<ColumnType>),
}

impl fmt::Display for ColumnType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boolean => f.write_str("boolean"),
            Self::Int32 => f.write_str("int32"),
            Self::Int64 => f.write_str("int64"),
            Self::Float64 => f.write_str("float64"),
            Self::Decimal(precision, scale) => write!(f, "decimal({precision},{scale})"),
            Self::String => f.write_str("string"),
            Self::Date => f.write_str("date"),
            Self::Timestamp => f.write_str("timestamp"),
            Self::List(item) => write!(f, "list({item})"),
        }
    }
}

/// Text that names no type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not a column type; use boolean, int32, int64, float64, decimal(P,S), string, date, timestamp or list(TYPE)"
)]
pub struct ColumnTypeError(String);

impl FromStr for ColumnType {
    type Err = ColumnTypeError;
    fn from_str(text: &str) -> Result<Self, ColumnTypeError> {
        let error = || ColumnTypeError(text.chars().take(80).collect());
        Ok(match text {
            "boolean" => Self::Boolean,
            "int32" => Self::Int32,
            "int64" => Self::Int64,
            "float64" => Self::Float64,
            "string" => Self::String,
            "date" => Self::Date,
            "timestamp" => Self::Timestamp,
            _ => {
                let (head, arguments) = text.strip_suffix(')').and_then(|t| t.split_once('(')).ok_or_else(error)?;
                match head {
                    "list" => match arguments.parse()? {
                        Self::List(_) => return Err(error()),
                        item => Self::List(Box::new(item)),
                    },
                    "decimal" => {
                        let (precision, scale) = arguments.split_once(',').ok_or_else(error)?;
                        let precision: u8 = precision.trim().parse().map_err(|_| error())?;
                        let scale: i8 = scale.trim().parse().map_err(|_| error())?;
                        if !(1..=38).contains(&precision) || scale < 0 || scale.unsigned_abs() > precision {
                            return Err(error());
                        }
                        Self::Decimal(precision, scale)
                    }
                    _ => return Err(error()),
                }
            }
        })
    }
}

crate::written_as_text!(ColumnType);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_reads_back_as_it_was_written() {
        for text in
            ["boolean", "int32", "int64", "float64", "decimal(12,2)", "string", "date", "timestamp", "list(float64)"]
        {
            assert_eq!(text.parse::<ColumnType>().unwrap().to_string(), text);
        }
        for bad in ["", "int", "decimal", "decimal(39,2)", "decimal(2,3)", "list(list(int32))", "list()", "Date"] {
            assert!(bad.parse::<ColumnType>().is_err(), "{bad}");
        }
    }

    #[test]
    fn the_strictest_class_is_the_greatest() {
        assert_eq!(ColumnClass::Dimension.max(ColumnClass::Measure), ColumnClass::Measure);
        assert_eq!(ColumnClass::default(), ColumnClass::Sealed);
    }
}
