//! The tour: queries that show what the federation does, each with its expected result.
//!
//! [`run`] asks them one after the other. A step with another result is reported at once, and the tour goes on.

use arrow::array::{Array, RecordBatch};
use arrow::util::display::array_value_to_string;
use futures::StreamExt;
use wanqu_model::answer::{Answer, Event, Summary};
use wanqu_model::refusal::{Code, Refusal};

use super::connect::Connection;
use super::escape;
use super::failure::{Failure, Outcome};
use super::render::account::account;
use super::render::table::{Screen, render};

/// Most rows of an answer that the tour shows.
const ROWS_SHOWN: usize = 12;

/// One query of the tour.
pub struct Step {
    /// A few words on what the step shows.
    pub title: &'static str,
    /// A sentence on what to look at.
    pub about: &'static str,
    /// The query; `None` for the nearest query that the refusal before named.
    pub sql: Option<&'static str>,
    /// The expected result.
    pub expected: Expected,
}

/// Expected result of a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// Rows from every one of these jurisdictions, by their column `jurisdiction`.
    RowsOf(&'static [&'static str]),
    /// At least this many rows.
    Rows(usize),
    /// Rows, of which an owner suppressed cells that others released.
    Suppressed {
        /// The owner.
        owner: &'static str,
        /// Values of the first column for which others have rows and the owner has none.
        absent: &'static [&'static str],
    },
    /// A refusal with one of these codes, a rule and a nearest query.
    Refused(&'static [Code]),
    /// A text that contains all of these words.
    Says(&'static [&'static str]),
}

/// An answer with all its rows.
pub struct Seen {
    /// The rows.
    pub batches: Vec<RecordBatch>,
    /// The account.
    pub summary: Summary,
}

/// Runs the steps; returns the number of those whose result was not the expected one.
pub async fn run(steps: &[Step], connection: &Connection, screen: Screen) -> Outcome<usize> {
    let mut failed = 0;
    let mut nearest: Option<String> = None;
    for (number, step) in steps.iter().enumerate() {
        super::put(&format!("\n── {} of {}: {} ──\n{}\n", number + 1, steps.len(), step.title, step.about))?;
        let Some(sql) = step.sql.map(str::to_owned).or_else(|| nearest.take()) else {
            failed += 1;
            super::put("\n✗ the refusal before named no nearest query\n")?;
            continue;
        };
        super::put(&format!("\n{}\n\n", indented(&escape::block(&sql, 0))))?;
        let question = connection.question(sql);
        let seen = tokio::select! {
            seen = answered(connection.ask(&question)) => seen,
            _ = tokio::signal::ctrl_c() => return Err(Failure::Interrupted),
        };
        show(&seen, screen)?;
        nearest = seen.as_ref().err().and_then(nearest_query);
        match judge(step.expected, &seen) {
            Ok(()) => super::put("✓ as it should be\n")?,
            Err(problem) => {
                failed += 1;
                super::put(&format!("✗ not as it should be: {problem}\n"))?;
            }
        }
    }
    Ok(failed)
}

/// Reads an answer to its end and returns all its rows.
pub async fn answered(asking: impl Future<Output = Result<Answer, Refusal>>) -> Result<Seen, Refusal> {
    let mut answer = asking.await?;
    let mut batches = Vec::new();
    while let Some(event) = answer.next().await {
        match event? {
            Event::Progress(_) => {}
            Event::Schema(schema) => batches.push(RecordBatch::new_empty(schema)),
            Event::Batch(batch) => batches.push(batch),
            Event::Summary(summary) => return Ok(Seen { batches, summary }),
        }
    }
    Err(Refusal::new(Code::OwnerUnavailable, "the answer broke off before its end"))
}

