//! Records as each city writes them: format, columns, codes, units, dates and script are its own.

mod frame;
mod hongkong;
mod lists;
mod macau;
mod shenzhen;

use std::path::Path;

use crate::error::Error;
use crate::options::Options;
use crate::places::City;
use crate::visits::Population;
use crate::write::Tally;

/// Notes that a doctor might leave, in the city's language; the sealed column of visits. None speaks of anybody.
pub const NOTES: [[&str; 6]; 3] = [
    [
        "患者主诉头晕三天，建议复查。",
        "术后恢复良好，一周后换药。",
        "已开药，注意休息，多饮水。",
        "建议转上级医院进一步检查。",
        "血压偏高，调整用药。",
        "家属陪同，已告知注意事项。",
    ],
    [
        "Patient c/o dizziness for 3 days, review in 2 weeks.",
        "術後康復良好，一星期後覆診。",
        "Advised rest, fluids; script given.",
        "Refer to specialist clinic, routine.",
        "血壓偏高，調整藥物。",
        "Attended with family, \"red flags\" explained.",
    ],
    [
        "Doente refere tonturas há três dias; rever em duas semanas.",
        "Boa recuperação pós-operatória.",
        "Prescrita medicação; repouso.",
        "術後恢復良好，一週後覆診。",
        "Tensão arterial elevada; ajustada a terapêutica.",
        "Acompanhado pela família; explicados os sinais de alarme.",
    ],
];

/// Rows that a city will write.
#[must_use]
pub(crate) fn rows(population: &Population, options: &Options) -> u64 {
    let air = u64::from(options.air_days) * 24 * population.city.stations.len() as u64;
    population.visit_count() + population.people.len() as u64 + air
}

/// Writes everything of one city below `root`, its own folder.
pub(crate) fn write(
    root: &Path,
    population: &Population,
    options: &Options,
    tally: &mut Tally<'_>,
) -> Result<(), Error> {
    match population.city.jurisdiction {
        "CN-SZ" => shenzhen::write(root, population, options, tally),
        "HK" => hongkong::write(root, population, options, tally),
        _ => macau::write(root, population, options, tally),
    }
}

/// The note of a visit: empty, one of the city's, or a canary's.
fn note(population: &Population, person: usize, note: u8) -> String {
    let (city, person) = (population.city, &population.people[person]);
    if person.canary > 0 {
        return crate::canary::note(city, person.canary);
    }
    let notes = NOTES.get(city.index as usize);
    notes
        .and_then(|notes| notes.get(usize::from(note).wrapping_sub(1)))
        .map_or_else(String::new, |note| (*note).to_owned())
}

/// Appends a person's telephone number, in a column that no manifest declares.
fn push_telephone(out: &mut String, city: &City, person: &crate::people::Person) {
    if person.canary > 0 {
        out.push_str(&crate::canary::telephone(city, person.canary));
        return;
    }
    // Not numbers that anybody could have: no network uses these beginnings.
    out.push_str(["00", "0000 ", "0"][city.index as usize % 3]);
    crate::text::push_padded(out, person.name % 100_000_000, 8);
}
