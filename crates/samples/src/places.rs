//! The three cities: their districts, what makes their figures differ, and their facilities.

use crate::random::Random;

/// A district.
#[derive(Debug, Clone, Copy)]
pub struct District {
    /// As the city itself writes it.
    pub local: &'static str,
    /// As the common tables write it.
    pub common: &'static str,
    /// Its part of the population; 0 for a planted one.
    pub weight: u32,
    /// Latitude of its middle, in ten-thousandths of a degree.
    pub latitude: i32,
    /// Longitude of its middle, in ten-thousandths of a degree.
    pub longitude: i32,
}

/// A city and what makes its figures differ from the others'.
#[derive(Debug)]
pub struct City {
    /// Its number, which names its random streams.
    pub index: u64,
    /// The folder.
    pub name: &'static str,
    /// The jurisdiction.
    pub jurisdiction: &'static str,
    /// Its part of all visits and people, in hundred thousands of inhabitants.
    pub share: u64,
    /// Its districts.
    pub districts: &'static [District],
    /// How many facilities it has.
    pub facilities: u16,
    /// Parts of the population born in each decade from the 1930s to the 2020s.
    pub decades: [u32; 10],
    /// Visits by month: January to December.
    pub months: [u32; 12],
    /// What costs are multiplied by, in thousandths: prices and money of the place.
    pub cost: u32,
    /// The mean wait, in minutes, before the specialty's and the day's part.
    pub wait: u32,
    /// The longest wait beyond that, in minutes.
    pub wait_tail: u32,
    /// Air stations.
    pub stations: &'static [&'static str],
    /// What air pollution is multiplied by, in hundredths.
    pub air: u32,
}

const fn at(local: &'static str, common: &'static str, weight: u32, latitude: i32, longitude: i32) -> District {
    District { local, common, weight, latitude, longitude }
}

/// Shenzhen, Hong Kong and Macau.
pub static CITIES: [City; 3] = [
    City {
        index: 0,
        name: "shenzhen",
        jurisdiction: "CN-SZ",
        share: 175,
        districts: &[
            at("福田区", "Futian", 155, 225_410, 1_140_500),
            at("罗湖区", "Luohu", 114, 225_480, 1_141_310),
            at("盐田区", "Yantian", 21, 225_560, 1_142_370),
            at("南山区", "Nanshan", 180, 225_330, 1_139_300),
            at("宝安区", "Baoan", 447, 225_550, 1_138_830),
            at("龙岗区", "Longgang", 398, 227_200, 1_142_470),
            at("龙华区", "Longhua", 253, 226_960, 1_140_450),
            at("坪山区", "Pingshan", 55, 227_080, 1_143_460),
            at("光明区", "Guangming", 110, 227_490, 1_139_360),
            at("大鹏新区", "Dapeng", 16, 225_950, 1_144_800),
            at("深汕特别合作区", "Shenshan", 0, 228_090, 1_150_240),
        ],
        facilities: 96,
        decades: [8, 18, 35, 60, 95, 190, 255, 180, 110, 50],
        months: [112, 98, 104, 97, 101, 103, 98, 92, 96, 94, 103, 118],
        cost: 1000,
        wait: 12,
        wait_tail: 260,
        stations: &["莲花", "华侨城", "西乡", "荔园", "洪湖", "盐田", "龙岗", "葵涌", "南澳", "观澜", "光明"],
        air: 115,
    },
    City {
        index: 1,
        name: "hongkong",
        jurisdiction: "HK",
        share: 75,
        districts: &[
            at("Central & Western", "Central and Western", 235, 222_860, 1_141_540),
            at("Wan Chai", "Wan Chai", 166, 222_790, 1_141_720),
            at("Eastern", "Eastern", 529, 222_840, 1_142_240),
            at("Southern", "Southern", 263, 222_470, 1_141_590),
            at("Yau Tsim Mong", "Yau Tsim Mong", 310, 223_130, 1_141_710),
            at("Sham Shui Po", "Sham Shui Po", 431, 223_310, 1_141_590),
            at("Kowloon City", "Kowloon City", 410, 223_280, 1_141_910),
            at("Wong Tai Sin", "Wong Tai Sin", 406, 223_420, 1_141_940),
            at("Kwun Tong", "Kwun Tong", 673, 223_130, 1_142_260),
            at("Kwai Tsing", "Kwai Tsing", 495, 223_550, 1_141_280),
            at("Tsuen Wan", "Tsuen Wan", 320, 223_710, 1_141_130),
            at("Tuen Mun", "Tuen Mun", 506, 223_910, 1_139_770),
            at("Yuen Long", "Yuen Long", 669, 224_450, 1_140_220),
            at("North", "North", 309, 224_940, 1_141_380),
            at("Tai Po", "Tai Po", 316, 224_510, 1_141_640),
            at("Sha Tin", "Sha Tin", 692, 223_870, 1_141_950),
            at("Sai Kung", "Sai Kung", 489, 223_810, 1_142_710),
            at("Islands", "Islands", 185, 222_610, 1_139_460),
        ],
        facilities: 43,
        decades: [45, 80, 135, 165, 150, 145, 115, 75, 60, 30],
        months: [108, 104, 106, 98, 97, 103, 108, 95, 92, 94, 96, 101],
        cost: 3200,
        wait: 35,
        wait_tail: 420,
        stations: &[
            "Central",
            "Eastern",
            "Kwun Tong",
            "Sham Shui Po",
            "Kwai Chung",
            "Tsuen Wan",
            "Tseung Kwan O",
            "Yuen Long",
            "Tuen Mun",
            "Tung Chung",
            "Tai Po",
            "Sha Tin",
            "North",
            "Tap Mun",
            "Southern",
            "Causeway Bay",
            "Mong Kok",
            "Hung Hom",
        ],
        air: 90,
    },
    City {
        index: 2,
        name: "macau",
        jurisdiction: "MO",
        share: 7,
        districts: &[
            at("Nossa Senhora de Fátima", "Fatima", 250, 222_080, 1_135_490),
            at("Santo António", "Santo Antonio", 138, 222_010, 1_135_420),
            at("São Lázaro", "Sao Lazaro", 33, 221_970, 1_135_480),
            at("São Lourenço", "Sao Lourenco", 53, 221_900, 1_135_380),
            at("Sé", "Se", 54, 221_930, 1_135_440),
            at("Nossa Senhora do Carmo", "Taipa", 128, 221_550, 1_135_580),
            at("Zona do Aterro de Cotai", "Cotai", 8, 221_410, 1_135_620),
            at("São Francisco Xavier", "Coloane", 0, 221_210, 1_135_590),
        ],
        facilities: 9,
        decades: [25, 50, 95, 125, 130, 165, 170, 95, 95, 50],
        months: [109, 101, 103, 99, 98, 101, 102, 95, 94, 95, 99, 104],
        cost: 2500,
        wait: 20,
        wait_tail: 300,
        stations: &[
            "Berma da estrada",
            "Norte da zona residencial",
            "Taipa residencial",
            "Taipa ambiental",
            "Coloane ambiental",
            "Ká-Hó",
        ],
        air: 95,
    },
];

