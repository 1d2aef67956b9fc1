//! Planted small cells: groups of fewer people than a usual rule would release, always of the same size whatever the seed.
//!
//! The persons with the lowest numbers of each city are in them. `docs/sample-data.md` lists them for readers.

use crate::codes::{RARE_DIAGNOSES, at};
use crate::places::City;

/// Visits that a planted person has at the least, so that every planted cell has rows.
pub const MIN_VISITS: u8 = 4;

/// Persons of each city (Shenzhen, Hong Kong, Macau) with a diagnosis of chapter XVII: many, few, fewer.
pub const RARE_CHAPTER: [u32; 3] = [24, 6, 2];

/// Persons of Macau who were ever seen in nuclear medicine. In the other cities there are many.
pub const MACAU_NUCLEAR_MEDICINE: u32 = 4;

/// Persons of Macau who were ever seen in rheumatology. In the other cities there are many.
pub const MACAU_RHEUMATOLOGY: u32 = 7;

/// Persons who live in the last district of the list: Shenshan in Shenzhen, none in Hong Kong, Coloane in Macau.
pub const RARE_DISTRICT: [u32; 3] = [9, 0, 6];

/// Persons of each city that these groups take up.
pub const PERSONS: u32 = 40;

/// The specialty of every second visit of a planted person, where one is planted.
#[must_use]
pub fn specialty(city: &City, person: u32) -> Option<u8> {
    let first = RARE_CHAPTER[2];
    let second = first + MACAU_NUCLEAR_MEDICINE;
    match city.jurisdiction {
        "MO" if (first..second).contains(&person) => Some(at::NUCLEAR_MEDICINE),
        "MO" if (second..second + MACAU_RHEUMATOLOGY).contains(&person) => Some(at::RHEUMATOLOGY),
        _ => None,
    }
}

/// Whether only planted persons are seen in a specialty.
#[must_use]
pub fn is_rare(city: &City, specialty: u8) -> bool {
    city.jurisdiction == "MO" && matches!(specialty, at::NUCLEAR_MEDICINE | at::RHEUMATOLOGY)
}

/// Whether every second visit of a person is for a diagnosis of [`RARE_DIAGNOSES`].
#[must_use]
pub fn has_rare_diagnosis(city: &City, person: u32) -> bool {
    !RARE_DIAGNOSES.is_empty() && RARE_CHAPTER.get(city.index as usize).is_some_and(|persons| person < *persons)
}

/// Whether a person lives in the planted district.
#[must_use]
pub fn in_rare_district(city: &City, person: u32) -> bool {
    let first = PERSONS - 16;
    RARE_DISTRICT.get(city.index as usize).is_some_and(|persons| (first..first + persons).contains(&person))
}
