//! All values of canaries, as a test looks for them on a wire.

use crate::canary::{PERSONS, cost, cost_cny, name, note, telephone};
use crate::ids::push_canary_id;
use crate::places::CITIES;
use crate::text::push_hundredths;

/// Text forms of canary values, with the jurisdiction that holds each. None may be on a wire, in a log or in an answer.
#[must_use]
pub fn canaries() -> Vec<(&'static str, String)> {
    let mut all = Vec::new();
    for city in &CITIES {
        for canary in 1..=PERSONS {
            let mut id = String::new();
            push_canary_id(&mut id, city, canary);
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
}
