//! A non-public table that serves no common table: trips in Shenzhen, one row each, joinable to people there.

use arrow::error::ArrowError;
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::HealthOptions;
use super::people::Person;
use crate::columns::{date, hundredths, int32, text};
use crate::files::RawTable;

/// Shenzhen's trips.
pub fn tables(options: HealthOptions, people: &[Vec<Person>; 3]) -> Result<Vec<RawTable>, ArrowError> {
    let mut rng = ChaCha8Rng::seed_from_u64(options.seed ^ 0x74_72_69_70);
    let lines = ["1", "2", "4", "11"];
    let mut trips: Vec<(String, &str, i32, i32, i64)> = Vec::new();
    for person in people[0].iter().filter(|p| p.planted.is_none()) {
        for _ in 0..rng.random_range(0..4) {
            let line = lines[rng.random_range(0..4)];
            let day = 17_900 + rng.random_range(0..60);
            trips.push((person.id.clone(), line, day, rng.random_range(5..90), rng.random_range(200..1_500)));
        }
    }
    Ok(vec![RawTable::new(
        "shenzhen/trips.parquet",
        vec![
            ("rider", text(trips.iter().map(|t| Some(&t.0)))),
            ("line", text(trips.iter().map(|t| Some(t.1)))),
            ("travelled_on", date(trips.iter().map(|t| Some(t.2)))),
            ("minutes", int32(trips.iter().map(|t| Some(t.3)))),
            ("fare", hundredths(trips.iter().map(|t| Some(t.4)))?),
        ],
    )?])
}