fn show(seen: &Result<Seen, Refusal>, screen: Screen) -> Outcome {
    match seen {
        Err(refusal) => super::put(&format!("{}\n", Failure::from(refusal.clone()))),
        Ok(seen) => {
            let Some(first) = seen.batches.first() else { return Ok(()) };
            let rows = if let Some(text) = lines_of_text(&seen.batches) {
                text
            } else {
                let (shown, total) = first_rows(&seen.batches);
                render(&first.schema(), &shown, total, screen).map_err(|e| Failure::failed(e.to_string()))?
            };
            super::put(&rows)?;
            // An explanation queries no owner, so it has no account.
            if seen.summary.outcomes.is_empty() { Ok(()) } else { super::put(&account(&seen.summary, screen)) }
        }
    }
}

/// Returns the rows that the tour shows of an answer, and the number of all its rows.
fn first_rows(batches: &[RecordBatch]) -> (Vec<RecordBatch>, u64) {
    let mut left = ROWS_SHOWN;
    let mut shown = Vec::new();
    for batch in batches {
        let take = batch.num_rows().min(left);
        shown.push(batch.slice(0, take));
        left -= take;
    }
    (shown, batches.iter().map(|batch| batch.num_rows() as u64).sum())
}

/// Returns the rows as plain lines if they are one column of text, as those of `EXPLAIN` are.
#[must_use]
pub fn lines_of_text(batches: &[RecordBatch]) -> Option<String> {
    let first = batches.first()?;
    if first.num_columns() != 1 || !first.schema().field(0).data_type().is_string() {
        return None;
    }
    let mut text = String::new();
    for batch in batches {
        for row in 0..batch.num_rows() {
            text += &escape::line(&array_value_to_string(batch.column(0), row).ok()?);
            text.push('\n');
        }
    }
    Some(text)
}

/// Compares a result with the expected one; returns the difference if there is one.
fn judge(expected: Expected, seen: &Result<Seen, Refusal>) -> Result<(), String> {
    match (expected, seen) {
        (Expected::Refused(codes), Err(refusal)) if !codes.contains(&refusal.code) => {
            Err(format!("the code is {}", refusal.code))
        }
        (Expected::Refused(_), Err(refusal)) if refusal.rule.is_none() => Err("the refusal names no rule".to_owned()),
        (Expected::Refused(_), Err(refusal)) => {
            nearest_query(refusal).map(drop).ok_or_else(|| "the refusal names no query that would pass".to_owned())
        }
        (Expected::Refused(_), Ok(_)) => Err("it was answered".to_owned()),
        (_, Err(refusal)) => Err(format!("it was refused with {}", refusal.code)),
        (expected, Ok(seen)) => judge_rows(expected, seen),
    }
}

fn judge_rows(expected: Expected, seen: &Seen) -> Result<(), String> {
    let rows: usize = seen.batches.iter().map(RecordBatch::num_rows).sum();
    if let Some(outcome) = seen.summary.outcomes.iter().find(|outcome| outcome.missing.is_some()) {
        return Err(format!("{} is missing", outcome.jurisdiction));
    }
    match expected {
        Expected::Rows(least) if rows < least => Err(format!("there are {rows} rows, not at least {least}")),
        Expected::Rows(_) | Expected::Refused(_) => Ok(()),
        Expected::RowsOf(wanted) => {
            let found = jurisdictions_of(&seen.batches);
            match wanted.iter().find(|id| !found.contains(&(**id).to_owned())) {
                Some(id) => Err(format!("there is no row of {id}")),
                None => Ok(()),
            }
        }
        Expected::Suppressed { owner, absent } => {
            judge_absent(owner, absent, &seen.batches)?;
            judge_suppressed(owner, &seen.summary)
        }
        Expected::Says(words) => {
            let text: String = seen.batches.iter().flat_map(texts).collect();
            match words.iter().find(|word| !text.contains(**word)) {
                Some(word) => Err(format!("it does not speak of {word}")),
                None => Ok(()),
            }
        }
    }
}

