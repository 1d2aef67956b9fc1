//! A value that holds only if somebody released: none of nobody's rows is no number.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};

use super::ReleaseTable;

/// Returns a function without arguments that gives `value` if any part of the table was released, and NULL if none was.
#[must_use]
pub fn if_released(table: &Arc<ReleaseTable>, value: ScalarValue) -> Arc<ScalarUDF> {
    let signature = Signature::nullary(Volatility::Stable);
    Arc::new(ScalarUDF::from(IfReleased { table: Arc::clone(table), value, signature }))
}

#[derive(Debug)]
struct IfReleased {
    table: Arc<ReleaseTable>,
    value: ScalarValue,
    signature: Signature,
}

impl PartialEq for IfReleased {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.table, &other.table) && self.value == other.value
    }
}

impl Eq for IfReleased {}

impl Hash for IfReleased {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.table).hash(state);
        self.value.hash(state);
    }
}

impl ScalarUDFImpl for IfReleased {
    fn name(&self) -> &'static str {
        "if_released"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.value.data_type())
    }

    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let value =
            if self.table.was_released() { self.value.clone() } else { ScalarValue::try_from(self.value.data_type())? };
        Ok(ColumnarValue::Scalar(value))
    }
}
