//! The content of a record as a keyed hash, computed where the record is read: by this an owner's ledger knows records again.
//!
//! A hash is made of the values of all columns that the dataset declares, each under the column's name. So it does not depend on
//! what a query reads, on the order of the columns or of the records, or on the file that holds them; NULL adds nothing, so
//! that a new column without values changes no hash. Sums of hashes are compared for years, by other builds than the one that
//! made them: the function is written down here, and no library's.
//!
//! Nobody outside is told a hash or whether two are equal but for rare cases that the key makes unpredictable. So a fast function
//! is enough: 64-bit factors, multiplied to 128 bits and folded, as in wyhash.

use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, UInt64Array};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float64Type, Int32Type, Int64Type, TimeUnit, TimestampMicrosecondType,
};
use datafusion::common::{Result as DfResult, exec_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};

/// Name of the function in plans.
const ROW_HASH: &str = "__row_hash";

/// Returns the name of the hidden column with the hash of the records of a plan's `leaf`-th table. It is NULL only where an outer
/// join found no record.
#[must_use]
pub fn row_column(leaf: usize) -> String {
    format!("__row_{leaf}")
}

/// Secret key of an owner's hashes. It is in the ledger's folder and in memory, and nowhere else.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct RowKey([u64; 4]);

impl fmt::Debug for RowKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RowKey(…)")
    }
}

impl From<[u8; 32]> for RowKey {
    fn from(bytes: [u8; 32]) -> Self {
        // Digits of pi, so that no two words are alike.
        let mut words: [u64; 4] =
            [0x243f_6a88_85a3_08d3, 0x1319_8a2e_0370_7344, 0xa409_3822_299f_31d0, 0x082e_fa98_ec4e_6c89];
        for (word, bytes) in words.iter_mut().zip(bytes.chunks_exact(8)) {
            *word ^= bytes.iter().fold(0, |word, byte| word << 8 | u64::from(*byte));
        }
        // A factor of 0 would lose what it is multiplied with.
        Self(words.map(|word| word | 1))
    }
}

impl RowKey {
    /// Returns the hash of a text.
    #[must_use]
    pub fn text(&self, text: &str) -> u64 {
        self.bytes(text.as_bytes(), self.0[0])
    }

    /// Returns another hash of it, which is independent of the first.
    #[must_use]
    pub fn text_again(&self, text: &str) -> u64 {
        self.bytes(text.as_bytes(), self.0[1])
    }

    /// Returns the bucket of a unit's hash, of 128.
    #[must_use]
    pub fn bucket(&self, unit: u32) -> usize {
        (fold(u64::from(unit) ^ self.0[2], self.0[3]) >> 57) as usize
    }

    fn bytes(&self, bytes: &[u8], seed: u64) -> u64 {
        let mut hash = seed;
        for chunk in bytes.chunks(8) {
            let word = chunk.iter().fold(0, |word, byte| word << 8 | u64::from(*byte));
            hash = fold(hash ^ word, self.0[2]);
        }
        fold(hash ^ bytes.len() as u64, self.0[3])
    }

    fn word(&self, word: u64, seed: u64) -> u64 {
        fold(fold(word ^ seed, self.0[2]) ^ self.0[1], self.0[3])
    }
}

/// Multiplies two numbers and folds the upper half of the product onto the lower one.
#[expect(clippy::cast_possible_truncation, reason = "the halves of the product")]
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    (product as u64) ^ ((product >> 64) as u64)
}

/// `row_hash(columns …)`: never NULL.
#[derive(Debug, PartialEq, Eq, Hash)]
struct RowHash {
    key: RowKey,
    names: Vec<String>,
    signature: Signature,
}

/// Returns the function that hashes the values of columns of these names, in their order.
#[must_use]
pub fn row_hash(key: RowKey, names: Vec<String>) -> ScalarUDF {
    ScalarUDF::from(RowHash { key, names, signature: Signature::variadic_any(Volatility::Immutable) })
}

