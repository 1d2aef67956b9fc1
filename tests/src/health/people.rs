//! People: who they are, and the registers that hold them.

use arrow::array::ArrayRef;
use arrow::error::ArrowError;
use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::HealthOptions;
use super::canaries::{KNOWN_BIRTH_YEAR, Planted};
use crate::columns::{date, float64, hundredths, int32, text};
use crate::files::RawTable;

/// Somebody.
#[derive(Debug, Clone)]
pub struct Person {
    /// The identifier in the person's own jurisdiction.
    pub id: String,
    /// 0 for a woman, 1 for a man; missing for some.
    pub sex: Option<usize>,
    /// Year of birth.
    pub born: i32,
    /// Number of the district; missing for some.
    pub district: Option<usize>,
    /// Income a year in hundredths of the local currency.
    pub income: Option<i64>,
    /// Weight in the local unit.
    pub weight: Option<f64>,
    /// Returns true for the planted person.
    pub planted: Option<Planted>,
}

/// Number of people in each of the three cities, at scale 1.
const CITIES: [usize; 3] = [140, 70, 22];

const DISTRICTS: [&[&str]; 3] =
    [&["福田", "南山", "宝安", "罗湖", "盐田"], &["中西區", "灣仔", "沙田", "元朗"], &["Sé", "Taipa", "Coloane"]];

/// Makes the people of each city.
#[must_use]
pub fn populate(options: HealthOptions) -> [Vec<Person>; 3] {
    let mut rng = ChaCha8Rng::seed_from_u64(options.seed);
    [0, 1, 2].map(|city| {
        let mut people: Vec<Person> =
            (0..CITIES[city] * options.scale).map(|number| person(&mut rng, city, number)).collect();
        if options.canaries {
            people.push(planted_person(Planted { city }));
        }
        people
    })
}

fn person(rng: &mut ChaCha8Rng, city: usize, number: usize) -> Person {
    let prefix = ["SZ", "HK", "MO"][city];
    Person {
        id: format!("{prefix}{number:07}"),
        sex: rng.random_bool(0.96).then(|| usize::from(rng.random_bool(0.48))),
        born: rng.random_range(1930..=2015),
        district: rng
            .random_bool(0.97)
            .then(|| *[0, 0, 0, 1, 1, 2, 2, 3, 4].choose(rng).unwrap_or(&0) % DISTRICTS[city].len()),
        income: rng.random_bool(0.85).then(|| rng.random_range(2_000_000..60_000_000)),
        weight: rng.random_bool(0.9).then(|| f64::from(rng.random_range(4_000..12_000)) / 100.0 + rng.random::<f64>()),
        planted: None,
    }
}

fn planted_person(planted: Planted) -> Person {
    Person {
        id: planted.patient().into(),
        sex: Some(0),
        born: KNOWN_BIRTH_YEAR,
        district: None,
        income: Some(planted.income()),
        weight: Some(planted.weight()),
        planted: Some(planted),
    }
}

fn district(city: usize, person: &Person) -> Option<&'static str> {
    person.planted.map(Planted::district).or_else(|| person.district.map(|d| DISTRICTS[city][d]))
}

/// 1 January of a year, in days since 1970.
fn new_year(year: i32) -> i32 {
    let years = year - 1970;
    // Leap days between: the years in question hold the exceptions 1900 (none) and 2000 (one).
    let leap = |y: i32| (y - 1) / 4 - (y - 1) / 100 + (y - 1) / 400;
    years * 365 + leap(year) - leap(1970)
}

/// The three registers.
pub fn tables(people: &[Vec<Person>; 3]) -> Result<Vec<RawTable>, ArrowError> {
    let sexes = [["女", "男"], ["F", "M"], ["feminino", "masculino"]];
    let of = |city: usize| -> Result<(ArrayRef, ArrayRef, ArrayRef, ArrayRef, ArrayRef, ArrayRef), ArrowError> {
        let everyone = &people[city];
        Ok((
            text(everyone.iter().map(|p| Some(&p.id))),
            text(everyone.iter().map(|p| p.sex.map(|s| sexes[city][s]))),
            int32(everyone.iter().map(|p| Some(p.born))),
            text(everyone.iter().map(|p| district(city, p))),
            hundredths(everyone.iter().map(|p| p.income))?,
            float64(everyone.iter().map(|p| p.weight)),
        ))
    };
    let (id, sex, born, lives, income, weight) = of(0)?;
    let shenzhen = RawTable::new(
        "shenzhen/people.parquet",
        vec![
            ("resident_id", id),
            ("sex", sex),
            ("birth_year", born),
            ("district", lives),
            ("income_cny", income),
            ("kilograms", weight),
            ("phone", text(people[0].iter().map(|p| Some(format!("138{:0>8}", p.id.len() * 7919))))),
        ],
    )?;
    let (id, sex, _, lives, income, weight) = of(1)?;
    let hong_kong = RawTable::new(
        "hongkong/people.csv",
        vec![
            ("HKID", id),
            ("Sex", sex),
            ("Date of birth", date(people[1].iter().map(|p| Some(new_year(p.born) + p.born % 365)))),
            ("District", lives),
            ("Annual income (HKD)", income),
            ("Weight (lb)", weight),
        ],
    )?;
    let (id, sex, born, lives, income, weight) = of(2)?;
    let macau = RawTable::new(
        "macau/people.ndjson",
        vec![
            ("bir", id),
            ("sexo", sex),
            ("ano_nascimento", born),
            ("freguesia", lives),
            ("rendimento", income),
            ("peso", weight),
        ],
    )?;
    Ok(vec![shenzhen, hong_kong, macau])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_day_of_a_year_is_counted_from_1970() {
        for (year, days) in [(1970, 0), (1971, 365), (1973, 1096), (2000, 10_957), (2001, 11_323), (1899, -25_932)] {
            assert_eq!(new_year(year), days, "{year}");
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_people() {
        let options = HealthOptions::default();
        assert_eq!(populate(options)[0][7].id, "SZ0000007");
        assert_eq!(populate(options)[1][3].income, populate(options)[1][3].income);
        assert_eq!(populate(options)[2].len(), 23);
    }
}