/// A hospital or clinic.
#[derive(Debug, Clone)]
pub struct Facility {
    /// Its code, unique over the three cities.
    pub code: String,
    /// Whether it has beds.
    pub hospital: bool,
    /// Its beds.
    pub beds: u16,
    /// Its district, as a place in [`City::districts`].
    pub district: usize,
    /// Its number among those of its district, from 1.
    pub ordinal: u16,
    /// Degrees north.
    pub latitude: f64,
    /// Degrees east.
    pub longitude: f64,
}

/// The facilities of a city, the same for every seed. The largest come first.
#[must_use]
pub fn facilities(city: &City) -> Vec<Facility> {
    let prefix = city.jurisdiction.get(city.jurisdiction.len().saturating_sub(2)..).unwrap_or("XX");
    let mut ordinals = vec![0_u16; city.districts.len()];
    (0..city.facilities)
        .map(|number| {
            let mut random = Random::of(0, 40 + city.index, u64::from(number));
            let district = usize::from(number) % city.districts.len();
            ordinals[district] += 1;
            let hospital = number < city.facilities.div_ceil(3);
            let place = city.districts[district];
            let mut near =
                |middle: i32| f64::from(middle + i32::try_from(random.below(300)).unwrap_or(0) - 150) / 10_000.0;
            let (latitude, longitude) = (near(place.latitude), near(place.longitude));
            let beds = if hospital { 120 + u16::try_from(random.skewed() / 350).unwrap_or(0) } else { 0 };
            let code = format!("{prefix}-{}{number:03}", if hospital { 'H' } else { 'C' });
            Facility { code, hospital, beds, district, ordinal: ordinals[district], latitude, longitude }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn cities_are_in_proportion_and_facilities_have_codes_of_their_own() {
        assert_eq!(CITIES.each_ref().map(|city| city.share), [175, 75, 7]);
        let codes: HashSet<String> = CITIES.iter().flat_map(facilities).map(|facility| facility.code).collect();
        assert_eq!(codes.len(), 96 + 43 + 9);
        assert!(codes.contains("SZ-H000") && codes.contains("HK-C042") && codes.contains("MO-H002"));
    }
}
