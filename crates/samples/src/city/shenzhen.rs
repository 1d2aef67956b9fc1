//! Shenzhen: Parquet, columns in simplified Chinese, dates as dates, ICD-10, sex by GB/T 2261.1, age in years.

use std::path::Path;

use super::frame::{Frame, Kind};
use super::lists::{self, List};
use crate::air;
use crate::codes::SPECIALTIES;
use crate::error::Error;
use crate::ids::push_person_id;
use crate::options::Options;
use crate::people::{REGISTER_FROM, Sex, push_name};
use crate::text::{push_hundredths, push_int};
use crate::visits::{Population, age};
use crate::write::Tally;

pub fn write(root: &Path, population: &Population, options: &Options, tally: &mut Tally<'_>) -> Result<(), Error> {
    tally.begin("Shenzhen: health visits");
    visits(root, population, tally)?;
    tally.begin("Shenzhen: insured persons");
    insured(root, population, tally)?;
    facilities(root, population)?;
    list(root, "codes/diagnosis_chapters.parquet", &lists::chapters())?;
    list(root, "codes/specialties.parquet", &lists::specialties())?;
    tally.begin("Shenzhen: air quality");
    hourly(root, population, options, tally)
}

/// Codes of GB/T 2261.1: 0 unknown, 1 male, 2 female.
fn sex(sex: Sex) -> &'static str {
    match sex {
        Sex::Unknown => "0",
        Sex::Male => "1",
        Sex::Female => "2",
    }
}

const VISITS: &[(&str, Kind)] = &[
    ("证件号码", Kind::Text),
    ("姓名", Kind::Text),
    ("联系电话", Kind::Text),
    ("就诊日期", Kind::Date),
    ("机构代码", Kind::Text),
    ("科室代码", Kind::Text),
    ("诊断编码", Kind::Text),
    ("总费用", Kind::Money),
    ("候诊分钟", Kind::Int),
    ("性别代码", Kind::Text),
    ("年龄", Kind::Int),
    ("居住区", Kind::Text),
    ("急诊", Kind::Bool),
    ("病情摘要", Kind::Text),
];

/// One file for each year.
fn visits(root: &Path, population: &Population, tally: &mut Tally<'_>) -> Result<(), Error> {
    let (city, mut year, mut open) = (population.city, 0, None::<Frame>);
    let (mut id, mut name, mut telephone) = (String::new(), String::new(), String::new());
    for visit in population.visits() {
        let person = &population.people[visit.person as usize];
        let day = &population.days[usize::from(visit.day)];
        if day.year != year {
            year = day.year;
            if let Some(frame) = open.take() {
                frame.finish()?;
            }
        }
        let frame = match &mut open {
            Some(frame) => frame,
            none => none.insert(Frame::create(root.join(format!("health/visits/visits-{year}.parquet")), VISITS)?),
        };
        [&mut id, &mut name, &mut telephone].into_iter().for_each(String::clear);
        push_person_id(&mut id, city, person, population.seed);
        push_name(&mut name, city, person);
        super::push_telephone(&mut telephone, city, person);
        let note = super::note(population, visit.person as usize, visit.note);
        frame.text(Some(&id)).text(Some(&name)).text(Some(&telephone)).date(Some(day.epoch));
        frame.text(Some(&population.facilities[usize::from(visit.facility)].code));
        frame.text(Some(SPECIALTIES[usize::from(visit.specialty)].shenzhen)).text(Some(visit.diagnosis.icd10));
        frame.money(Some(i128::from(visit.cost))).int(visit.waiting.map(i32::from)).text(Some(sex(person.sex)));
        frame.int(Some(i32::from(age(person, day)))).text(Some(city.districts[usize::from(person.district)].local));
        frame.bool(Some(visit.emergency)).text((!note.is_empty()).then_some(&note)).end()?;
        tally.row();
    }
    open.map_or(Ok(()), Frame::finish)
}

