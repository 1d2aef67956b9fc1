//! Canaries: values in raw rows that nothing may carry over a border, easy to recognise wherever they turn up.
//!
//! A canary person has a name, a telephone number and notes that begin with `CANARY`, an identity number of its own, and
//! a visit with a cost that nobody else has. No sum over ten people shows any of them.

use crate::places::City;
use crate::rates;

/// Canary persons in each city.
pub const PERSONS: u8 = 3;

/// Cost of the canary's costly visit in hundredths of the local money, by the city's number.
const COSTS: [i64; 3] = [98_765_432, 87_654_321, 76_543_219];

/// The cost of a canary's first visit, in hundredths of the local money.
#[must_use]
pub fn cost(city: &City, canary: u8) -> i64 {
    COSTS.get(city.index as usize).copied().unwrap_or(0) + i64::from(canary - 1) * 100
}

/// Returns a cost in yuan, as the common table has it: at the example manifests' fixed rates, rounded half away from zero.
pub(crate) fn cost_cny(city: &City, canary: u8) -> i64 {
    let rate = match city.jurisdiction {
        "HK" => rates::HKD,
        "MO" => rates::MOP,
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
