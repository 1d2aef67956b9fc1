//! The hashes of the units behind something, as `units_reach` writes them: 32-bit words side by side in a binary value.

use arrow::array::{Array, BinaryArray};

/// The hashes of fewer than k units, each once; [`NOBODY_KNOWN`](wanqu_rules::unit::NOBODY_KNOWN) among them where a record
/// does not say whose it is. None at all means that nobody is there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Hashes<'a>(&'a [u8]);

impl<'a> Hashes<'a> {
    /// Reads those of a row; `None` where there are enough units.
    pub fn read(column: &'a BinaryArray, row: usize) -> Option<Self> {
        (!column.is_null(row)).then(|| Self(column.value(row)))
    }

    /// Returns the hashes one by one.
    pub fn iter(self) -> impl Iterator<Item = u32> + Clone + 'a {
        // A value may begin anywhere in its buffer, so it is read byte by byte, as the machine wrote it.
        self.0.chunks_exact(size_of::<u32>()).map(|word| u32::from_ne_bytes([word[0], word[1], word[2], word[3]]))
    }
}
