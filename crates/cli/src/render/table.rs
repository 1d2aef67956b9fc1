//! Rows as a table that fits the terminal, or, where even that is too narrow, record by record.

use std::fmt::Write as _;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use comfy_table::modifiers::UTF8_ROUND_CORNERS;
use comfy_table::presets::{NOTHING, UTF8_FULL_CONDENSED};
use comfy_table::{Attribute, Cell, CellAlignment, ContentArrangement, Table};

use super::cells::{self, counted, numeric, printable, rows_of};

/// A column narrower than this cannot be read.
const LEAST_COLUMN_WIDTH: usize = 7;

/// Where a table is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Screen {
    /// Characters in a line; `None` for no limit, as in a file.
    pub width: Option<u16>,
    /// Whether bold and the like are understood.
    pub styled: bool,
}

impl Screen {
    /// A place without limits or styles: a file, a pipe.
    pub const PLAIN: Self = Self { width: None, styled: false };

    /// Standard output as it is.
    #[must_use]
    pub fn stdout() -> Self {
        let probe = Table::new();
        let tty = probe.is_tty();
        Self { width: if tty { probe.width() } else { None }, styled: tty && std::env::var_os("NO_COLOR").is_none() }
    }
}

/// The rows as text, with a line for those beyond `total` that are not among `batches`.
pub fn render(schema: &SchemaRef, batches: &[RecordBatch], total: u64, screen: Screen) -> Result<String, ArrowError> {
    let header: Vec<String> = schema.fields().iter().map(|field| printable(field.name())).collect();
    let mut rows = Vec::new();
    for batch in batches {
        rows.append(&mut rows_of(batch)?);
    }
    let narrow = screen.width.is_some_and(|width| header.len() * (LEAST_COLUMN_WIDTH + 3) > usize::from(width));
    let mut text = if header.is_empty() {
        String::new()
    } else if narrow {
        records(&header, &rows)
    } else {
        grid(&header, &rows, &numeric(schema), screen)
    };
    let hidden = total.saturating_sub(rows.len() as u64);
    if hidden > 0 {
        let _ = writeln!(
            text,
            "... {} more, not shown here (`wanqu query --max-rows 0` shows all)",
            counted(hidden, "row")
        );
    }
    Ok(text)
}

/// A table with lines around it.
#[must_use]
pub fn grid(header: &[String], rows: &[Vec<String>], right: &[bool], screen: Screen) -> String {
    let mut table = arranged(screen);
    table.load_preset(UTF8_FULL_CONDENSED).apply_modifier(UTF8_ROUND_CORNERS);
    fill(table, header, rows, right, screen)
}

/// A table without lines.
#[must_use]
pub fn plain(header: &[String], rows: &[Vec<String>], right: &[bool], screen: Screen) -> String {
    let mut table = arranged(screen);
    table.load_preset(NOTHING);
    let text = fill(table, header, rows, right, screen);
    // Every cell has a space before it, the first one too.
    text.lines().flat_map(|line| [line.strip_prefix(' ').unwrap_or(line), "\n"]).collect()
}

fn arranged(screen: Screen) -> Table {
    let mut table = Table::new();
    match screen.width {
        Some(width) => table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width),
        None => table.set_content_arrangement(ContentArrangement::Disabled),
    };
    if screen.styled {
        table.enforce_styling()
    } else {
        table.force_no_tty()
    };
    table
}

fn fill(mut table: Table, header: &[String], rows: &[Vec<String>], right: &[bool], screen: Screen) -> String {
    table.set_header(header.iter().map(|name| {
        let cell = Cell::new(name);
        if screen.styled { cell.add_attribute(Attribute::Bold) } else { cell }
    }));
    for row in rows {
        table.add_row(row.iter().map(|value| {
            let cell = Cell::new(value);
            if screen.styled && value == cells::NULL { cell.add_attribute(Attribute::Dim) } else { cell }
        }));
    }
    for (column, &right) in table.column_iter_mut().zip(right) {
        if right {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let mut text = String::new();
    for line in table.lines() {
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// Each row as a small list of names and values.
fn records(header: &[String], rows: &[Vec<String>]) -> String {
    let longest = header.iter().map(|name| name.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for (number, row) in rows.iter().enumerate() {
        // Writing to a `String` cannot fail.
        let _ = writeln!(text, "─ row {} ─", number + 1);
        for (name, value) in header.iter().zip(row) {
            let _ = writeln!(text, "{name:<longest$}  {value}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Float64Array, Int64Array, StringViewArray};

    use super::*;

    fn batch() -> RecordBatch {
        let city: ArrayRef = Arc::new(StringViewArray::from(vec![Some("深圳"), Some("Macau"), None]));
        let visits: ArrayRef = Arc::new(Int64Array::from(vec![Some(812_345), None, Some(5)]));
        let cost: ArrayRef = Arc::new(Float64Array::from(vec![Some(310.25), Some(12.0), None]));
        RecordBatch::try_from_iter_with_nullable([("city", city, true), ("visits", visits, true), ("cost", cost, true)])
            .unwrap()
    }

    #[test]
    fn numbers_stand_right_wide_characters_take_two_places_and_null_is_named() {
        let text = render(&batch().schema(), &[batch()], 3, Screen::PLAIN).unwrap();
        let expected = "\
╭───────┬────────┬────────╮
│ city  ┆ visits ┆   cost │
╞═══════╪════════╪════════╡
│ 深圳  ┆ 812345 ┆ 310.25 │
│ Macau ┆   NULL ┆   12.0 │
│ NULL  ┆      5 ┆   NULL │
╰───────┴────────┴────────╯
";
        assert_eq!(text, expected);
    }

    #[test]
    fn rows_that_are_not_shown_are_counted() {
        let text = render(&batch().schema(), &[batch()], 4, Screen::PLAIN).unwrap();
        assert!(text.ends_with("... 1 row more, not shown here (`wanqu query --max-rows 0` shows all)\n"), "{text}");
    }

    #[test]
    fn a_table_keeps_within_the_terminal() {
        let long: ArrayRef = Arc::new(StringViewArray::from(vec!["word ".repeat(30)]));
        let batch = RecordBatch::try_from_iter([("text", Arc::clone(&long)), ("more", long)]).unwrap();
        let text = render(&batch.schema(), &[batch], 1, Screen { width: Some(60), styled: false }).unwrap();
        assert!(text.lines().all(|line| line.chars().count() <= 60), "{text}");
        assert!(text.lines().count() > 5);
    }

    #[test]
    fn many_columns_on_a_narrow_terminal_become_records() {
        let screen = Screen { width: Some(20), styled: false };
        let text = render(&batch().schema(), &[batch().slice(0, 1)], 1, screen).unwrap();
        assert_eq!(text, "─ row 1 ─\ncity    深圳\nvisits  812345\ncost    310.25\n");
    }

    #[test]
    fn an_empty_answer_still_shows_its_columns() {
        let text = render(&batch().schema(), &[], 0, Screen::PLAIN).unwrap();
        assert!(text.contains("visits"));
    }
}
