//! Reading of a file from its beginning to its end, to find what in it cannot be decoded. It is done once a scan has failed:
//! all else of a file is known from its footer.

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};

use arrow::datatypes::Schema;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ParquetRecordBatchReaderBuilder};

use super::footer::{BATCH, Problem, as_the_engine_reads};
use crate::sources::SourceFault;

/// Reads every declared column of every row group. Blocks on the disk.
///
/// # Errors
/// The first that cannot be decoded, with its row group and column for the owner's log.
pub fn examine(input: &File, declared: &Schema) -> Result<(), Problem> {
    let damaged = |reason: String| Problem { fault: SourceFault::Damaged, reason };
    let metadata = as_the_engine_reads(input).map_err(|error| damaged(format!("its footer: {error}")))?;
    for group in 0..metadata.metadata().num_row_groups() {
        for field in declared.fields() {
            let Ok(root) = metadata.schema().index_of(field.name()) else { continue };
            // A decoder trusts what pages say of themselves, and some lies make it panic.
            let read = catch_unwind(AssertUnwindSafe(|| read(input, &metadata, group, root)));
            let reason = match read {
                Ok(Ok(())) => continue,
                Ok(Err(error)) => error.to_string(),
                Err(_) => "its reader panicked".to_owned(),
            };
            return Err(damaged(format!("row group {} column {:?}: {reason}", group + 1, field.name())));
        }
    }
    Ok(())
}

/// Decodes one column of a row group, counted from 0.
fn read(input: &File, metadata: &ArrowReaderMetadata, group: usize, root: usize) -> parquet::errors::Result<()> {
    let mask = ProjectionMask::roots(metadata.parquet_schema(), [root]);
    let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(input.try_clone()?, metadata.clone())
        .with_row_groups(vec![group])
        .with_projection(mask)
        .with_batch_size(BATCH)
        .build()?;
    let mut rows = 0_i64;
    for batch in reader {
        rows += i64::try_from(batch?.num_rows()).unwrap_or(i64::MAX);
    }
    let declared = metadata.metadata().row_group(group).num_rows();
    if rows == declared {
        return Ok(());
    }
    Err(parquet::errors::ParquetError::General(format!("it has {rows} records, and {declared} by the footer")))
}
