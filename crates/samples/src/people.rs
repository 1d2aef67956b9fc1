//! The invented people of a city. Everything about a person follows from the seed and the person's number.

use crate::canary;
use crate::places::City;
use crate::planted;
use crate::random::{Random, Wheel, mix};

/// Sex, as recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sex {
    /// Female.
    Female,
    /// Male.
    Male,
    /// Not recorded.
    Unknown,
}

/// A person.
#[derive(Debug, Clone)]
pub struct Person {
    /// The number in its city, from 0.
    pub number: u32,
    /// Year of birth.
    pub birth_year: u16,
    /// Sex, as recorded.
    pub sex: Sex,
    /// The district of residence, as a place in [`City::districts`].
    pub district: u8,
    /// When the person was entered in the register: days since 1 January 2010.
    pub enrolled: u16,
    /// Whether the person has a chronic disease.
    pub chronic: bool,
    /// Body mass index in tenths of kg/m², where it was measured.
    pub bmi: Option<u16>,
    /// What the name is made from.
    pub name: u64,
    /// Which canary the person is, from 1; 0 for none.
    pub canary: u8,
}

/// The first year in which persons were entered in a register.
pub const REGISTER_FROM: i16 = 2010;
/// Days from 1 January 2010 to 31 December 2024.
const REGISTER_DAYS: u32 = 5479;

/// One person of a city, without its wheels: slow, for single use.
#[must_use]
pub fn person(city: &City, number: u32, seed: u64) -> Person {
    Wheels::new(city).person(city, number, seed)
}

/// Everybody in a city: `count` persons, and after them the canaries if there are to be some.
#[must_use]
pub fn people(city: &City, count: u32, canaries: bool, seed: u64) -> Vec<Person> {
    let wheels = Wheels::new(city);
    let mut people: Vec<Person> = (0..count).map(|number| wheels.person(city, number, seed)).collect();
    if canaries {
        for (number, canary) in (count..).zip(1..=canary::PERSONS) {
            people.push(Person { canary, ..wheels.person(city, number, seed) });
        }
    }
    people
}

struct Wheels {
    decades: Wheel,
    districts: Wheel,
}

impl Wheels {
    fn new(city: &City) -> Self {
        let weights: Vec<u32> = city.districts.iter().map(|district| district.weight).collect();
        Self { decades: Wheel::new(&city.decades), districts: Wheel::new(&weights) }
    }

    fn person(&self, city: &City, number: u32, seed: u64) -> Person {
        let mut random = Random::of(seed, 10 + city.index, u64::from(number));
        // The 2020s have only begun: nobody is born after the first year of visits.
        let decade = u32::from(self.decades.draw(&mut random));
        let birth_year = 1930 + decade * 10 + random.below(if decade == 9 { 4 } else { 10 });
        let age = 2024 - birth_year;
        let sex = match random.below(1000) {
            0..4 => Sex::Unknown,
            4..502 => Sex::Male,
            _ => Sex::Female,
        };
        let mut district = self.districts.draw(&mut random);
        if planted::in_rare_district(city, number) {
            district = (city.districts.len() - 1) as u8;
        }
        let chronic = random.per_mille(if age < 40 { 45 } else { 45 + (age - 40) * 11 });
        let enrolled = random.below(REGISTER_DAYS);
        let mut bmi = 165 + random.below(45) + random.below(45) + random.below(40);
        if chronic {
            bmi += 12;
        }
        Person {
            number,
            birth_year: birth_year as u16,
            sex,
            district,
            enrolled: enrolled as u16,
            chronic,
            bmi: (!random.per_mille(30)).then_some(bmi as u16),
            name: mix(random.next()),
            canary: 0,
        }
    }
}