/// Checks that the owner released fewer cells than another under a rule that hides cells, and that the answer says so.
fn judge_suppressed(owner: &str, summary: &Summary) -> Result<(), String> {
    let own = summary.outcomes.iter().find(|outcome| outcome.jurisdiction.as_str() == owner);
    let Some(own) = own else { return Err(format!("{owner} was not asked")) };
    let most = summary.outcomes.iter().map(|outcome| outcome.rows).max().unwrap_or(0);
    if !own.releases.iter().any(wanqu_rules::fragment::ReleaseReport::may_hide_cells) {
        Err(format!("no rule of {owner} keeps cells back"))
    } else if own.rows >= most {
        Err(format!("{owner} released as many cells as anybody"))
    } else if !summary.may_lack && summary.rows_lacking.unwrap_or(0) == 0 {
        Err("the answer does not say that it lacks a part".to_owned())
    } else {
        Ok(())
    }
}

/// Checks that there are rows of each of these values of the first column, and none of the owner's.
fn judge_absent(owner: &str, absent: &[&str], batches: &[RecordBatch]) -> Result<(), String> {
    let mut cells: Vec<(String, String)> = Vec::new();
    for batch in batches {
        let Some(jurisdictions) = batch.column_by_name("jurisdiction") else { continue };
        for row in 0..batch.num_rows() {
            let text = |column| array_value_to_string(column, row).map_err(|error| error.to_string());
            cells.push((text(batch.column(0))?, text(jurisdictions)?));
        }
    }
    for value in absent {
        let of: Vec<&str> = cells.iter().filter(|(cell, _)| cell == value).map(|(_, id)| id.as_str()).collect();
        if of.is_empty() {
            return Err(format!("nobody released {value}"));
        }
        if of.contains(&owner) {
            return Err(format!("{owner} released {value}"));
        }
    }
    Ok(())
}

/// Returns the values of the column `jurisdiction`.
fn jurisdictions_of(batches: &[RecordBatch]) -> Vec<String> {
    let mut found = Vec::new();
    for column in batches.iter().filter_map(|batch| batch.column_by_name("jurisdiction")) {
        found.extend((0..column.len()).filter_map(|row| array_value_to_string(column, row).ok()));
    }
    found
}

/// Returns every cell of a batch as a line of text.
fn texts(batch: &RecordBatch) -> Vec<String> {
    let cells = batch.columns().iter().flat_map(|column| {
        (0..column.len()).filter_map(move |row| array_value_to_string(column, row).ok().map(|text| text + "\n"))
    });
    cells.collect()
}

