//! The declared columns among the fields of records of CSV.

use arrow::datatypes::DataType;

use crate::columns::Columns;
use crate::csv::{CsvField, CsvFields};
use crate::fault::Fault;
use crate::split::Marks;

/// Places of the declared columns among the fields of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    /// For each field of a record the declared column that it is.
    pub columns: Vec<Option<usize>>,
    /// Declared columns that are none of them, which are NULL in every record.
    pub absent: Vec<usize>,
}

impl Places {
    /// Finds the declared columns in the line with the names.
    ///
    /// # Errors
    /// The column that is missing or ambiguous.
    pub fn by_name(declared: &Columns, names: &[CsvField<'_>]) -> Result<Self, Fault> {
        let mut found = Self { columns: vec![None; names.len()], absent: Vec::new() };
        for (index, field) in declared.schema().fields().iter().enumerate() {
            no_list(field.name(), field.data_type())?;
            let mut places = names.iter().enumerate().filter(|(_, n)| n.text == *field.name()).map(|(place, _)| place);
            match (places.next(), places.next()) {
                (Some(place), None) => found.columns[place] = Some(index),
                (Some(_), Some(_)) => return Err(Fault::AmbiguousColumn(field.name().clone())),
                (None, _) => match declared.absent(index, names.iter().map(|name| name.text.as_ref())) {
                    Some(fault) => return Err(fault),
                    None => found.absent.push(index),
                },
            }
        }
        found.some(declared)
    }

    /// Finds the declared columns, whose names are places from 1, among so many fields.
    ///
    /// # Errors
    /// The column that is missing.
    pub fn by_number(declared: &Columns, fields: usize) -> Result<Self, Fault> {
        let mut found = Self { columns: vec![None; fields], absent: Vec::new() };
        for (index, field) in declared.schema().fields().iter().enumerate() {
            no_list(field.name(), field.data_type())?;
            let place = field.name().parse::<usize>().ok().and_then(|number| number.checked_sub(1));
            match place.and_then(|place| found.columns.get_mut(place)) {
                Some(column) => {
                    if column.replace(index).is_some() {
                        return Err(Fault::AmbiguousColumn(field.name().clone()));
                    }
                }
                None => match declared.absent(index, []) {
                    Some(fault) => return Err(fault),
                    None => found.absent.push(index),
                },
            }
        }
        found.some(declared)
    }

    /// Returns the places, if there are any: a line that names no column at all is none of names, even if every one is
    /// optional.
    fn some(self, declared: &Columns) -> Result<Self, Fault> {
        match declared.none() {
            Some(fault) if self.columns.iter().all(Option::is_none) => Err(fault),
            _ => Ok(self),
        }
    }
}

fn no_list(name: &str, data_type: &DataType) -> Result<(), Fault> {
    if matches!(data_type, DataType::List(_)) { Err(Fault::ColumnType(name.to_owned())) } else { Ok(()) }
}

/// Returns the setting with which a line would name all declared columns, if its fields were separated otherwise.
pub fn other_separator(declared: &Columns, line: &str, marks: Marks) -> Option<Fault> {
    let others = [(b';', ";"), (b'\t', "\\t"), (b'|', "|"), (b',', ",")];
    others.into_iter().filter(|(other, _)| *other != marks.separator).find_map(|(separator, written)| {
        let names = CsvFields::new(line, Marks { separator, ..marks }).all().ok()?;
        Places::by_name(declared, &names).ok()?;
        let problem = format!("the fields of a file are separated by {written:?}").replace("\\\\", "\\");
        Some(Fault::setting(problem, format!("csv: {{separator: \"{written}\"}}")))
    })
}