/// Appends a name in the city's script: `陈小明`, `CHAN, Siu Ming 陳小明`, `Maria da Silva`. All are invented.
pub fn push_name(out: &mut String, city: &City, person: &Person) {
    if person.canary > 0 {
        out.push_str(&canary::name(city, person.canary));
        return;
    }
    let pick = |shift: u32, bound: usize| ((person.name >> shift) % bound as u64) as usize;
    match city.jurisdiction {
        "CN-SZ" => {
            out.push_str(SURNAMES[pick(0, SURNAMES.len())].0);
            out.push_str(GIVEN[pick(16, GIVEN.len())].0);
        }
        "HK" => {
            let (surname, given) = (SURNAMES[pick(0, SURNAMES.len())], GIVEN[pick(16, GIVEN.len())]);
            for part in [surname.2, ", ", given.2, " ", surname.1, given.1] {
                out.push_str(part);
            }
        }
        _ => {
            for part in [FIRST[pick(0, FIRST.len())], " ", LAST[pick(16, LAST.len())]] {
                out.push_str(part);
            }
        }
    }
}

/// Surnames: simplified, traditional, in Hong Kong's spelling.
const SURNAMES: [(&str, &str, &str); 20] = [
    ("陈", "陳", "CHAN"),
    ("黄", "黃", "WONG"),
    ("李", "李", "LEE"),
    ("张", "張", "CHEUNG"),
    ("刘", "劉", "LAU"),
    ("王", "王", "WONG"),
    ("吴", "吳", "NG"),
    ("林", "林", "LAM"),
    ("周", "周", "CHOW"),
    ("郑", "鄭", "CHENG"),
    ("梁", "梁", "LEUNG"),
    ("叶", "葉", "YIP"),
    ("何", "何", "HO"),
    ("罗", "羅", "LAW"),
    ("谢", "謝", "TSE"),
    ("许", "許", "HUI"),
    ("邓", "鄧", "TANG"),
    ("冯", "馮", "FUNG"),
    ("苏", "蘇", "SO"),
    ("萧", "蕭", "SIU"),
];

/// Given names: simplified, traditional, in Hong Kong's spelling.
const GIVEN: [(&str, &str, &str); 16] = [
    ("小明", "小明", "Siu Ming"),
    ("志强", "志強", "Chi Keung"),
    ("美玲", "美玲", "Mei Ling"),
    ("丽华", "麗華", "Lai Wah"),
    ("家豪", "家豪", "Ka Ho"),
    ("伟", "偉", "Wai"),
    ("淑芬", "淑芬", "Suk Fan"),
    ("子轩", "子軒", "Tsz Hin"),
    ("晓彤", "曉彤", "Hiu Tung"),
    ("国华", "國華", "Kwok Wah"),
    ("秀英", "秀英", "Sau Ying"),
    ("俊杰", "俊傑", "Chun Kit"),
    ("嘉欣", "嘉欣", "Ka Yan"),
    ("建国", "建國", "Kin Kwok"),
    ("思敏", "思敏", "Sze Man"),
    ("永康", "永康", "Wing Hong"),
];

const FIRST: [&str; 16] = [
    "Maria",
    "João",
    "Ana",
    "António",
    "Chan Mei",
    "Lei Wai",
    "Isabel",
    "Manuel",
    "Fong Ieng",
    "José",
    "Teresa",
    "Wong Sio",
    "Francisco",
    "Leong Kit",
    "Beatriz",
    "Ho Chi",
];

const LAST: [&str; 12] = [
    "da Silva",
    "dos Santos",
    "Xavier",
    "Rosário",
    "Kuan",
    "Sou",
    "de Assis",
    "Ferreira",
    "Lok",
    "Nogueira",
    "Iong",
    "Pereira",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::places::CITIES;

    #[test]
    fn planted_districts_hold_just_their_persons() {
        for city in &CITIES {
            let people = people(city, 5000, false, 3);
            let last = city.districts.len() - 1;
            let there = people.iter().filter(|person| usize::from(person.district) == last).count();
            let planted = planted::RARE_DISTRICT[usize::try_from(city.index).unwrap()];
            if planted > 0 {
                assert_eq!(there, planted as usize, "{}", city.name);
            } else {
                assert!(there > 50);
            }
        }
    }

    #[test]
    fn nobody_is_born_after_the_visits_begin_and_canaries_come_last() {
        let people = people(&CITIES[1], 2000, true, 3);
        assert!(people.iter().all(|person| (1930..=2023).contains(&person.birth_year)));
        assert_eq!(people.len(), 2000 + usize::from(canary::PERSONS));
        assert!(people.iter().all(|person| (person.canary > 0) == (person.number >= 2000)));
    }
}
