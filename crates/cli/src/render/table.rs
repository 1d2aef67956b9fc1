//! Rows as a table that fits the terminal, or, where even that is too narrow, record by record.

use std::fmt::Write as _;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use comfy_table::modifiers::UTF8_ROUND_CORNERS;
use comfy_table::presets::{NOTHING, UTF8_FULL, UTF8_FULL_CONDENSED};
use comfy_table::{Attribute, Cell, CellAlignment, ContentArrangement, Table};

use super::cells::{self, counted, numeric, rows_of};
use crate::escape;

/// Least width of a column that can be read, in characters.
const LEAST_COLUMN_WIDTH: usize = 7;

/// Lines of a table besides its rows: the names of the columns, and a line above, below and at the bottom.
const FRAME: usize = 4;

/// Width and abilities of the place where a table is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Screen {
    /// Characters in a line; `None` for no limit, as in a file.
    pub width: Option<u16>,
    /// True if bold and the like are understood.
    pub styled: bool,
}

impl Screen {
    /// A file or a pipe: no limit, no styles.
    pub const PLAIN: Self = Self { width: None, styled: false };

    /// Returns what standard output is capable of.
    #[must_use]
    pub fn stdout() -> Self {
        let probe = Table::new();
        let tty = probe.is_tty();
        Self { width: if tty { probe.width() } else { None }, styled: tty && std::env::var_os("NO_COLOR").is_none() }
    }
}

/// Returns the rows as text, and a line with the number of rows out of `total` that `batches` leave out.
pub fn render(schema: &SchemaRef, batches: &[RecordBatch], total: u64, screen: Screen) -> Result<String, ArrowError> {
    let header: Vec<String> = schema.fields().iter().map(|field| escape::line(field.name())).collect();
    let mut rows = Vec::new();
    for batch in batches {
        rows.append(&mut rows_of(batch)?);
    }
    let narrow = screen.width.is_some_and(|width| header.len() * (LEAST_COLUMN_WIDTH + 3) > usize::from(width));
    let mut text = if header.is_empty() {
        String::new()
    } else if narrow {
        records(&header, &rows, screen)
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

/// Returns a table with lines around it, and with lines between its rows if any of them takes more than one line: what is
/// wrapped does not pass for a row of its own.
#[must_use]
pub fn grid(header: &[String], rows: &[Vec<String>], right: &[bool], screen: Screen) -> String {
    let drawn = |preset| {
        let mut table = arranged(screen);
        table.load_preset(preset).apply_modifier(UTF8_ROUND_CORNERS);
        fill(&mut table, header, rows, right, screen);
        text(&table)
    };
    let text = drawn(UTF8_FULL_CONDENSED);
    if text.lines().count() > rows.len() + FRAME { drawn(UTF8_FULL) } else { text }
}

/// Returns a table without lines.
#[must_use]
pub fn plain(header: &[String], rows: &[Vec<String>], right: &[bool], screen: Screen) -> String {
    let mut table = arranged(screen);
    table.load_preset(NOTHING);
    fill(&mut table, header, rows, right, screen);
    unindented(&table)
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

/// Returns a table as text.
fn text(table: &Table) -> String {
    let mut text = String::new();
    for line in table.lines() {
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// Returns a table without borders as text, without the space that is before each first cell.
fn unindented(table: &Table) -> String {
    text(table).lines().flat_map(|line| [line.strip_prefix(' ').unwrap_or(line), "\n"]).collect()
}

fn fill(table: &mut Table, header: &[String], rows: &[Vec<String>], right: &[bool], screen: Screen) {
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
}

/// Returns each row as a small list of names and values; a value that is wrapped goes on below its beginning.
fn records(header: &[String], rows: &[Vec<String>], screen: Screen) -> String {
    let mut text = String::new();
    for (number, row) in rows.iter().enumerate() {
        // Writing to a `String` cannot fail.
        let _ = writeln!(text, "─ row {} ─", number + 1);
        let mut list = arranged(screen);
        list.load_preset(NOTHING);
        list.add_rows(header.iter().zip(row).map(|(name, value)| [name, value]));
        text += &unindented(&list);
    }
    text
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Float64Array, Int64Array, StringViewArray};
    use unicode_width::UnicodeWidthChar;

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

    /// A table of one row, whose values and names try to look like more.
    fn forging(value: &str) -> RecordBatch {
        let column = |text: &str| -> ArrayRef { Arc::new(StringViewArray::from(vec![text])) };
        let columns = [("city", column(value)), ("a\nb\u{1b}[2J", column("\u{202e}5\t\0\r"))];
        RecordBatch::try_from_iter(columns).unwrap()
    }

    #[test]
    fn a_value_forges_no_row_and_a_name_no_column() {
        let batch = forging("Macau │ 5 │\n│ HK");
        let text = render(&batch.schema(), std::slice::from_ref(&batch), 1, Screen::PLAIN).unwrap();
        let expected = "\
╭───────────────────┬────────────────────╮
│ city              ┆ a\\nb\\u{1b}[2J      │
╞═══════════════════╪════════════════════╡
│ Macau │ 5 │\\n│ HK ┆ \\u{202e}5\\t\\u{0}\\r │
╰───────────────────┴────────────────────╯
";
        assert_eq!(text, expected);
    }

    #[test]
    fn no_line_is_wider_than_the_terminal_whatever_it_draws_wide() {
        for (filler, count) in
            [("\u{ad}", 53), ("\u{3164}", 27), ("\u{1160}", 27), ("👩\u{200d}", 20), ("\u{644}\u{627}", 40)]
        {
            let batch = forging(&format!("real2{}│ FORGED2      ┆  999 │", filler.repeat(count)));
            let screen = Screen { width: Some(60), styled: false };
            let text = render(&batch.schema(), &[batch], 1, screen).unwrap();
            // As terminals draw that join nothing, and show a place for what may be empty.
            let drawn = |line: &str| {
                line.chars().map(|c| c.width().unwrap_or(0).max(usize::from(c == '\u{ad}'))).sum::<usize>()
            };
            let widths: Vec<usize> = text.lines().map(drawn).collect();
            assert!(widths.iter().all(|width| *width <= 60), "{widths:?}\n{text}");
            assert!(!text.contains('\u{ad}') && !text.contains('\u{3164}') && !text.contains('\u{200d}'), "{text}");
        }
    }

    #[test]
    fn a_wrapped_value_does_not_look_like_a_row_of_its_own() {
        let long: ArrayRef = Arc::new(StringViewArray::from(vec![format!("Macau{}HK", " ".repeat(40))]));
        let count: ArrayRef = Arc::new(Int64Array::from(vec![5]));
        let batch = RecordBatch::try_from_iter([("city", long), ("n", count)]).unwrap();
        let shown = |width| {
            let screen = Screen { width: Some(width), styled: false };
            render(&batch.schema(), &[batch.clone(), batch.clone()], 2, screen).unwrap()
        };
        let grid = shown(40);
        assert_eq!(grid.lines().filter(|line| line.starts_with('├')).count(), 1, "{grid}");
        let records = shown(18);
        let beginnings = ["─ row", "city", "n ", "  "];
        let forged = records.lines().find(|line| !beginnings.iter().any(|begins| line.starts_with(begins)));
        assert_eq!(forged, None, "{records}");
        assert!(records.contains("HK"), "{records}");
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
