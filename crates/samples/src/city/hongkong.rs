//! Hong Kong: CSV, English headings, names and notes also in traditional Chinese, days first, ICD-9-CM, ages in bands.

use std::fmt::Write;
use std::path::Path;

use super::lists::{self, List};
use crate::air;
use crate::calendar::{Day, days};
use crate::codes::SPECIALTIES;
use crate::error::Error;
use crate::ids::push_person_id;
use crate::options::Options;
use crate::people::{REGISTER_FROM, Sex, push_name};
use crate::rates;
use crate::text::{push_csv, push_hundredths, push_int, push_padded, push_tenths};
use crate::visits::{Population, age};
use crate::write::{Lines, Tally};

pub fn write(root: &Path, population: &Population, options: &Options, tally: &mut Tally<'_>) -> Result<(), Error> {
    tally.begin("Hong Kong: attendances");
    attendances(root, population, tally)?;
    tally.begin("Hong Kong: patient index");
    patients(root, population, tally)?;
    facilities(root, population)?;
    list(root, "codes/diagnosis_chapters.csv", &lists::chapters())?;
    list(root, "codes/specialties.csv", &lists::specialties())?;
    exchange_rates(root, population)?;
    tally.begin("Hong Kong: air quality");
    hourly(root, population, options, tally)
}

fn sex(sex: Sex) -> &'static str {
    match sex {
        Sex::Unknown => "U",
        Sex::Male => "M",
        Sex::Female => "F",
    }
}

fn band(age: u16) -> &'static str {
    match age {
        0..=4 => "0-4",
        5..=14 => "5-14",
        15..=24 => "15-24",
        25..=34 => "25-34",
        35..=44 => "35-44",
        45..=54 => "45-54",
        55..=64 => "55-64",
        65..=74 => "65-74",
        _ => "75+",
    }
}

fn yes(value: bool) -> &'static str {
    if value { "Y" } else { "N" }
}

fn attendances(root: &Path, population: &Population, tally: &mut Tally<'_>) -> Result<(), Error> {
    let header = "HKID,Patient Name,Telephone,Attendance Date,Hospital Code,Specialty,Diagnosis (ICD-9-CM),Charge (HKD),\
                  Waiting (min),Sex,Age Group,District,A&E,Remarks\n";
    let mut lines = Lines::create(root.join("health/attendances.csv"), header)?;
    let city = population.city;
    let mut name = String::new();
    for visit in population.visits() {
        let person = &population.people[visit.person as usize];
        let day = &population.days[usize::from(visit.day)];
        let out = &mut lines.text;
        push_person_id(out, city, person, population.seed);
        out.push(',');
        name.clear();
        push_name(&mut name, city, person);
        push_csv(out, &name);
        out.push(',');
        super::push_telephone(out, city, person);
        for field in [
            day.day_first.as_str(),
            &population.facilities[usize::from(visit.facility)].code,
            SPECIALTIES[usize::from(visit.specialty)].hong_kong,
            visit.diagnosis.icd9,
        ] {
            out.push(',');
            out.push_str(field);
        }
        out.push(',');
        push_hundredths(out, visit.cost);
        out.push(',');
        if let Some(waiting) = visit.waiting {
            push_int(out, i64::from(waiting));
        }
        let district = city.districts[usize::from(person.district)].local;
        for field in [sex(person.sex), band(age(person, day)), district, yes(visit.emergency)] {
            out.push(',');
            out.push_str(field);
        }
        out.push(',');
        push_csv(out, &super::note(population, visit.person as usize, visit.note));
        lines.end()?;
        tally.row();
    }
    lines.finish()
}