impl ScalarUDFImpl for RowHash {
    fn name(&self) -> &'static str {
        ROW_HASH
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> DfResult<DataType> {
        Ok(DataType::UInt64)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> DfResult<ColumnarValue> {
        let mut hashes = vec![0_u64; args.number_rows];
        for (name, value) in self.names.iter().zip(&args.args) {
            add(&self.key, &value.to_array(args.number_rows)?, self.key.text(name), &mut hashes)?;
        }
        for hash in &mut hashes {
            *hash = self.key.word(*hash, self.key.0[0]);
        }
        Ok(ColumnarValue::Array(Arc::new(UInt64Array::from(hashes))))
    }
}

/// Adds the hashes of a column's values to those of their rows.
fn add(key: &RowKey, column: &ArrayRef, seed: u64, hashes: &mut [u64]) -> DfResult<()> {
    let nulls = column.logical_nulls();
    let mut put = |row: usize, hash: u64| {
        if nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row)) {
            hashes[row] = hashes[row].wrapping_add(hash);
        }
    };
    macro_rules! words {
        ($type:ty, $word:expr) => {
            for (row, value) in column.as_primitive::<$type>().values().iter().enumerate() {
                put(row, key.word($word(*value), seed));
            }
        };
    }
    match column.data_type() {
        DataType::Boolean => {
            let values = column.as_boolean();
            (0..values.len()).for_each(|row| put(row, key.word(u64::from(values.value(row)), seed)));
        }
        DataType::Int32 => words!(Int32Type, |value| i64::from(value).cast_unsigned()),
        DataType::Int64 => words!(Int64Type, i64::cast_unsigned),
        DataType::Date32 => words!(Date32Type, |value| i64::from(value).cast_unsigned()),
        DataType::Timestamp(TimeUnit::Microsecond, _) => words!(TimestampMicrosecondType, i64::cast_unsigned),
        DataType::Float64 => words!(Float64Type, f64::to_bits),
        DataType::Decimal128(..) => {
            for (row, value) in column.as_primitive::<Decimal128Type>().values().iter().enumerate() {
                put(row, key.bytes(&value.to_be_bytes(), seed));
            }
        }
        DataType::Utf8View => {
            let values = column.as_string_view();
            (0..values.len()).for_each(|row| put(row, key.bytes(values.value(row).as_bytes(), seed)));
        }
        DataType::Utf8 => {
            let values = column.as_string::<i32>();
            (0..values.len()).for_each(|row| put(row, key.bytes(values.value(row).as_bytes(), seed)));
        }
        DataType::List(_) => {
            let lists = column.as_list::<i32>();
            let mut items = vec![0; lists.values().len()];
            add(key, lists.values(), seed, &mut items)?;
            for (row, ends) in lists.offsets().windows(2).enumerate() {
                let (start, end) = (ends[0].unsigned_abs() as usize, ends[1].unsigned_abs() as usize);
                let list = items[start..end].iter().fold(seed, |hash, item| key.word(*item, hash));
                put(row, key.word((end - start) as u64, list));
            }
        }
        _ => return exec_err!("a record is hashed by the types that a manifest can declare"),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    use arrow::array::{Decimal128Array, Float64Array, Int64Array, ListArray, StringViewArray};
    use arrow::datatypes::Field;
    use datafusion::config::ConfigOptions;

    fn hash(key: u8, columns: &[(&str, ArrayRef)]) -> Vec<u64> {
        let names = columns.iter().map(|(name, _)| (*name).to_owned()).collect();
        let function = row_hash(RowKey::from([key; 32]), names);
        let rows = columns[0].1.len();
        let args = ScalarFunctionArgs {
            args: columns.iter().map(|(_, column)| ColumnarValue::Array(Arc::clone(column))).collect(),
            arg_fields: columns
                .iter()
                .map(|(name, column)| Arc::new(Field::new(*name, column.data_type().clone(), true)))
                .collect(),
            number_rows: rows,
            return_field: Arc::new(Field::new("hash", DataType::UInt64, false)),
            config_options: Arc::new(ConfigOptions::default()),
        };
        let hashes = function.invoke_with_args(args).unwrap().to_array(rows).unwrap();
        hashes.as_primitive::<arrow::datatypes::UInt64Type>().values().to_vec()
    }

    fn columns() -> Vec<(&'static str, ArrayRef)> {
        let texts = StringViewArray::from(vec![Some("a"), Some("a"), Some("b"), None, Some(""), Some("a\0")]);
        let numbers = Int64Array::from(vec![Some(1), Some(2), Some(1), None, Some(1), Some(1)]);
        let sums = Decimal128Array::from(vec![1, 1, 1, 1, 1, 1]).with_precision_and_scale(30, 2).unwrap();
        let floats = Float64Array::from(vec![0.5; 6]);
        let list = ListArray::from_iter_primitive::<Float64Type, _, _>((0..6).map(|_| Some(vec![Some(0.5), None])));
        vec![
            ("t", Arc::new(texts)),
            ("n", Arc::new(numbers)),
            ("s", Arc::new(sums)),
            ("f", Arc::new(floats)),
            ("l", Arc::new(list)),
        ]
    }

    #[test]
    fn records_of_other_contents_have_other_hashes() {
        let hashes = hash(1, &columns());
        assert_eq!(hashes.iter().collect::<HashSet<_>>().len(), 6, "{hashes:?}");
        assert!(hash(2, &columns()).iter().zip(&hashes).all(|(other, one)| other != one));
    }

    #[test]
    fn a_hash_depends_on_names_and_not_on_their_order_or_on_a_column_without_values() {
        let mut columns = columns();
        let before = hash(1, &columns);
        columns.reverse();
        columns.push(("new", Arc::new(Int64Array::from(vec![None; 6]))));
        assert_eq!(hash(1, &columns), before);
        columns[0].0 = "other";
        assert_ne!(hash(1, &columns), before);
    }

    /// A ledger outlives the build that wrote it.
    #[test]
    fn hashes_are_those_of_earlier_builds() {
        let first = hash(7, &columns())[0];
        assert_eq!(first, WRITTEN);
        let key = RowKey::from([7; 32]);
        assert!(key.text("a") != key.text_again("a") && key.text("a") != key.text("b"));
        let buckets: HashSet<usize> = (0..2000).map(|unit| key.bucket(unit)).collect();
        assert_eq!((buckets.len(), buckets.iter().max()), (128, Some(&127)));
    }

    const WRITTEN: u64 = 0x2f79_cb94_84de_21b3;
}
