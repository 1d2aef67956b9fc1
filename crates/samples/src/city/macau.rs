//! Macau: NDJSON, Portuguese keys, ISO dates as text, ICD-10, years of birth, sex as homem and mulher (`M` is female).

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
use crate::text::{push_hundredths, push_int, push_json, push_tenths};
use crate::visits::Population;
use crate::write::{Lines, Tally};

pub fn write(root: &Path, population: &Population, options: &Options, tally: &mut Tally<'_>) -> Result<(), Error> {
    tally.begin("Macau: consultas");
    visits(root, population, tally)?;
    tally.begin("Macau: utentes");
    patients(root, population, tally)?;
    facilities(root, population)?;
    list(root, "codigos/capitulos.ndjson", &lists::chapters())?;
    list(root, "codigos/especialidades.ndjson", &lists::specialties())?;
    tally.begin("Macau: qualidade do ar");
    hourly(root, population, options, tally)
}

/// One JSON object under construction.
struct Object<'a> {
    out: &'a mut String,
    first: bool,
}

impl<'a> Object<'a> {
    fn begin(out: &'a mut String) -> Self {
        out.push('{');
        Self { out, first: true }
    }

    fn key(&mut self, key: &str) -> &mut String {
        if !self.first {
            self.out.push(',');
        }
        self.first = false;
        push_json(self.out, key);
        self.out.push(':');
        self.out
    }

    fn text(&mut self, key: &str, value: &str) {
        push_json(self.key(key), value);
    }

    fn number(&mut self, key: &str, value: Option<i64>, push: fn(&mut String, i64)) {
        let out = self.key(key);
        match value {
            Some(value) => push(out, value),
            None => out.push_str("null"),
        }
    }

    fn bool(&mut self, key: &str, value: bool) {
        self.key(key).push_str(if value { "true" } else { "false" });
    }

    fn end(self) {
        self.out.push('}');
    }
}

/// `H` homem, `M` mulher, as Portuguese statistics have it.
fn push_sex(object: &mut Object<'_>, sex: Sex) {
    match sex {
        Sex::Male => object.text("sexo", "H"),
        Sex::Female => object.text("sexo", "M"),
        Sex::Unknown => object.key("sexo").push_str("null"),
    }
}

fn visits(root: &Path, population: &Population, tally: &mut Tally<'_>) -> Result<(), Error> {
    let mut lines = Lines::create(root.join("saude/consultas.ndjson"), "")?;
    let city = population.city;
    let mut scratch = String::new();
    for visit in population.visits() {
        let person = &population.people[visit.person as usize];
        let day = &population.days[usize::from(visit.day)];
        let mut object = Object::begin(&mut lines.text);
        let mut person_text = |object: &mut Object<'_>, key: &str, push: &dyn Fn(&mut String)| {
            scratch.clear();
            push(&mut scratch);
            object.text(key, &scratch);
        };
        person_text(&mut object, "bir", &|out| push_person_id(out, city, person, population.seed));
        person_text(&mut object, "nome", &|out| push_name(out, city, person));
        person_text(&mut object, "telefone", &|out| super::push_telephone(out, city, person));
        object.text("data", &day.iso);
        object.text("unidade", &population.facilities[usize::from(visit.facility)].code);
        object.text("especialidade", SPECIALTIES[usize::from(visit.specialty)].macau);
        object.text("cid10", visit.diagnosis.icd10);
        object.number("custo_mop", Some(visit.cost), push_hundredths);
        object.number("espera_min", visit.waiting.map(i64::from), push_int);
        push_sex(&mut object, person.sex);
        object.number("ano_nascimento", Some(i64::from(person.birth_year)), push_int);
        object.text("freguesia", city.districts[usize::from(person.district)].local);
        object.bool("urgencia", visit.emergency);
        object.text("observacoes", &super::note(population, visit.person as usize, visit.note));
        object.end();
        lines.end()?;
        tally.row();
    }
    lines.finish()
}

