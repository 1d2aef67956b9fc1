//! Public tables: facilities, a replicated code list, exchange rates of one city, and air quality by the hour.

use arrow::error::ArrowError;
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::HealthOptions;
use crate::columns::{date, float64, int32, text, timestamp};
use crate::files::RawTable;

/// Facilities of each city.
pub const FACILITIES: [usize; 3] = [7, 5, 3];
/// Prefix of each city's facility codes.
pub const PREFIXES: [&str; 3] = ["SZ", "HK", "MO"];

const FOLDERS: [&str; 3] = ["shenzhen", "hongkong", "macau"];
const ENDINGS: [&str; 3] = ["parquet", "csv", "ndjson"];

/// All of them.
pub fn tables(options: HealthOptions) -> Result<Vec<RawTable>, ArrowError> {
    let mut rng = ChaCha8Rng::seed_from_u64(options.seed ^ 0x70_75_62_6c);
    let mut tables = Vec::new();
    for city in 0..3 {
        tables.push(facilities(&mut rng, city)?);
        tables.push(specialties(city)?);
        tables.push(air(&mut rng, city)?);
    }
    tables.push(rates(&mut rng)?);
    Ok(tables)
}

fn facilities(rng: &mut ChaCha8Rng, city: usize) -> Result<RawTable, ArrowError> {
    let n = FACILITIES[city];
    let prefix = PREFIXES[city];
    RawTable::new(
        &format!("{}/facilities.{}", FOLDERS[city], ENDINGS[city]),
        vec![
            ("facility", text((0..n).map(|i| Some(format!("{prefix}-{i:02}"))))),
            ("title", text((0..n).map(|i| Some(format!("{prefix} Hospital No. {}", i + 1))))),
            ("kind", text((0..n).map(|i| Some(["general", "clinic", "specialist"][(i + city) % 3])))),
            ("beds", int32((0..n).map(|i| (i != 2).then(|| rng.random_range(20..900))))),
            ("opened", date((0..n).map(|_| Some(rng.random_range(-3_000..17_000))))),
            ("rating", float64((0..n).map(|i| (i != 1).then(|| rng.random::<f64>() * 5.0)))),
        ],
    )
}

/// Code list that is the same in all three cities.
fn specialties(city: usize) -> Result<RawTable, ArrowError> {
    let rows = [
        ("cardiology", "Heart", "medicine", 1.5),
        ("orthopaedics", "Bones", "surgery", 1.25),
        ("paediatrics", "Children", "medicine", 1.0),
        ("emergency", "Emergency", "acute", 2.0),
        ("psychiatry", "Mind", "medicine", 0.75),
        ("oncology", "Tumours", "medicine", 2.5),
        ("dentistry", "Teeth", "surgery", 0.5),
    ];
    RawTable::new(
        &format!("{}/specialties.csv", FOLDERS[city]),
        vec![
            ("specialty", text(rows.iter().map(|r| Some(r.0)))),
            ("title", text(rows.iter().map(|r| Some(r.1)))),
            ("family", text(rows.iter().map(|r| Some(r.2)))),
            ("weight", float64(rows.iter().map(|r| Some(r.3)))),
        ],
    )
}

fn air(rng: &mut ChaCha8Rng, city: usize) -> Result<RawTable, ArrowError> {
    // 2019-01-01 in microseconds; two stations, every third hour of four days.
    let hours: Vec<(usize, i64)> = (0..2).flat_map(|s| (0..32).map(move |h| (s, h * 3))).collect();
    RawTable::new(
        &format!("{}/air.{}", FOLDERS[city], ENDINGS[city]),
        vec![
            ("station", text(hours.iter().map(|(s, _)| Some(format!("{}-{}", FOLDERS[city], ["north", "south"][*s]))))),
            ("measured_at", timestamp(hours.iter().map(|(_, h)| Some(1_546_300_800_000_000 + h * 3_600_000_000)))),
            ("pm25", float64(hours.iter().map(|_| rng.random_bool(0.9).then(|| rng.random::<f64>() * 80.0)))),
            ("no2", float64(hours.iter().map(|_| rng.random_bool(0.9).then(|| rng.random::<f64>() * 120.0)))),
        ],
    )
}

/// Hong Kong's exchange rates by month, in CNY for one unit.
fn rates(rng: &mut ChaCha8Rng) -> Result<RawTable, ArrowError> {
    let rows: Vec<(&str, i32, f64)> = (0..24)
        .flat_map(|month| [("HKD", month, 0.86), ("MOP", month, 0.83)])
        .map(|(currency, month, base)| (currency, 17_532 + month * 30, base + rng.random::<f64>() * 0.04))
        .collect();
    RawTable::new(
        "hongkong/rates.csv",
        vec![
            ("currency", text(rows.iter().map(|r| Some(r.0)))),
            ("valid_from", date(rows.iter().map(|r| Some(r.1)))),
            ("rate", float64(rows.iter().map(|r| Some(r.2)))),
        ],
    )
}