/// Returns the query that ends a refusal's remedy, if there is one.
fn nearest_query(refusal: &Refusal) -> Option<String> {
    let remedy = refusal.remedy.as_deref()?;
    let start = remedy.find("SELECT ")?;
    Some(remedy[start..].trim().to_owned())
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, StringArray};

    use super::*;
    use wanqu_model::answer::JurisdictionOutcome;
    use wanqu_rules::fragment::ReleaseReport;

    fn outcome(id: &str, rows: u64) -> JurisdictionOutcome {
        let release = ReleaseReport {
            owner: id.parse().unwrap(),
            rows,
            min_units: Some(10),
            rounding: 5,
            publish_zeros: false,
            policies: Vec::new(),
            fetched_bytes: 0,
            left_out: Vec::new(),
            earlier_values: false,
            audit_sequence: 1,
            audit_digest: String::new(),
            receipt: None,
        };
        let jurisdiction = id.parse().unwrap();
        JurisdictionOutcome {
            jurisdiction,
            releases: vec![release],
            rows,
            bytes: 1,
            elapsed_ms: 1,
            missing: None,
            cut_short: false,
        }
    }

    fn seen(ids: &[&str], outcomes: Vec<JurisdictionOutcome>, may_lack: bool) -> Seen {
        let column: ArrayRef = Arc::new(StringArray::from(ids.to_vec()));
        let batches = vec![RecordBatch::try_from_iter([("jurisdiction", column)]).unwrap()];
        let rows = ids.len() as u64;
        let summary = Summary { rows, may_lack, outcomes, ..Summary::default() };
        Seen { batches, summary }
    }

    #[test]
    fn a_step_is_judged_by_what_came_of_it() {
        let all = Expected::RowsOf(&["CN-SZ", "HK", "MO"]);
        assert_eq!(judge(all, &Ok(seen(&["CN-SZ", "HK", "MO"], Vec::new(), false))), Ok(()));
        assert_eq!(judge(all, &Ok(seen(&["CN-SZ", "HK"], Vec::new(), false))), Err("there is no row of MO".into()));
        assert_eq!(
            judge(Expected::Rows(3), &Ok(seen(&["HK"], Vec::new(), false))).unwrap_err().split(' ').next(),
            Some("there")
        );
        assert_eq!(judge(Expected::Says(&["HK"]), &Ok(seen(&["HK"], Vec::new(), false))), Ok(()));
        assert!(judge(Expected::Says(&["fragment"]), &Ok(seen(&["HK"], Vec::new(), false))).is_err());
        assert!(judge(all, &Err(Refusal::new(Code::NoAgreement, "x"))).is_err());
    }

    #[test]
    fn a_step_of_the_tour_about_suppression_needs_a_missing_cell_and_its_count() {
        // The helper's first column is `jurisdiction` itself, so a "value" here is a jurisdiction.
        let expected = Expected::Suppressed { owner: "MO", absent: &["CN-SZ"] };
        let few = || vec![outcome("CN-SZ", 20), outcome("MO", 12)];
        assert_eq!(judge(expected, &Ok(seen(&["CN-SZ"], few(), true))), Ok(()));
        assert!(judge(expected, &Ok(seen(&["CN-SZ"], few(), false))).unwrap_err().contains("does not say"));
        let same = vec![outcome("CN-SZ", 20), outcome("MO", 20)];
        assert!(judge(expected, &Ok(seen(&["CN-SZ"], same, true))).unwrap_err().contains("as many"));
        assert!(
            judge(expected, &Ok(seen(&["CN-SZ"], vec![outcome("HK", 1)], true))).unwrap_err().contains("not asked")
        );
        assert!(judge(expected, &Ok(seen(&["HK"], few(), true))).unwrap_err().contains("nobody released CN-SZ"));
        let leaked = Expected::Suppressed { owner: "MO", absent: &["MO"] };
        assert!(judge(leaked, &Ok(seen(&["MO"], few(), true))).unwrap_err().contains("MO released MO"));
    }

    #[test]
    fn a_row_of_an_explanation_is_one_line() {
        let seen = seen(&["fragment 0", "a\nfragment 1\u{1b}[2J"], Vec::new(), false);
        assert_eq!(lines_of_text(&seen.batches).unwrap(), "fragment 0\na\\nfragment 1\\u{1b}[2J\n");
    }

    #[test]
    fn a_refusal_must_have_its_code_its_rule_and_a_query_that_passes() {
        let expected = Expected::Refused(&[Code::ColumnClass]);
        let whole = Refusal::new(Code::ColumnClass, "x").with_rule("r").with_remedy("ask for: SELECT count(*) FROM t");
        assert_eq!(judge(expected, &Err(whole.clone())), Ok(()));
        assert_eq!(nearest_query(&whole).as_deref(), Some("SELECT count(*) FROM t"));
        assert!(judge(expected, &Err(Refusal { rule: None, ..whole.clone() })).is_err());
        assert!(judge(expected, &Err(Refusal { remedy: None, ..whole.clone() })).is_err());
        assert!(judge(expected, &Err(Refusal { code: Code::Limit, ..whole })).is_err());
        assert!(judge(expected, &Ok(seen(&[], Vec::new(), false))).is_err());
    }
}
