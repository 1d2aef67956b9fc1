//! Inspection of a file before it is scanned: that it holds the declared columns, and which of its records do not fit
//! them.
//!
//! A record whose value is none of the declared type cannot be read. That is decided here for the whole file, over all
//! declared columns, and not by a scan, which meets a value or not by its projection and filters and by what is pruned.
//! Mostly the types decide it, or the minima and maxima of the row groups; else the columns in doubt are read once.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::fs::File;
use std::sync::Arc;

use arrow::array::{Array, BooleanArray};
use arrow::compute::and;
use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use datafusion::datasource::physical_plan::parquet::ParquetAccessPlan;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::statistics::StatisticsConverter;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder, RowSelection,
};
use parquet::basic::Type as PhysicalType;
use wanqu_model::bundle::BadRecords;

use super::fit::fits;
use crate::sources::SourceFault;
use crate::sources::schema::{Doubt, Fit, check_file_schema};

/// Records that are decoded at once.
pub const BATCH: usize = 8192;

/// Result of inspecting one file.
#[derive(Debug)]
pub struct Inspected {
    /// Number of records that can be read.
    pub rows: usize,
    /// Number of those that cannot, and are left out.
    pub left_out: u64,
    /// First of those.
    pub first_bad: Option<BadRecord>,
    /// Optional columns that are not there.
    pub absent: BTreeSet<String>,
    /// Records to read, where that is not all.
    pub access: Option<ParquetAccessPlan>,
}

/// Record that does not fit the declared columns.
#[derive(Debug)]
pub struct BadRecord {
    /// Column whose value is none of its declared type.
    pub column: String,
    /// Number of the record in its file, from 1.
    pub record: u64,
}

/// Fault of a file, with the reason for the owner's log.
#[derive(Debug)]
pub struct Problem {
    pub fault: SourceFault,
    pub reason: String,
}

impl Problem {
    fn unreadable(reason: impl Display) -> Self {
        Self { fault: SourceFault::Unreadable, reason: reason.to_string() }
    }
}

/// Reads a file's footer, and as much of the file as it takes to know its bad records. Blocks on the disk.
///
/// # Errors
/// The fault for which no record of the file can be read.
pub fn inspect(
    input: &File,
    declared: &Schema,
    optional: &BTreeSet<String>,
    bad_records: BadRecords,
) -> Result<Inspected, Problem> {
    let metadata = as_the_engine_reads(input).map_err(Problem::unreadable)?;
    let checked = check_file_schema(declared, optional, metadata.schema())
        .map_err(|fault| Problem { reason: of_schema(&fault, metadata.schema()), fault })?;
    agrees(&metadata).map_err(|reason| Problem { fault: SourceFault::Damaged, reason })?;
    let (in_seconds, of_int96) = int96(declared, &metadata)?;
    let doubts: Vec<Doubt> = checked.doubts.into_iter().chain(of_int96).collect();
    let groups = metadata.metadata().num_row_groups();
    let rows = metadata.metadata().file_metadata().num_rows();
    let mut inspected = Inspected {
        rows: usize::try_from(rows).unwrap_or(0),
        left_out: 0,
        first_bad: None,
        absent: checked.absent,
        access: None,
    };
    let mut access = ParquetAccessPlan::new_all(groups);
    let mut before = 0_u64;
    for group in 0..groups {
        let left = in_doubt(&metadata, group, &doubts);
        if !left.is_empty() {
            let filters = read_columns(input, &in_seconds, group, &left, before, &mut inspected.first_bad)
                .map_err(Problem::unreadable)?;
            if let (BadRecords::Reject, Some(bad)) = (bad_records, &inspected.first_bad) {
                let reason = format!("record {} does not fit the type of column {:?}", bad.record, bad.column);
                return Err(Problem { fault: SourceFault::BadRecord, reason });
            }
            let bad: u64 = filters.iter().map(|fits| (fits.len() - fits.true_count()) as u64).sum();
            if bad > 0 {
                inspected.left_out += bad;
                let selection = RowSelection::from_filters(&filters);
                if selection.selects_any() { access.scan_selection(group, selection) } else { access.skip(group) }
            }
        }
        before += u64::try_from(metadata.metadata().row_group(group).num_rows()).unwrap_or(0);
    }
    if inspected.left_out > 0 {
        inspected.rows = inspected.rows.saturating_sub(usize::try_from(inspected.left_out).unwrap_or(usize::MAX));
        inspected.access = Some(access);
    }
    Ok(inspected)
}

