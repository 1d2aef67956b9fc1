//! The privacy unit as the gate sees it: a 64-bit hash, computed where the record is read.
//!
//! A hash is enough, because units are only told apart and counted. Two units that share a hash count as one, so that a
//! collision can only keep a cell back, never release one; that any two of 10 million units collide has a chance of about
//! 3 in a million.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, UInt64Array};
use arrow::datatypes::DataType;
use datafusion::common::hash_utils::{RandomState, create_hashes};
use datafusion::common::{Result as DfResult, exec_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};

/// The hash of a record that does not say whose it is. It counts as no unit, and yet not as nobody: behind it stands
/// somebody unknown, who may be one of the others.
pub const NOBODY_KNOWN: u64 = 0;

/// `unit_hash(value)`: never NULL.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct UnitHash {
    signature: Signature,
}

impl Default for UnitHash {
    fn default() -> Self {
        Self { signature: Signature::any(1, Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for UnitHash {
    fn name(&self) -> &'static str {
        "__unit_hash"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> DfResult<DataType> {
        Ok(DataType::UInt64)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> DfResult<ColumnarValue> {
        let [value] = args.args.as_slice() else { return exec_err!("one argument") };
        let array = value.to_array(args.number_rows)?;
        Ok(ColumnarValue::Array(hash(&array)?))
    }
}

fn hash(values: &ArrayRef) -> DfResult<ArrayRef> {
    let mut hashes = vec![NOBODY_KNOWN; values.len()];
    create_hashes([values], &RandomState::default(), &mut hashes)?;
    let nulls = values.logical_nulls();
    for (row, hash) in hashes.iter_mut().enumerate() {
        if nulls.as_ref().is_some_and(|n| n.is_null(row)) {
            *hash = NOBODY_KNOWN;
        } else if *hash == NOBODY_KNOWN {
            *hash = 1;
        }
    }
    Ok(Arc::new(UInt64Array::from(hashes)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{AsArray, StringViewArray};
    use arrow::datatypes::UInt64Type;

    #[test]
    fn equal_units_hash_alike_and_null_is_nobody_known() {
        let units: ArrayRef = Arc::new(StringViewArray::from(vec![Some("a"), None, Some("b"), Some("a"), Some("")]));
        let hashes = hash(&units).unwrap();
        let hashes = hashes.as_primitive::<UInt64Type>();
        assert_eq!(hashes.null_count(), 0);
        assert_eq!(hashes.value(0), hashes.value(3));
        assert_ne!(hashes.value(0), hashes.value(2));
        assert_eq!(hashes.value(1), NOBODY_KNOWN);
        assert_ne!(hashes.value(4), NOBODY_KNOWN);
    }
}
