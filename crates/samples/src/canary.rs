//! Canaries: values in raw rows that nothing may carry over a border, easy to recognise wherever they turn up.
//!
//! A canary person has a name, a telephone number and notes that begin with `CANARY`, an identity number of its own, and
//! a visit with a cost that nobody else has. No sum over ten people shows any of them.

use crate::ids;
use crate::people::Person;
use crate::places::{CITIES, City};
use crate::text::push_hundredths;

/// Canary persons in each city.
pub const PERSONS: u8 = 3;

/// What the canary's costly visit cost, in hundredths of the local money, by the city's number.
const COSTS: [i64; 3] = [98_765_432, 87_654_321, 76_543_219];

/// The cost of a canary's first visit, in hundredths of the local money.
#[must_use]
pub fn cost(city: &City, canary: u8) -> i64 {
    COSTS.get(city.index as usize).copied().unwrap_or(0) + i64::from(canary - 1) * 100
}

/// The same in yuan, as the common table has it: the example manifests' fixed rates, rounded half away from zero.
fn cost_cny(city: &City, canary: u8) -> i64 {
    let rate = match city.jurisdiction {
        "HK" => crate::rates::HKD,
        "MO" => crate::rates::MOP,
        _ => 10_000,
    };
    (cost(city, canary) * rate + 5_000) / 10_000
}

/// A canary's name.
#[must_use]
pub fn name(city: &City, canary: u8) -> String {
    format!("CANARY-NAME-{}-{canary}", city.jurisdiction)
}

/// A canary's notes.
#[must_use]
pub fn note(city: &City, canary: u8) -> String {
    format!("CANARY-NOTE-{}-{canary}", city.jurisdiction)
}

/// A canary's telephone number, in a column that no manifest declares.
#[must_use]
pub fn telephone(city: &City, canary: u8) -> String {
    format!("CANARY-TEL-{}-{canary}", city.jurisdiction)
}

/// A canary's identity number: the same for every seed and size.
pub fn push_id(out: &mut String, city: &City, canary: u8) {
    let number = u32::from(canary);
    // A seed of its own and a year in which nobody of the sample is born set it apart from every other number.
    let mut person = crate::people::person(city, number, 0xca);
    person.birth_year = 1929;
    match city.jurisdiction {
        "CN-SZ" => ids::push_mainland(out, &person, 0xca),
        "HK" => out.push_str(["Z900001(2)", "Z900002(0)", "Z900003(9)"][usize::from(canary - 1) % 3]),
        _ => out.push_str(["59999991", "59999993", "59999995"][usize::from(canary - 1) % 3]),
    }
}

/// Text forms of canary values, with the jurisdiction that holds each. None may be on a wire, in a log or in an answer.
#[must_use]
pub fn canaries() -> Vec<(&'static str, String)> {
    let mut all = Vec::new();
    for city in &CITIES {
        for canary in 1..=PERSONS {
            let mut id = String::new();
            push_id(&mut id, city, canary);
            let mut texts = vec![id, name(city, canary), note(city, canary), telephone(city, canary)];
            for amount in [cost(city, canary), cost_cny(city, canary)] {
                let mut text = String::new();
                push_hundredths(&mut text, amount);
                if !texts.contains(&text) {
                    texts.push(text);
                }
            }
            all.extend(texts.into_iter().map(|text| (city.jurisdiction, text)));
        }
    }
    all
}

/// The canaries' costs as decimals with two digits after the point are held: in hundredths, of local money and of yuan.
/// On a wire in Arrow's format they are 16 bytes, little-endian.
#[must_use]
pub fn canary_amounts() -> Vec<(&'static str, i128)> {
    let mut all = Vec::new();
    for city in &CITIES {
        for canary in 1..=PERSONS {
            all.push((city.jurisdiction, i128::from(cost(city, canary))));
            if city.jurisdiction != "CN-SZ" {
                all.push((city.jurisdiction, i128::from(cost_cny(city, canary))));
            }
        }
    }
    all
}

/// Appends a person's identity number, a canary's or another's.
pub fn push_person_id(out: &mut String, city: &City, person: &Person, seed: u64) {
    match (person.canary, city.jurisdiction) {
        (0, "CN-SZ") => ids::push_mainland(out, person, seed),
        (0, "HK") => ids::push_hong_kong(out, person, seed),
        (0, _) => ids::push_macau(out, person, seed),
        (canary, _) => push_id(out, city, canary),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_canary_is_told_from_every_other() {
        let all = canaries();
        let texts: HashSet<&String> = all.iter().map(|(_, text)| text).collect();
        assert_eq!(texts.len(), all.len());
        assert!(all.contains(&("CN-SZ", "987654.32".to_owned())));
        assert!(all.contains(&("HK", "876543.21".to_owned())));
        assert!(all.contains(&("MO", "CANARY-NOTE-MO-3".to_owned())));
        assert_eq!(canary_amounts().len(), 15);
    }

    #[test]
    fn their_identity_numbers_have_right_check_digits() {
        for canary in 1..=PERSONS {
            let mut id = String::new();
            push_id(&mut id, &CITIES[1], canary);
            assert_eq!(id[8..9], ids::hong_kong_check('Z', &id.as_bytes()[1..7]).to_string(), "{id}");
            let mut id = String::new();
            push_id(&mut id, &CITIES[0], canary);
            assert_eq!((id.len(), &id[6..10]), (18, "1929"));
        }
    }
}