fn patients(root: &Path, population: &Population, tally: &mut Tally<'_>) -> Result<(), Error> {
    let header = "HKID,Patient Name,Year of Birth,Sex,District,Registered On,Chronic,BMI\n";
    let mut lines = Lines::create(root.join("health/patient_index.csv"), header)?;
    let city = population.city;
    let register = days(REGISTER_FROM, 2024);
    let mut name = String::new();
    for person in &population.people {
        let out = &mut lines.text;
        push_person_id(out, city, person, population.seed);
        out.push(',');
        name.clear();
        push_name(&mut name, city, person);
        push_csv(out, &name);
        out.push(',');
        push_int(out, i64::from(person.birth_year));
        let registered = register.get(usize::from(person.enrolled)).map_or("", |day: &Day| &day.day_first);
        let district = city.districts[usize::from(person.district)].local;
        for field in [sex(person.sex), district, registered, yes(person.chronic)] {
            out.push(',');
            out.push_str(field);
        }
        out.push(',');
        if let Some(bmi) = person.bmi {
            push_tenths(out, i64::from(bmi));
        }
        lines.end()?;
        tally.row();
    }
    lines.finish()
}

fn facilities(root: &Path, population: &Population) -> Result<(), Error> {
    let header = "Hospital Code,Institution,機構,Type,Beds,District,Latitude,Longitude\n";
    let mut lines = Lines::create(root.join("health/facilities.csv"), header)?;
    for facility in &population.facilities {
        let district = population.city.districts[facility.district].local;
        let (kind, chinese) = if facility.hospital { ("Hospital", "醫院") } else { ("Clinic", "診所") };
        let number = facility.ordinal;
        // Writing to a String does not fail.
        let _ = write!(
            lines.text,
            "{},{district} {kind} {number} (example),第{number}{chinese}（示例）,{kind},{},{district},{:.4},{:.4}",
            facility.code, facility.beds, facility.latitude, facility.longitude
        );
        lines.end()?;
    }
    lines.finish()
}

fn list(root: &Path, file: &str, list: &List) -> Result<(), Error> {
    let mut lines = Lines::create(root.join(file), &(list.columns.join(",") + "\n"))?;
    for row in &list.rows {
        for (number, value) in row.iter().enumerate() {
            if number > 0 {
                lines.text.push(',');
            }
            push_csv(&mut lines.text, value);
        }
        lines.end()?;
    }
    lines.finish()
}

/// A rate for each day and currency; only Hong Kong publishes them.
fn exchange_rates(root: &Path, population: &Population) -> Result<(), Error> {
    let mut lines = Lines::create(root.join("finance/rates.csv"), "Date,Currency,CNY per unit\n")?;
    for (number, day) in (0_u64..).zip(&population.days) {
        for (currency, rate) in rates::on(number, population.seed) {
            lines.text.push_str(&day.day_first);
            lines.text.push(',');
            lines.text.push_str(currency);
            lines.text.push(',');
            push_padded(&mut lines.text, rate.unsigned_abs() / 1_000_000, 1);
            lines.text.push('.');
            push_padded(&mut lines.text, rate.unsigned_abs() % 1_000_000, 6);
            lines.end()?;
        }
    }
    lines.finish()
}

/// Hours count from 1 to 24 and are named by their end; `N.A.` is a gap; carbon monoxide is in 10 µg/m³.
fn hourly(root: &Path, population: &Population, options: &Options, tally: &mut Tally<'_>) -> Result<(), Error> {
    let header = "Station,Date,Hour,AQHI,PM2.5,PM10,NO2,O3,SO2,CO\n";
    let mut lines = Lines::create(root.join("air/hourly.csv"), header)?;
    let year = days(2024, 2024);
    for hour in 0..u32::from(options.air_days) * 24 {
        let date = year.get((hour / 24) as usize).map_or("", |day: &Day| &day.day_first);
        for (station, name) in population.city.stations.iter().enumerate() {
            let reading = air::reading(population.city, station, hour, options.seed);
            let out = &mut lines.text;
            for part in [*name, ",", date, ","] {
                out.push_str(part);
            }
            push_int(out, i64::from(hour % 24 + 1));
            match air::aqhi(&reading) {
                11 => out.push_str(",10+"),
                index => {
                    out.push(',');
                    push_int(out, i64::from(index));
                }
            }
            for value in [reading.pm25, reading.pm10, reading.no2, reading.o3, reading.so2, reading.co] {
                out.push(',');
                match value {
                    Some(value) => push_int(out, i64::from(value)),
                    None => out.push_str("N.A."),
                }
            }
            lines.end()?;
            tally.row();
        }
    }
    lines.finish()
}
