//! Identity numbers of three systems, with the check digits that real ones have. The persons behind them are invented.
//!
//! A number follows from a person's place in the generator by a permutation, so no two persons share one.

use crate::people::{Person, Sex, person};
use crate::places::City;
use crate::random::permute;
use crate::text::push_padded;

/// Number of persons for whom each form has numbers.
pub const CAPACITY: u64 = 1 << 22;

/// Places of first registration in resident identity numbers: Shenzhen's districts and others, by GB/T 2260.
const REGIONS: [u32; 32] = [
    440_303, 440_304, 440_305, 440_306, 440_307, 440_308, 440_309, 440_310, 440_311, 440_106, 441_302, 441_481,
    440_507, 445_202, 430_102, 430_408, 420_106, 420_922, 450_103, 450_902, 360_102, 360_730, 510_104, 511_602,
    522_121, 411_302, 411_522, 340_104, 350_203, 320_106, 610_113, 230_103,
];

/// The check character of a mainland resident identity number (GB 11643-1999): weights, mod 11, `10X98765432`.
#[must_use]
pub fn mainland_check(digits: &[u8]) -> char {
    const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    let sum: u32 = digits.iter().zip(WEIGHTS).map(|(digit, weight)| u32::from(digit.wrapping_sub(b'0')) * weight).sum();
    ['1', '0', 'X', '9', '8', '7', '6', '5', '4', '3', '2'][(sum % 11) as usize]
}

/// The check character of a Hong Kong identity card with one letter: the missing first letter counts as 36, a letter as
/// 10 to 35, weights 9 to 2, mod 11, 10 written `A`.
#[must_use]
pub fn hong_kong_check(letter: char, digits: &[u8]) -> char {
    let letter = u32::from(letter) - u32::from('A') + 10;
    let digits: u32 = digits
        .iter()
        .zip([7_u32, 6, 5, 4, 3, 2])
        .map(|(digit, weight)| u32::from(digit.wrapping_sub(b'0')) * weight)
        .sum();
    match (11 - (36 * 9 + letter * 8 + digits) % 11) % 11 {
        10 => 'A',
        check => char::from_digit(check, 10).unwrap_or('0'),
    }
}

/// Appends a mainland resident identity number: region, birthday, serial number (odd for men), check character.
pub fn push_mainland(out: &mut String, person: &Person, seed: u64) {
    let number = permute(u64::from(person.number), 22, seed ^ 0x5a);
    let day = (number >> 5) % 336;
    let serial = (number >> 5) / 336;
    let start = out.len();
    push_padded(out, u64::from(REGIONS[(number & 31) as usize]), 6);
    push_padded(out, u64::from(person.birth_year), 4);
    push_padded(out, day / 28 + 1, 2);
    push_padded(out, day % 28 + 1, 2);
    push_padded(out, serial * 2 + u64::from(person.sex == Sex::Male), 3);
    let check = mainland_check(&out.as_bytes()[start..]);
    out.push(check);
}

/// Appends a Hong Kong identity card number: `A123456(3)`.
pub fn push_hong_kong(out: &mut String, person: &Person, seed: u64) {
    // Below 26 million, so that every letter occurs.
    let number = permute(u64::from(person.number), 22, seed ^ 0x48) * 6;
    let letter = char::from(b'A' + (number / 1_000_000) as u8);
    out.push(letter);
    let start = out.len();
    push_padded(out, number % 1_000_000, 6);
    let check = hong_kong_check(letter, &out.as_bytes()[start..]);
    out.push('(');
    out.push(check);
    out.push(')');
}

/// Appends a Macau resident card number: 1, 5 or 7, then seven digits. No formula for a check digit is published.
pub fn push_macau(out: &mut String, person: &Person, seed: u64) {
    let number = permute(u64::from(person.number), 22, seed ^ 0x4d);
    out.push(['1', '1', '1', '5', '5', '5', '5', '7'][(number & 7) as usize]);
    push_padded(out, number * 2 + 1, 7);
}

/// Appends a person's identity number, a canary's or another's.
pub fn push_person_id(out: &mut String, city: &City, person: &Person, seed: u64) {
    match (person.canary, city.jurisdiction) {
        (0, "CN-SZ") => push_mainland(out, person, seed),
        (0, "HK") => push_hong_kong(out, person, seed),
        (0, _) => push_macau(out, person, seed),
        (canary, _) => push_canary_id(out, city, canary),
    }
}

/// Appends a canary's identity number: the same for every seed and size.
pub fn push_canary_id(out: &mut String, city: &City, canary: u8) {
    let number = u32::from(canary);
    // A seed of its own and a year in which nobody of the sample is born set it apart from every other number.
    let mut person = person(city, number, 0xca);
    person.birth_year = 1929;
    match city.jurisdiction {
        "CN-SZ" => push_mainland(out, &person, 0xca),
        "HK" => out.push_str(["Z900001(2)", "Z900002(0)", "Z900003(9)"][usize::from(canary - 1) % 3]),
        _ => out.push_str(["59999991", "59999993", "59999995"][usize::from(canary - 1) % 3]),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::canary::PERSONS;
    use crate::people::people;
    use crate::places::CITIES;

    #[test]
    fn check_digits_agree_with_known_numbers() {
        // The examples of GB 11643-1999, and numbers that are used as examples in Hong Kong.
        assert_eq!(mainland_check(b"11010519491231002"), 'X');
        assert_eq!(mainland_check(b"44052418800101001"), '4');
        assert_eq!(hong_kong_check('A', b"123456"), '3');
        assert_eq!(hong_kong_check('G', b"123456"), 'A');
        assert_eq!(hong_kong_check('L', b"555555"), '0');
    }

    #[test]
    fn no_two_persons_share_an_identity_number() {
        let people = people(&CITIES[0], 50_000, false, 9);
        for push in [push_mainland, push_hong_kong, push_macau] {
            let mut seen = HashSet::new();
            for person in &people {
                let mut id = String::new();
                push(&mut id, person, 9);
                assert!(seen.insert(id.clone()), "{id}");
            }
        }
    }

    #[test]
    fn numbers_have_the_form_of_their_system() {
        let person = person(&CITIES[0], 77, 1);
        let mut id = String::new();
        push_mainland(&mut id, &person, 1);
        assert_eq!(id.len(), 18);
        assert_eq!(id[6..10], person.birth_year.to_string());
        let mut id = String::new();
        push_hong_kong(&mut id, &person, 1);
        assert_eq!((id.len(), &id[7..8], &id[9..]), (10, "(", ")"));
        let mut id = String::new();
        push_macau(&mut id, &person, 1);
        assert!(id.len() == 8 && id.starts_with(['1', '5', '7']));
    }

    #[test]
    fn the_identity_numbers_of_canaries_have_right_check_digits() {
        for canary in 1..=PERSONS {
            let mut id = String::new();
            push_canary_id(&mut id, &CITIES[1], canary);
            assert_eq!(id[8..9], hong_kong_check('Z', &id.as_bytes()[1..7]).to_string(), "{id}");
            let mut id = String::new();
            push_canary_id(&mut id, &CITIES[0], canary);
            assert_eq!((id.len(), &id[6..10]), (18, "1929"));
        }
    }
}