fn patients(root: &Path, population: &Population, tally: &mut Tally<'_>) -> Result<(), Error> {
    let mut lines = Lines::create(root.join("saude/utentes.ndjson"), "")?;
    let city = population.city;
    let register = days(REGISTER_FROM, 2024);
    let (mut id, mut name) = (String::new(), String::new());
    for person in &population.people {
        [&mut id, &mut name].into_iter().for_each(String::clear);
        push_person_id(&mut id, city, person, population.seed);
        push_name(&mut name, city, person);
        let mut object = Object::begin(&mut lines.text);
        object.text("bir", &id);
        object.text("nome", &name);
        object.number("ano_nascimento", Some(i64::from(person.birth_year)), push_int);
        push_sex(&mut object, person.sex);
        object.text("freguesia", city.districts[usize::from(person.district)].local);
        object.text("inscrito_em", register.get(usize::from(person.enrolled)).map_or("", |day: &Day| &day.iso));
        object.bool("doente_cronico", person.chronic);
        object.number("imc", person.bmi.map(i64::from), push_tenths);
        object.end();
        lines.end()?;
        tally.row();
    }
    lines.finish()
}

fn facilities(root: &Path, population: &Population) -> Result<(), Error> {
    let mut lines = Lines::create(root.join("saude/unidades.ndjson"), "")?;
    for facility in &population.facilities {
        let district = population.city.districts[facility.district].local;
        let kind = if facility.hospital { "Hospital" } else { "Centro de saúde" };
        let mut object = Object::begin(&mut lines.text);
        object.text("codigo", &facility.code);
        object.text("nome_pt", &format!("{kind} n.º {} de {district} (exemplo)", facility.ordinal));
        object.text(
            "nome_zh",
            &format!("第{}{}（示例）", facility.ordinal, if facility.hospital { "醫院" } else { "衛生中心" }),
        );
        object.text("tipo", kind);
        object.number("camas", Some(i64::from(facility.beds)), push_int);
        object.text("freguesia", district);
        // Writing to a String does not fail.
        let _ = write!(object.key("latitude"), "{:.4}", facility.latitude);
        let _ = write!(object.key("longitude"), "{:.4}", facility.longitude);
        object.end();
        lines.end()?;
    }
    lines.finish()
}

fn list(root: &Path, file: &str, list: &List) -> Result<(), Error> {
    let mut lines = Lines::create(root.join(file), "")?;
    for row in &list.rows {
        let mut object = Object::begin(&mut lines.text);
        for (key, value) in list.columns.iter().zip(row) {
            object.text(key, value);
        }
        object.end();
        lines.end()?;
    }
    lines.finish()
}

/// Values are text with `-` for a gap, carbon monoxide in mg/m³, hours from 0 to 23.
fn hourly(root: &Path, population: &Population, options: &Options, tally: &mut Tally<'_>) -> Result<(), Error> {
    let mut lines = Lines::create(root.join("ar/horario.ndjson"), "")?;
    let year = days(2024, 2024);
    let mut text = String::new();
    for hour in 0..u32::from(options.air_days) * 24 {
        let date = year.get((hour / 24) as usize).map_or("", |day: &Day| &day.iso);
        for (station, name) in population.city.stations.iter().enumerate() {
            let reading = air::reading(population.city, station, hour, options.seed);
            let mut object = Object::begin(&mut lines.text);
            object.text("estacao", name);
            object.text("data", date);
            object.number("hora", Some(i64::from(hour % 24)), push_int);
            object.number("iqa", Some(i64::from(air::aqi(&reading).0)), push_int);
            for (key, value, push) in [
                ("pm2_5", reading.pm25, push_int as fn(&mut String, i64)),
                ("pm10", reading.pm10, push_int),
                ("no2", reading.no2, push_int),
                ("o3", reading.o3, push_int),
                ("so2", reading.so2, push_int),
                ("co", reading.co, push_hundredths),
            ] {
                text.clear();
                match value {
                    Some(value) => push(&mut text, i64::from(value)),
                    None => text.push('-'),
                }
                object.text(key, &text);
            }
            object.end();
            lines.end()?;
            tally.row();
        }
    }
    lines.finish()
}