/// Checks that a footer does not contradict itself: numbers of records are answered from it, and no decoder would notice.
fn agrees(metadata: &ArrowReaderMetadata) -> Result<(), String> {
    let file = metadata.metadata();
    let groups: Option<i64> = file.row_groups().iter().try_fold(0, |sum: i64, group| sum.checked_add(group.num_rows()));
    let whole = file.file_metadata().num_rows();
    if groups != Some(whole) {
        return Err(format!("its footer says {whole} records, and its row groups have another number"));
    }
    for (number, group) in file.row_groups().iter().enumerate() {
        let mut single = group.columns().iter().filter(|column| column.column_descr().max_rep_level() == 0);
        if group.num_rows() < 0 || single.any(|column| column.num_values() != group.num_rows()) {
            return Err(format!("row group {} has columns of different lengths", number + 1));
        }
    }
    Ok(())
}

/// Returns the metadata by which INT96 is read in seconds, which hold whatever it says, and the doubt about each declared column
/// of it: microseconds hold less, and reading them wraps around without a word. Its statistics have no order.
fn int96(declared: &Schema, metadata: &ArrowReaderMetadata) -> Result<(ArrowReaderMetadata, Vec<Doubt>), Problem> {
    let mut doubts = Vec::new();
    for field in declared.fields() {
        let Ok(root) = metadata.schema().index_of(field.name()) else { continue };
        if !is_int96(metadata, root) {
            continue;
        }
        if !matches!(metadata.schema().field(root).data_type(), DataType::Timestamp(..)) {
            let reason = "the file stores INT96 in lists or groups, which is not read".to_owned();
            return Err(Problem { fault: SourceFault::ColumnType(field.name().clone()), reason });
        }
        let (column, declared) = (field.name().clone(), field.data_type().clone());
        doubts.push(Doubt { column, declared, fit: Fit::ByValue });
    }
    let in_seconds = with_int96(metadata.clone(), TimeUnit::Second).map_err(Problem::unreadable)?;
    Ok((in_seconds, doubts))
}

fn is_int96(metadata: &ArrowReaderMetadata, root: usize) -> bool {
    let columns = metadata.parquet_schema();
    (0..columns.num_columns()).any(|leaf| {
        columns.get_column_root_idx(leaf) == root && columns.column(leaf).physical_type() == PhysicalType::INT96
    })
}

/// Returns the file's metadata with the schema that the scan reads it by: INT96 as microseconds.
pub fn as_the_engine_reads(input: &File) -> parquet::errors::Result<ArrowReaderMetadata> {
    with_int96(ArrowReaderMetadata::load(input, ArrowReaderOptions::new())?, TimeUnit::Microsecond)
}

/// Returns metadata by which INT96 is read in a unit.
fn with_int96(metadata: ArrowReaderMetadata, unit: TimeUnit) -> parquet::errors::Result<ArrowReaderMetadata> {
    let coerced = |(root, field): (usize, &Arc<Field>)| match field.data_type() {
        DataType::Timestamp(_, zone) if is_int96(&metadata, root) => {
            let in_unit = DataType::Timestamp(unit, zone.clone());
            Arc::new(field.as_ref().clone().with_data_type(in_unit))
        }
        _ => Arc::clone(field),
    };
    let fields: Vec<Arc<Field>> = metadata.schema().fields().iter().enumerate().map(coerced).collect();
    let schema = Arc::new(Schema::new_with_metadata(fields, metadata.schema().metadata().clone()));
    if schema == *metadata.schema() {
        return Ok(metadata);
    }
    ArrowReaderMetadata::try_new(Arc::clone(metadata.metadata()), ArrowReaderOptions::new().with_schema(schema))
}

