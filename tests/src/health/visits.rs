//! Visits and screenings, in each city's own names and codes.

use arrow::array::ArrayRef;
use arrow::error::ArrowError;
use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::HealthOptions;
use super::canaries::{KNOWN_DIAGNOSIS, Planted};
use super::people::Person;
use crate::columns::{boolean, date, float64, hundredths, int32, int64, text, timestamp};
use crate::files::RawTable;

/// Microseconds of a day.
const DAY: i64 = 86_400_000_000;
/// 2018-01-01, in days since 1970.
const FIRST_DAY: i32 = 17_532;

struct Visit {
    patient: String,
    day: i32,
    seen_at: i64,
    specialty: usize,
    diagnosis: &'static str,
    emergency: Option<bool>,
    cost: Option<i64>,
    stay: Option<i32>,
    pain: Option<f64>,
    facility: Option<usize>,
    note: String,
}

/// The six specialties, as each city writes them. Macau has no oncology.
const SPECIALTIES: [[&str; 6]; 3] = [
    ["心内科", "骨科", "儿科", "急诊", "精神科", "肿瘤科"],
    ["CAR", "ORT", "PED", "EME", "PSY", "ONC"],
    ["Cardiologia", "Ortopedia", "Pediatria", "Urgência", "Psiquiatria", "Pediatria"],
];

const DIAGNOSES: [&str; 7] = ["I10", "I25.1", "M54.5", "J06.9", "F32.0", "S52.5", "E11.9"];

fn visit(rng: &mut ChaCha8Rng, city: usize, person: &Person) -> Visit {
    let day = FIRST_DAY + rng.random_range(0..730);
    Visit {
        patient: person.id.clone(),
        day,
        seen_at: i64::from(day) * DAY + rng.random_range(0..86_400) * 1_000_000,
        specialty: *[0, 0, 1, 1, 2, 2, 2, 3, 3, 4, 5].choose(rng).unwrap_or(&0),
        diagnosis: DIAGNOSES.choose(rng).unwrap_or(&"I10"),
        emergency: rng.random_bool(0.95).then(|| rng.random_bool(0.3)),
        cost: rng.random_bool(0.93).then(|| rng.random_range(5_000..2_000_000)),
        stay: rng.random_bool(0.6).then(|| rng.random_range(0..30)),
        pain: rng.random_bool(0.8).then(|| rng.random::<f64>() * 10.0),
        facility: rng.random_bool(0.92).then(|| rng.random_range(0..super::public::FACILITIES[city])),
        note: format!("free text {}", rng.random_range(0..1_000)),
    }
}

fn planted_visit(planted: Planted) -> Visit {
    Visit {
        patient: planted.patient().into(),
        day: FIRST_DAY + 425,
        seen_at: planted.seen_at(),
        specialty: 0,
        diagnosis: KNOWN_DIAGNOSIS,
        emergency: Some(true),
        cost: Some(planted.cost()),
        stay: Some(planted.stay_days()),
        pain: Some(planted.pain()),
        facility: Some(0),
        note: planted.note().into(),
    }
}

/// Visits and screenings of every city.
pub fn tables(options: HealthOptions, people: &[Vec<Person>; 3]) -> Result<Vec<RawTable>, ArrowError> {
    let mut rng = ChaCha8Rng::seed_from_u64(options.seed ^ 0x76_69_73_69);
    let visits: [Vec<Visit>; 3] = [0, 1, 2].map(|city| {
        let mut visits = Vec::new();
        for person in &people[city] {
            match person.planted {
                Some(planted) => visits.push(planted_visit(planted)),
                None => visits.extend((0..rng.random_range(0..=5)).map(|_| visit(&mut rng, city, person))),
            }
        }
        visits
    });
    let mut tables = visit_tables(&visits)?;
    tables.extend(screening_tables(&mut rng, people)?);
    Ok(tables)
}

fn visit_columns(
    city: usize,
    visits: &[Visit],
    names: [&'static str; 12],
) -> Result<Vec<(&'static str, ArrayRef)>, ArrowError> {
    let prefix = super::public::PREFIXES[city];
    let arrays = [
        int64((1..).take(visits.len()).map(|n| Some(n + 1_000_000))),
        text(visits.iter().map(|v| Some(&v.patient))),
        date(visits.iter().map(|v| Some(v.day))),
        timestamp(visits.iter().map(|v| Some(v.seen_at))),
        text(visits.iter().map(|v| Some(SPECIALTIES[city][v.specialty]))),
        text(visits.iter().map(|v| Some(v.diagnosis))),
        boolean(visits.iter().map(|v| v.emergency)),
        hundredths(visits.iter().map(|v| v.cost))?,
        int32(visits.iter().map(|v| v.stay)),
        float64(visits.iter().map(|v| v.pain)),
        text(visits.iter().map(|v| v.facility.map(|f| format!("{prefix}-{f:02}")))),
        text(visits.iter().map(|v| Some(&v.note))),
    ];
    Ok(names.into_iter().zip(arrays).collect())
}

fn visit_tables(visits: &[Vec<Visit>; 3]) -> Result<Vec<RawTable>, ArrowError> {
    let shenzhen = [
        "visit_no",
        "resident_id",
        "visit_day",
        "seen_at",
        "department",
        "icd10",
        "urgent",
        "fee_cny",
        "stay_days",
        "pain",
        "clinic",
        "note",
    ];
    let hong_kong = [
        "Record No",
        "HKID",
        "Attendance Date",
        "Seen At",
        "Specialty",
        "Diagnosis",
        "A&E",
        "Charge (HKD)",
        "LOS",
        "Pain Score",
        "Hospital",
        "Remarks",
    ];
    let macau = [
        "n_episodio",
        "bir",
        "data",
        "hora",
        "servico",
        "cid10",
        "urgente",
        "custo_mop",
        "dias",
        "dor",
        "unidade",
        "observacoes",
    ];
    Ok(vec![
        RawTable::new("shenzhen/visits.parquet", visit_columns(0, &visits[0], shenzhen)?)?,
        RawTable::new("hongkong/visits.csv", visit_columns(1, &visits[1], hong_kong)?)?,
        RawTable::new("macau/visits.ndjson", visit_columns(2, &visits[2], macau)?)?,
    ])
}

/// Screenings: the same columns everywhere, and no row at all in Macau.
fn screening_tables(rng: &mut ChaCha8Rng, people: &[Vec<Person>; 3]) -> Result<Vec<RawTable>, ArrowError> {
    let files = ["shenzhen/screenings.parquet", "hongkong/screenings.csv", "macau/screenings.parquet"];
    let kinds = ["glucose", "lipids", "blood-pressure"];
    (0..3)
        .map(|city| {
            let mut rows: Vec<(String, &str, Option<bool>, f64)> = Vec::new();
            for person in people[city].iter().filter(|_| city != 2) {
                if let Some(planted) = person.planted {
                    rows.push((person.id.clone(), kinds[0], Some(true), planted.screening()));
                } else if rng.random_bool(0.5) {
                    let positive = rng.random_bool(0.9).then(|| rng.random_bool(0.2));
                    rows.push((person.id.clone(), kinds[rng.random_range(0..3)], positive, rng.random::<f64>() * 9.0));
                }
            }
            RawTable::new(
                files[city],
                vec![
                    ("patient", text(rows.iter().map(|r| Some(&r.0)))),
                    ("kind", text(rows.iter().map(|r| Some(r.1)))),
                    ("positive", boolean(rows.iter().map(|r| r.2))),
                    ("result", float64(rows.iter().map(|r| Some(r.3)))),
                ],
            )
        })
        .collect()
}
