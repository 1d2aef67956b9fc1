//! The visits of a city, in the order of their days.
//!
//! The visits of a person are skewed as in life: the number of people with at least `n` visits falls as `1/n` (Zipf), up
//! to [`MAX_PER_PERSON`].

use crate::calendar::{Day, FIRST_YEAR, LAST_YEAR, days, spread};
use crate::canary;
use crate::codes::{Diagnosis, RARE_DIAGNOSES, SPECIALTIES, at};
use crate::options::Options;
use crate::people::{Person, Sex, people};
use crate::places::{CITIES, City, Facility, facilities};
use crate::planted;
use crate::random::{Random, Wheel};

/// Nobody has more visits than this. The manifests say so too, which lets a row count decide a cell.
pub const MAX_PER_PERSON: u8 = 60;

/// The fewest visits of a city, so that every planted cell has its people.
const MIN_VISITS: u64 = 240;

/// One visit.
#[derive(Debug, Clone, Copy)]
pub struct Visit {
    /// The person, as an index into [`Population::people`].
    pub person: u32,
    /// The day, as an index into [`Population::days`].
    pub day: u16,
    /// The facility, as an index into [`Population::facilities`].
    pub facility: u16,
    /// The specialty, as a place in [`SPECIALTIES`].
    pub specialty: u8,
    /// The diagnosis.
    pub diagnosis: Diagnosis,
    /// Cost in hundredths of the local money.
    pub cost: i64,
    /// Waiting time in minutes, if it was recorded.
    pub waiting: Option<u16>,
    /// True for an emergency.
    pub emergency: bool,
    /// Index of the note in [`crate::city::NOTES`]; 0 for none.
    pub note: u8,
}

/// A city with its people, and who comes when.
#[derive(Debug)]
pub struct Population {
    /// The city.
    pub city: &'static City,
    /// The seed.
    pub seed: u64,
    /// Everybody in the register.
    pub people: Vec<Person>,
    /// Every hospital and clinic.
    pub facilities: Vec<Facility>,
    /// The days of two years.
    pub days: Vec<Day>,
    /// The person of each visit, in order.
    order: Vec<u32>,
    /// Number of visits on each day.
    per_day: Vec<u64>,
}

impl Population {
    /// The people of a city and the order in which they come.
    #[must_use]
    pub fn new(city: &'static City, options: &Options) -> Self {
        let visits = city_visits(city, options.visits);
        let count = u32::try_from(visits * 10 / 45).unwrap_or(u32::MAX).max(planted::PERSONS + 20);
        let people = people(city, count, options.canaries, options.seed);
        let mut order = visitors(city, count, visits, options.seed);
        if options.canaries {
            for canary in (count..).take(usize::from(canary::PERSONS)) {
                order.extend([canary; 3]);
            }
        }
        shuffle(&mut order, &mut Random::of(options.seed, 30 + city.index, 1));
        let days = days(FIRST_YEAR, LAST_YEAR);
        let per_day = spread(&days, &city.months, order.len() as u64);
        Self { city, seed: options.seed, people, facilities: facilities(city), days, order, per_day }
    }

    /// Returns the number of visits.
    #[must_use]
    pub fn visit_count(&self) -> u64 {
        self.order.len() as u64
    }

    /// Every visit, in the order of the days.
    pub fn visits(&self) -> impl Iterator<Item = Visit> + '_ {
        let weights: Vec<u32> = (0_u8..)
            .zip(SPECIALTIES)
            .map(|(place, specialty)| if planted::is_rare(self.city, place) { 0 } else { specialty.weight })
            .collect();
        let wheel = Wheel::new(&weights);
        let mut seen = vec![0_u8; self.people.len()];
        let days = (0_u16..).zip(&self.per_day).flat_map(|(day, count)| (0..*count).map(move |_| day));
        (0_u64..).zip(&self.order).zip(days).map(move |((number, person), day)| {
            let times = &mut seen[*person as usize];
            let visit = self.visit(number, *person, day, *times, &wheel);
            *times += 1;
            visit
        })
    }

    fn visit(&self, number: u64, person: u32, day: u16, times: u8, wheel: &Wheel) -> Visit {
        let who = &self.people[person as usize];
        let date = &self.days[usize::from(day)];
        let mut random = Random::of(self.seed, 20 + self.city.index, number);
        let every_second = times.is_multiple_of(2);
        let age = age(who, date);
        let drawn = specialty(wheel, &mut random, age, who.sex);
        let specialty = planted::specialty(self.city, person).filter(|_| every_second).unwrap_or(drawn);
        let subject = &SPECIALTIES[usize::from(specialty)];
        let winter = matches!(date.month, 12 | 1 | 2) && random.per_mille(250);
        let choice = if winter { 0 } else { random.below(u32::try_from(subject.diagnoses.len()).unwrap_or(1)) };
        let mut diagnosis = subject.diagnoses[choice as usize];
        if every_second && planted::has_rare_diagnosis(self.city, person) {
            diagnosis = RARE_DIAGNOSES[(number % 2) as usize];
        }
        let base = i64::from(subject.base_cost) * i64::from(self.city.cost) / 1000;
        let mut cost = base * (600_000 + i64::from(random.skewed()) * 4) / 1_000_000;
        if who.canary > 0 && times == 0 {
            cost = canary::cost(self.city, who.canary);
        }
        let emergency = specialty == at::EMERGENCY || random.per_mille(40);
        let wait = self.city.wait + u32::from(!emergency) * 8 + random.skewed() / (1_000_000 / self.city.wait_tail);
        let waiting = (!random.per_mille(20)).then_some(wait as u16);
        let places = u32::from(self.city.facilities);
        let facility = (random.below(places) * random.below(places) / places) as u16;
        let note = if random.per_mille(700) { 1 + random.below(6) as u8 } else { 0 };
        Visit { person, day, facility, specialty, diagnosis, cost, waiting, emergency, note }
    }
}