fn insured(root: &Path, population: &Population, tally: &mut Tally<'_>) -> Result<(), Error> {
    let city = population.city;
    let columns = [
        ("证件号码", Kind::Text),
        ("姓名", Kind::Text),
        ("出生年份", Kind::Int),
        ("性别代码", Kind::Text),
        ("居住区", Kind::Text),
        ("参保日期", Kind::Date),
        ("慢病标志", Kind::Bool),
        ("体重指数", Kind::Float),
    ];
    let mut frame = Frame::create(root.join("health/insured.parquet"), &columns)?;
    let register = crate::calendar::days(REGISTER_FROM, REGISTER_FROM).first().map_or(0, |day| day.epoch);
    let (mut id, mut name) = (String::new(), String::new());
    for person in &population.people {
        [&mut id, &mut name].into_iter().for_each(String::clear);
        push_person_id(&mut id, city, person, population.seed);
        push_name(&mut name, city, person);
        frame.text(Some(&id)).text(Some(&name)).int(Some(i32::from(person.birth_year))).text(Some(sex(person.sex)));
        frame
            .text(Some(city.districts[usize::from(person.district)].local))
            .date(Some(register + i32::from(person.enrolled)));
        frame.bool(Some(person.chronic)).float(person.bmi.map(|bmi| f64::from(bmi) / 10.0)).end()?;
        tally.row();
    }
    frame.finish()
}

fn facilities(root: &Path, population: &Population) -> Result<(), Error> {
    let columns = [
        ("机构代码", Kind::Text),
        ("机构名称", Kind::Text),
        ("机构类型", Kind::Text),
        ("床位数", Kind::Int),
        ("行政区", Kind::Text),
        ("纬度", Kind::Float),
        ("经度", Kind::Float),
    ];
    let mut frame = Frame::create(root.join("health/facilities.parquet"), &columns)?;
    for facility in &population.facilities {
        let district = population.city.districts[facility.district].local;
        let kind = if facility.hospital { "医院" } else { "社区健康服务中心" };
        let name = format!("{district}第{}{kind}（示例）", facility.ordinal);
        frame.text(Some(&facility.code)).text(Some(&name)).text(Some(kind)).int(Some(i32::from(facility.beds)));
        frame.text(Some(district)).float(Some(facility.latitude)).float(Some(facility.longitude)).end()?;
    }
    frame.finish()
}

fn list(root: &Path, file: &str, list: &List) -> Result<(), Error> {
    let columns: Vec<(&str, Kind)> = list.columns.iter().map(|name| (*name, Kind::Text)).collect();
    let mut frame = Frame::create(root.join(file), &columns)?;
    for row in &list.rows {
        for value in row {
            frame.text(Some(value));
        }
        frame.end()?;
    }
    frame.finish()
}

/// Values are text with `-` for a gap, carbon monoxide in mg/m³, the time of day as a timestamp.
fn hourly(root: &Path, population: &Population, options: &Options, tally: &mut Tally<'_>) -> Result<(), Error> {
    let columns = [
        ("监测点", Kind::Text),
        ("时间", Kind::Time),
        ("AQI", Kind::Text),
        ("首要污染物", Kind::Text),
        ("PM2.5", Kind::Text),
        ("PM10", Kind::Text),
        ("NO2", Kind::Text),
        ("O3", Kind::Text),
        ("SO2", Kind::Text),
        ("CO", Kind::Text),
    ];
    let mut frame = Frame::create(root.join("air/hourly.parquet"), &columns)?;
    let start = crate::calendar::days(2024, 2024).first().map_or(0, |day| i64::from(day.epoch));
    let mut text = String::new();
    for hour in 0..u32::from(options.air_days) * 24 {
        for (station, name) in population.city.stations.iter().enumerate() {
            let reading = air::reading(population.city, station, hour, options.seed);
            let (aqi, worst) = air::aqi(&reading);
            frame.text(Some(name)).time(Some((start * 24 + i64::from(hour)) * 3_600_000_000));
            number(&mut frame, &mut text, Some(aqi), push_int);
            frame.text(Some(worst));
            for value in [reading.pm25, reading.pm10, reading.no2, reading.o3, reading.so2] {
                number(&mut frame, &mut text, value, push_int);
            }
            number(&mut frame, &mut text, reading.co, push_hundredths);
            frame.end()?;
            tally.row();
        }
    }
    frame.finish()
}

fn number(frame: &mut Frame, text: &mut String, value: Option<u32>, push: fn(&mut String, i64)) {
    text.clear();
    match value {
        Some(value) => push(text, i64::from(value)),
        None => text.push('-'),
    }
    frame.text(Some(text));
}
