//! Whether the first line of a CSV file is what it is declared to be: names of columns, or data.

use crate::columns::Columns;
use crate::csv::{CsvField, CsvFields};
use crate::fault::Fault;
use crate::places::Places;
use crate::split::Marks;
use crate::values::Column;

/// Returns the fault of a file whose first line after `skipped` ones is one that Excel reads and does not show: `sep=;`.
pub fn separator_line(line: &str, skipped: u32, header: bool) -> Option<Fault> {
    let line = line.trim_matches(['"', ' ']);
    let separator = line.get(..4).filter(|word| word.eq_ignore_ascii_case("sep=")).and_then(|_| line.get(4..))?;
    let written = match separator {
        "\t" | "\\t" => "\\t",
        "," | ";" | "|" => separator,
        _ => return None,
    };
    let without = if header { "" } else { "header: false, " };
    let lines = skipped.saturating_add(1);
    Some(Fault::setting(
        "a line of a file says which separator follows, as Excel writes it",
        format!("csv: {{{without}separator: \"{written}\", skipLines: {lines}}}"),
    ))
}

/// Returns the fault of a file whose first line has values of the declared columns, one beside the other, where their names
/// were expected.
pub fn no_names(declared: &Columns, line: &str, marks: Marks) -> Option<Fault> {
    let fields = CsvFields::new(line, marks).all().ok()?;
    let columns = declared.schema().fields();
    if fields.len() != columns.len() {
        return None;
    }
    let each: Vec<Looks> = fields.iter().enumerate().map(|(column, field)| looks(declared, column, field)).collect();
    // A text could be a name, too.
    let data = each.contains(&Looks::Value) && !each.contains(&Looks::Other);
    data.then(|| {
        Fault::setting(
            "the first line of a file has values of the declared columns, and not their names",
            "csv: {header: false}",
        )
    })
}

/// Returns the fault of a file without a declared header whose first record has names: those of the columns in the Dataset,
/// or, in every column that is no text, something that is no value, where the second record has one.
pub fn names(
    declared: &Columns,
    places: &Places,
    lines: [Option<&str>; 2],
    marks: Marks,
    skipped: u32,
) -> Option<Fault> {
    let [first, second] = lines.map(|line| CsvFields::new(line.unwrap_or_default(), marks).all().unwrap_or_default());
    let placed = || places.columns.iter().enumerate().filter_map(|(place, column)| Some((place, (*column)?)));
    let named = |(place, column): (usize, usize)| {
        let called = |name: &str| first.get(place).is_some_and(|field| field.text.trim().eq_ignore_ascii_case(name));
        declared.called(column).is_some_and(called)
    };
    let looks_in = |fields: &[CsvField<'_>]| -> Vec<Looks> {
        placed().filter_map(|(place, column)| Some(looks(declared, column, fields.get(place)?))).collect()
    };
    let (before, after) = (looks_in(&first), looks_in(&second));
    let no_value = before.contains(&Looks::Other)
        && before.iter().all(|looks| matches!(looks, Looks::Other | Looks::Text))
        && after.len() == before.len()
        && before.iter().zip(&after).all(|(before, after)| *before == Looks::Text || *after == Looks::Value);
    let has_names = placed().next().is_some() && placed().all(named);
    (has_names || no_value).then(|| {
        Fault::setting(
            "the first record of a file has names of columns, and no values",
            format!("csv: {{header: false, skipLines: {}}}", skipped.saturating_add(1)),
        )
    })
}

/// What a field looks like, in a column of a declared type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Looks {
    /// It is text, which can be anything.
    Text,
    /// It is empty, or a word for no value.
    Null,
    /// It is a value of the type.
    Value,
    /// It has letters and no digit, and is no value.
    Other,
    /// It is no value, and no name either.
    Unknown,
}

fn looks(declared: &Columns, column: usize, field: &CsvField<'_>) -> Looks {
    let data_type = declared.schema().field(column).data_type();
    let values = declared.values(column);
    let Some(mut read) = Column::new(data_type, 1) else { return Looks::Unknown };
    if matches!(read, Column::Text(_)) {
        return Looks::Text;
    }
    if field.text.trim().is_empty() || values.is_null(&field.text) {
        return Looks::Null;
    }
    match read.push_csv(field, values) {
        Ok(()) => Looks::Value,
        // A usual word for no value is no name, and is told with its own setting.
        Err(reason) if reason.has_setting() => Looks::Unknown,
        Err(_) if field.text.contains(char::is_alphabetic) && !field.text.contains(|c: char| c.is_ascii_digit()) => {
            Looks::Other
        }
        Err(_) => Looks::Unknown,
    }
}
