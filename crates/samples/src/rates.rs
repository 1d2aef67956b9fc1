//! Exchange rates. The example manifests convert money at one fixed rate; the dated rates are a public table of their own.

use crate::random::Random;

/// Yuan for ten thousand Hong Kong dollars: the fixed rate of the example manifests.
pub const HKD: i64 = 9135;
/// Yuan for ten thousand patacas: the fixed rate of the example manifests.
pub const MOP: i64 = 8869;

/// The rates of one day: millionths of a yuan for one CNY, HKD and MOP.
#[must_use]
pub fn on(day: u64, seed: u64) -> [(&'static str, i64); 3] {
    // A slow wave and a little noise; the pataca is pegged at 1.03 to the Hong Kong dollar.
    let phase = i64::try_from(day % 240).unwrap_or(0);
    let wave = if phase < 120 { phase } else { 240 - phase } - 60;
    let noise = i64::from(Random::of(seed, 60, day).below(1_000)) - 500;
    let hkd = HKD * 100 + wave * 120 + noise;
    [("CNY", 1_000_000), ("HKD", hkd), ("MOP", hkd * 100 / 103)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_stay_near_the_fixed_ones() {
        for day in 0..731 {
            let [cny, hkd, mop] = on(day, 1);
            assert_eq!(cny.1, 1_000_000);
            assert!((900_000..930_000).contains(&hkd.1) && (870_000..905_000).contains(&mop.1));
        }
    }
}
