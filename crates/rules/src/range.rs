//! Treatment of values outside the range of their type.

use arrow::datatypes::DataType;
use datafusion::common::DataFusionError;
use wanqu_model::refusal::{Code, Refusal};

/// Treatment of a result that does not fit into its type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Overflow {
    /// A refusal in words, over public data.
    Fails,
    /// NULL, behind the gate, where nothing may fail on a value.
    IsNull,
}

/// Returns the name of a type in SQL, or the engine's where SQL has another for it.
pub(crate) fn type_name(data_type: &DataType) -> String {
    match data_type {
        DataType::Int8 => "TINYINT".to_owned(),
        DataType::Int16 => "SMALLINT".to_owned(),
        DataType::Int32 => "INTEGER".to_owned(),
        DataType::Int64 => "BIGINT".to_owned(),
        DataType::UInt64 => "BIGINT UNSIGNED".to_owned(),
        DataType::Decimal128(digits, scale) | DataType::Decimal256(digits, scale) => {
            format!("DECIMAL({digits}, {scale})")
        }
        DataType::Date32 => "DATE".to_owned(),
        DataType::Timestamp(_, None) => "TIMESTAMP".to_owned(),
        other => other.to_string(),
    }
}

/// Makes the refusal of a result that does not fit into its type. `what` is the expression as SQL has it.
pub(crate) fn out_of_range(what: &str, data_type: &DataType) -> DataFusionError {
    let name = type_name(data_type);
    let refusal = Refusal::new(Code::InvalidSql, format!("{what} is out of range: it does not fit into {name}"))
        .with_rule("a result must fit into its type; over non-public data one that does not is NULL")
        .with_subject(what)
        .with_remedy("CAST what is computed with to DOUBLE, or to DECIMAL(38, 0) if it is an integer");
    DataFusionError::External(Box::new(refusal))
}
