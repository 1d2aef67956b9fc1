//! The raw tables of a small health world in three formats, with different names, codes, units and scripts.
//!
//! Small on purpose: a query over it takes milliseconds, and its cells are small enough for every corner to turn up
//! (groups that only one jurisdiction has, a table that is empty in Macau, NULLs in keys and in measures).

mod canaries;
mod own;
mod people;
mod public;
mod visits;

use arrow::error::ArrowError;

pub use canaries::{Canaries, KNOWN_BIRTH_YEAR, KNOWN_DIAGNOSIS, Planted};

use crate::files::RawTable;

/// Size of a health world, and whether values are planted in it.
#[derive(Debug, Clone, Copy)]
pub struct HealthOptions {
    /// Multiplies the number of people, 1 being about 230 people with about 600 visits.
    pub scale: usize,
    /// Plant one person in each jurisdiction whose values are found nowhere else.
    pub canaries: bool,
    /// The seed of everything.
    pub seed: u64,
}

impl Default for HealthOptions {
    fn default() -> Self {
        Self { scale: 1, canaries: true, seed: 20_190_218 }
    }
}

/// Makes the raw tables of all jurisdictions.
///
/// # Errors
/// Never for options of sensible size.
pub fn raw_tables(options: HealthOptions) -> Result<Vec<RawTable>, ArrowError> {
    let people = people::populate(options);
    let mut tables = people::tables(&people)?;
    tables.extend(visits::tables(options, &people)?);
    tables.extend(own::tables(options, &people)?);
    tables.extend(public::tables(options)?);
    Ok(tables)
}