/// Says for the owner's log what does not fit, and the setting that would mend it.
fn of_schema(fault: &SourceFault, stored: &Schema) -> String {
    match fault {
        SourceFault::ColumnType(name) => match stored.field_with_name(name) {
            Ok(field) => format!("the file stores it as {}", field.data_type()),
            Err(_) => fault.to_string(),
        },
        SourceFault::MissingColumn(name) => {
            format!("it has no column {name:?}; if files may lack it, its column in the Dataset says optional: true")
        }
        SourceFault::ColumnLetters(name) => {
            format!("it has column {name:?} in other letters; its sourceName in the Dataset is to be as in the file")
        }
        _ => fault.to_string(),
    }
}

/// Returns the doubts that the statistics of a row group do not settle.
fn in_doubt<'d>(metadata: &ArrowReaderMetadata, group: usize, doubts: &'d [Doubt]) -> Vec<&'d Doubt> {
    doubts.iter().filter(|doubt| !within_range(metadata, group, doubt).unwrap_or(false)).collect()
}

/// Returns true if the least and the greatest value of a column in a row group fit its declared type, and so does what
/// lies between. `None` if that is not known.
fn within_range(metadata: &ArrowReaderMetadata, group: usize, doubt: &Doubt) -> Option<bool> {
    if doubt.fit != Fit::ByRange {
        return None;
    }
    let converter = StatisticsConverter::try_new(&doubt.column, metadata.schema(), metadata.parquet_schema()).ok()?;
    let group = metadata.metadata().row_group(group);
    let statistics = group.column(converter.parquet_column_index()?).statistics()?;
    // Those of old writers are in another order than that of unsigned numbers.
    if statistics.is_min_max_deprecated() {
        return None;
    }
    let ends = [converter.row_group_mins([group]).ok()?, converter.row_group_maxes([group]).ok()?];
    for end in &ends {
        if end.len() != 1 || end.is_null(0) || fits(end, &doubt.declared).ok()?.true_count() != 1 {
            return Some(false);
        }
    }
    Some(true)
}

/// Reads the columns in doubt of a row group; returns for each record whether all of them fit.
fn read_columns(
    input: &File,
    metadata: &ArrowReaderMetadata,
    group: usize,
    doubts: &[&Doubt],
    before: u64,
    first_bad: &mut Option<BadRecord>,
) -> parquet::errors::Result<Vec<BooleanArray>> {
    let roots = doubts.iter().filter_map(|doubt| metadata.schema().index_of(&doubt.column).ok());
    let mask = ProjectionMask::roots(metadata.parquet_schema(), roots);
    let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(input.try_clone()?, metadata.clone())
        .with_row_groups(vec![group])
        .with_projection(mask)
        .with_batch_size(BATCH)
        .build()?;
    let (mut filters, mut at) = (Vec::new(), before);
    for batch in reader {
        let batch = batch?;
        let mut good = BooleanArray::from(vec![true; batch.num_rows()]);
        for doubt in doubts {
            let Some(column) = batch.column_by_name(&doubt.column) else { continue };
            let fit = fits(column, &doubt.declared)?;
            if let (None, Some(position)) = (&first_bad, fit.values().iter().position(|fits| !fits)) {
                *first_bad = Some(BadRecord { column: doubt.column.clone(), record: at + position as u64 + 1 });
            }
            good = and(&good, &fit)?;
        }
        at += batch.num_rows() as u64;
        filters.push(good);
    }
    Ok(filters)
}
