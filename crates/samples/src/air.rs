//! Hourly air quality: one truth, which each city writes in its own units and gaps.

use crate::places::City;
use crate::random::Random;

/// What one station measured in one hour. `None` is a gap.
#[derive(Debug, Clone, Copy)]
pub struct Reading {
    /// Fine particles, µg/m³.
    pub pm25: Option<u32>,
    /// Particles, µg/m³.
    pub pm10: Option<u32>,
    /// Nitrogen dioxide, µg/m³.
    pub no2: Option<u32>,
    /// Ozone, µg/m³.
    pub o3: Option<u32>,
    /// Sulphur dioxide, µg/m³.
    pub so2: Option<u32>,
    /// Carbon monoxide, in 10 µg/m³.
    pub co: Option<u32>,
}

/// What a station measured `hour` hours after the year began.
#[must_use]
pub fn reading(city: &City, station: usize, hour: u32, seed: u64) -> Reading {
    let index = (u64::from(hour) << 8) | station as u64;
    let mut random = Random::of(seed, 50 + city.index, index);
    let (day, clock) = (hour / 24, hour % 24);
    // Bad in winter, good in summer; worse when people drive; ozone when the sun shines.
    let winter = day.abs_diff(197) * 60 / 197;
    let traffic =
        [4, 2, 1, 1, 2, 6, 14, 22, 24, 18, 14, 12, 12, 12, 13, 15, 18, 24, 25, 20, 15, 11, 8, 6][clock as usize];
    let sun = [0, 0, 0, 0, 0, 0, 2, 8, 18, 30, 42, 52, 58, 60, 56, 48, 36, 22, 10, 3, 0, 0, 0, 0][clock as usize];
    // Which weather there is changes by the day, and is the same at all stations of a city.
    let weather = 70 + Random::of(seed, 53 + city.index, u64::from(day)).below(70);
    let site = 80 + (station as u32 * 17) % 45;
    let mut value = |base: u32| {
        let noise = 85 + random.below(30);
        let value = base * weather / 100 * site / 100 * city.air / 100 * noise / 100;
        (!random.per_mille(15)).then_some(value.max(1))
    };
    Reading {
        pm25: value(8 + winter / 2 + traffic / 3),
        pm10: value(16 + winter + traffic / 2),
        no2: value(14 + winter / 3 + traffic * 2),
        o3: value(24 + sun * 2),
        so2: value(4 + traffic / 6),
        co: value(42 + traffic + winter / 2),
    }
}

/// An index like the mainland's AQI: the worst of the parts, and which it is. A teaching simplification of HJ 633-2012.
#[must_use]
pub fn aqi(reading: &Reading) -> (u32, &'static str) {
    let parts = [
        ("PM2.5", reading.pm25, 35, 50),
        ("PM10", reading.pm10, 50, 50),
        ("NO2", reading.no2, 100, 50),
        ("O3", reading.o3, 160, 50),
    ];
    parts
        .into_iter()
        .filter_map(|(name, value, limit, points)| Some((value? * points / limit, name)))
        .max_by_key(|(index, _)| *index)
        .unwrap_or((0, "-"))
}

/// An index like Hong Kong's AQHI, from 1 to 11, where 11 is written `10+`. A teaching simplification.
#[must_use]
pub fn aqhi(reading: &Reading) -> u32 {
    let sum = reading.pm25.unwrap_or(0) + reading.no2.unwrap_or(0) / 2 + reading.o3.unwrap_or(0) / 2;
    (sum / 14).clamp(1, 11)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::places::CITIES;

    #[test]
    fn air_is_worse_in_winter_and_has_gaps() {
        let mean = |from: u32| {
            let values: Vec<u32> = (from..from + 240).filter_map(|hour| reading(&CITIES[0], 2, hour, 1).pm25).collect();
            assert!(values.len() < 240);
            values.iter().sum::<u32>() / u32::try_from(values.len()).unwrap()
        };
        assert!(mean(0) > mean(4_700) + 8);
        let reading = reading(&CITIES[0], 0, 12, 1);
        assert!(aqi(&reading).0 > 0 && (1..=11).contains(&aqhi(&reading)));
    }
}
