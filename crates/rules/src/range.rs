//! What happens to a value that its type does not hold.

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

/// Makes the refusal of a result that does not fit into its type. `what` is the expression as SQL has it.
pub(crate) fn out_of_range(what: &str, data_type: &DataType) -> DataFusionError {
    let refusal = Refusal::new(Code::InvalidSql, format!("{what} is out of range: it does not fit into {data_type}"))
        .with_rule("a result must fit into its type; over non-public data one that does not is NULL")
        .with_subject(what)
        .with_remedy("CAST what is computed with to DOUBLE, or to DECIMAL(38, 0) if it is an integer");
    DataFusionError::External(Box::new(refusal))
}