/// The age that a person reaches in the year of a day.
#[must_use]
pub fn age(person: &Person, day: &Day) -> u16 {
    day.year.unsigned_abs().saturating_sub(person.birth_year)
}

/// A city's part of all visits.
#[must_use]
pub fn city_visits(city: &City, all: u64) -> u64 {
    let shares: u64 = CITIES.iter().map(|city| city.share).sum();
    (all * city.share / shares).max(MIN_VISITS)
}

/// A specialty that fits the person: children, old people and women have some of their own.
fn specialty(wheel: &Wheel, random: &mut Random, age: u16, sex: Sex) -> u8 {
    let fits = |specialty: u8| match specialty {
        at::PAEDIATRICS => age < 15,
        at::GERIATRICS => age >= 65,
        at::OBSTETRICS => sex == Sex::Female && (15..50).contains(&age),
        _ => true,
    };
    if age < 15 && random.per_mille(500) {
        return at::PAEDIATRICS;
    }
    (0..3).map(|_| wheel.draw(random)).find(|specialty| fits(*specialty)).unwrap_or(at::INTERNAL)
}

/// Each person as often as the person comes, not yet in order.
fn visitors(city: &City, count: u32, visits: u64, seed: u64) -> Vec<u32> {
    let mut times: Vec<u8> = (0..count)
        .map(|person| {
            let draw = Random::of(seed, 30 + city.index, 2 + u64::from(person)).next() >> 48;
            let times = u8::try_from(65_536 / (draw + 1)).unwrap_or(u8::MAX).min(MAX_PER_PERSON);
            if person < planted::PERSONS { planted::MIN_VISITS } else { times }
        })
        .collect();
    even_out(&mut times, visits);
    let mut order = Vec::with_capacity(usize::try_from(visits).unwrap_or(0) + 16);
    for (person, times) in (0..count).zip(times) {
        order.extend(std::iter::repeat_n(person, usize::from(times)));
    }
    order
}

/// Adds or takes single visits until they add up.
fn even_out(times: &mut [u8], visits: u64) {
    let mut sum: u64 = times.iter().map(|times| u64::from(*times)).sum();
    while sum != visits {
        let before = sum;
        for times in times.iter_mut().skip(planted::PERSONS as usize) {
            if sum < visits && *times < MAX_PER_PERSON {
                *times += 1;
                sum += 1;
            } else if sum > visits && *times > 1 {
                *times -= 1;
                sum -= 1;
            }
        }
        if sum == before {
            break;
        }
    }
}

/// Fisher and Yates.
fn shuffle(order: &mut [u32], random: &mut Random) {
    for at in (1..order.len()).rev() {
        let other = random.below(u32::try_from(at + 1).unwrap_or(u32::MAX)) as usize;
        order.swap(at, other);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use super::*;

    fn population(city: usize, visits: u64) -> Population {
        Population::new(&CITIES[city], &Options { visits, ..Options::small() })
    }

    #[test]
    fn visits_add_up_and_nobody_comes_too_often() {
        for (number, city) in CITIES.iter().enumerate() {
            let population = population(number, 60_000);
            assert_eq!(population.visit_count(), city_visits(city, 60_000));
            let mut times: HashMap<u32, u32> = HashMap::new();
            let mut last = 0;
            for visit in population.visits() {
                *times.entry(visit.person).or_default() += 1;
                assert!(visit.day >= last);
                last = visit.day;
            }
            assert!(times.values().all(|times| *times <= u32::from(MAX_PER_PERSON)));
            let often = times.values().filter(|times| **times >= 10).count();
            assert!(often * 5 < times.len() && often * 30 > times.len(), "{often} of {}", times.len());
        }
    }

    #[test]
    fn planted_cells_hold_just_their_persons() {
        for visits in [3_000, 60_000] {
            for (city, rare_persons) in planted::RARE_CHAPTER.into_iter().enumerate() {
                let population = population(city, visits);
                let mut rare = HashSet::new();
                let mut by_specialty: HashMap<u8, HashSet<u32>> = HashMap::new();
                for visit in population.visits() {
                    if visit.diagnosis.icd10.starts_with('Q') {
                        rare.insert(visit.person);
                    }
                    by_specialty.entry(visit.specialty).or_default().insert(visit.person);
                }
                assert_eq!(rare.len(), rare_persons as usize);
                if city == 2 {
                    assert_eq!(by_specialty[&at::NUCLEAR_MEDICINE].len(), planted::MACAU_NUCLEAR_MEDICINE as usize);
                    assert_eq!(by_specialty[&at::RHEUMATOLOGY].len(), planted::MACAU_RHEUMATOLOGY as usize);
                } else if visits > 3_000 {
                    assert!(by_specialty[&at::NUCLEAR_MEDICINE].len() > 20);
                }
            }
        }
    }

    #[test]
    fn canaries_come_three_times_and_pay_once() {
        let population = Population::new(&CITIES[2], &Options::small().with_canaries());
        let costs: Vec<i64> = population
            .visits()
            .filter(|visit| population.people[visit.person as usize].canary == 1)
            .map(|visit| visit.cost)
            .collect();
        assert_eq!(costs.len(), 3);
        assert_eq!(costs.iter().filter(|cost| **cost == 76_543_219).count(), 1);
    }
}
