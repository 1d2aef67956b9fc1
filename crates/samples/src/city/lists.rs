//! The code lists that every city holds a copy of.

use crate::codes::{CHAPTERS, SPECIALTIES};

/// A code list: its columns and rows, all text.
pub struct List {
    pub columns: &'static [&'static str],
    pub rows: Vec<Vec<&'static str>>,
}

/// The chapters of diagnoses.
pub fn chapters() -> List {
    let columns = &["chapter", "first_code", "last_code", "name_en", "name_zh_hans", "name_zh_hant", "name_pt"];
    List { columns, rows: CHAPTERS.iter().map(|c| vec![c.0, c.1, c.2, c.3, c.4, c.5, c.6]).collect() }
}

/// The specialties.
pub fn specialties() -> List {
    let columns = &["specialty", "name_en", "name_zh_hans", "name_zh_hant", "name_pt"];
    let rows = SPECIALTIES.iter().map(|s| vec![s.code, s.english, s.simplified, s.traditional, s.portuguese]).collect();
    List { columns, rows }
}
