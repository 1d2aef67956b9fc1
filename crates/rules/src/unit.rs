//! The privacy unit as the gate sees it: a 32-bit hash, computed where the record is read.
//!
//! A hash is enough, because units are only told apart within one cell, and counted up to k. Two units that share a hash
//! count as one, so that a collision can only keep a cell back, never release one: of cells with exactly k = 10 units,
//! one in 95 million. Half the width halves what the gate carries through a plan and keeps for every group.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, UInt32Array};
use arrow::datatypes::DataType;
use datafusion::common::hash_utils::{RandomState, create_hashes};
use datafusion::common::{Result as DfResult, exec_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};

/// The hash of a record that does not say whose it is. It counts as no unit, and yet not as nobody: behind it stands
/// somebody unknown, who may be one of the others.
pub const NOBODY_KNOWN: u32 = 0;

/// The hidden column with the privacy unit of the `leaf`-th table of a plan: a hash, [`NOBODY_KNOWN`] where the record
/// does not say whose it is, NULL only where an outer join found no record.
#[must_use]
pub fn unit_column(leaf: usize) -> String {
    format!("__unit_{leaf}")
}

/// The name of the function in plans.
pub const UNIT_HASH: &str = "__unit_hash";

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
        UNIT_HASH
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> DfResult<DataType> {
        Ok(DataType::UInt32)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> DfResult<ColumnarValue> {
        let [value] = args.args.as_slice() else { return exec_err!("one argument") };
        let array = value.to_array(args.number_rows)?;
        Ok(ColumnarValue::Array(hash(&array)?))
    }
}

fn hash(values: &ArrayRef) -> DfResult<ArrayRef> {
    let mut wide = vec![0_u64; values.len()];
    create_hashes([values], &RandomState::default(), &mut wide)?;
    // The upper half: joins and partitions are chosen by the lower one.
    let narrow = |hash: &u64| ((hash >> 32) as u32).max(NOBODY_KNOWN + 1);
    let mut hashes: Vec<u32> = wide.iter().map(narrow).collect();
    if let Some(nulls) = values.logical_nulls() {
        for (row, hash) in hashes.iter_mut().enumerate() {
            if nulls.is_null(row) {
                *hash = NOBODY_KNOWN;
            }
        }
    }
    Ok(Arc::new(UInt32Array::from(hashes)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{AsArray, StringViewArray};
    use arrow::datatypes::UInt32Type;

    #[test]
    fn equal_units_hash_alike_and_null_is_nobody_known() {
        let units: ArrayRef = Arc::new(StringViewArray::from(vec![Some("a"), None, Some("b"), Some("a"), Some("")]));
        let hashes = hash(&units).unwrap();
        let hashes = hashes.as_primitive::<UInt32Type>();
        assert_eq!(hashes.null_count(), 0);
        assert_eq!(hashes.value(0), hashes.value(3));
        assert_ne!(hashes.value(0), hashes.value(2));
        assert_eq!(hashes.value(1), NOBODY_KNOWN);
        assert_ne!(hashes.value(4), NOBODY_KNOWN);
    }
}
