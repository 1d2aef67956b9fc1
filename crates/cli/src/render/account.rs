//! The account of an answer, printed below its rows: what each jurisdiction released under which rule, and what may be
//! lacking.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use wanqu_model::answer::{JurisdictionOutcome, Summary};
use wanqu_model::names::{JurisdictionId, ResourceName, TableRef};
use wanqu_model::report::{LeftOutRecords, ReleaseReport};

use super::cells::{bytes, counted, duration};
use super::table::{Screen, plain};
use crate::escape;

/// Returns the account as text.
#[must_use]
pub fn account(summary: &Summary, screen: Screen) -> String {
    let mut text = format!("{}, query {}\n", counted(summary.rows, "row"), summary.query_id);
    if !summary.outcomes.is_empty() {
        let header = ["from", "rows", "withheld", "bytes", "time", "rule", "audit"].map(str::to_owned);
        let rows: Vec<Vec<String>> = summary.outcomes.iter().map(outcome_row).collect();
        text += &plain(&header, &rows, &[false, true, true, true, true, false, false], screen);
    }
    text += &warnings(summary);
    text
}

/// Returns the warnings about missing parts; empty if the answer is whole.
#[must_use]
pub fn warnings(summary: &Summary) -> String {
    let mut text = String::new();
    for outcome in &summary.outcomes {
        if let Some(refusal) = &outcome.missing {
            // Writing to a `String` cannot fail.
            let _ = writeln!(text, "missing: {}: {}", outcome.jurisdiction, escape::refusal(refusal));
        }
    }
    for (owner, left_out) in left_out(summary) {
        let table = escape::line(&left_out.table.to_string());
        let _ = match left_out.records {
            Some(records) => writeln!(
                text,
                "note: {owner}: {} of {table} could not be read and {} left out",
                counted(records, "record"),
                if records == 1 { "is" } else { "are" }
            ),
            None => writeln!(
                text,
                "note: {owner}: records of {table} that cannot be read, if there are any, are left out (badRecords: skip)"
            ),
        };
    }
    for outcome in summary.outcomes.iter().filter(|outcome| outcome.cut_short) {
        let _ = writeln!(
            text,
            "note: {}: not all of its rows were read, because the answer needed no more; how many records could not be read is \
             told only where all are: ask without LIMIT",
            outcome.jurisdiction
        );
    }
    let lost = lost_parts(summary);
    let because = |kept_back: &str| lost.clone().unwrap_or_else(|| kept_back.to_owned());
    let _ = match summary.rows_lacking {
        Some(0) | None if summary.may_lack && summary.rows == 0 && summary.rows_may_be_absent => Ok(()),
        None if summary.may_lack && summary.rows == 0 => {
            writeln!(text, "note: rows may be absent: {}", because("a jurisdiction may have kept whole cells back"))
        }
        Some(0) if summary.may_lack && !summary.rows_may_be_absent => {
            writeln!(text, "note: rows may be absent: {}", because("a jurisdiction may have kept whole cells back"))
        }
        Some(0) => Ok(()),
        Some(lacking) => writeln!(
            text,
            "note: {lacking} of {} may lack a jurisdiction's part: {} (--mark-incomplete marks them)",
            counted(summary.rows, "row"),
            because("it was asked and released no such cell, or withheld a value of it"),
        ),
        None if summary.may_lack => writeln!(
            text,
            "note: rows may lack a jurisdiction's part: {}",
            because(
                "it was asked and may have kept cells or values back, without which totals, ranks and other values over \
                 several rows can be others"
            ),
        ),
        None => Ok(()),
    };
    if summary.rows_may_be_absent {
        let kept_back = "a jurisdiction may have kept whole cells back, or cells or values by which a condition, \
                         GROUP BY, LIMIT or join went";
        let _ = writeln!(text, "note: rows may be absent: {}", because(kept_back));
    }
    for outcome in summary.outcomes.iter().filter(|o| o.releases.iter().any(|release| release.earlier_values)) {
        let _ = writeln!(
            text,
            "note: {}: values may be those of earlier cells that differ by too few to tell apart, none included, or NULL where \
             what is asked was not released then (rememberCells)",
            outcome.jurisdiction
        );
    }
    text
}

/// Returns the datasets of which records are left out, by owner, each once with the greatest number that is told.
fn left_out(summary: &Summary) -> Vec<(&JurisdictionId, &LeftOutRecords)> {
    let mut told: BTreeMap<(&JurisdictionId, &TableRef), &LeftOutRecords> = BTreeMap::new();
    for outcome in &summary.outcomes {
        for one in outcome.releases.iter().flat_map(|release| &release.left_out) {
            let known = told.entry((&outcome.jurisdiction, &one.table)).or_insert(one);
            *known = (*known).max(one);
        }
    }
    told.into_iter().map(|((owner, _), one)| (owner, one)).collect()
}

/// Says whose parts did not come, and that others may have kept cells or values back where a rule lets them; `None` if all came.
fn lost_parts(summary: &Summary) -> Option<String> {
    let missing = summary.outcomes.iter().filter(|outcome| outcome.missing.is_some());
    let names: Vec<&str> = missing.map(|outcome| outcome.jurisdiction.as_str()).collect();
    let hidden = summary.outcomes.iter().flat_map(|outcome| &outcome.releases).any(ReleaseReport::may_hide_cells);
    let others = if hidden { ", and others may have kept cells or values back" } else { "" };
    (!names.is_empty()).then(|| format!("no part came from {}{others}", names.join(", ")))
}

/// Returns true if a jurisdiction that was asked did not answer.
#[must_use]
pub fn is_partial(summary: &Summary) -> bool {
    summary.outcomes.iter().any(|outcome| outcome.missing.is_some())
}

fn outcome_row(outcome: &JurisdictionOutcome) -> Vec<String> {
    let id = outcome.jurisdiction.to_string();
    if outcome.missing.is_some() {
        let dash = || "-".to_owned();
        return vec![id, dash(), dash(), dash(), duration(outcome.elapsed_ms), "missing".to_owned(), dash()];
    }
    vec![
        id,
        outcome.rows.to_string(),
        withheld(&outcome.releases),
        crossed(outcome),
        duration(outcome.elapsed_ms),
        distinct(outcome.releases.iter().map(rule).chain(outcome.cut_short.then(|| "public, cut short".to_owned()))),
        distinct(outcome.releases.iter().map(audit_entry)),
    ]
}

/// Returns the bytes that crossed a border: from the jurisdiction to the home node, and to the jurisdiction for its releases.
fn crossed(outcome: &JurisdictionOutcome) -> String {
    let came = if outcome.bytes == 0 { "at home".to_owned() } else { bytes(outcome.bytes) };
    match outcome.releases.iter().map(|release| release.fetched_bytes).sum() {
        0 => came,
        fetched => format!("{came}, fetched {}", bytes(fetched)),
    }
}

/// Returns whether cells may have been kept back, in words. That follows from the rules alone: owners tell nothing else of such cells.
fn withheld(releases: &[ReleaseReport]) -> String {
    let text = if releases.iter().any(ReleaseReport::may_hide_cells) {
        "some may be"
    } else if releases.iter().any(|release| release.min_units.is_some()) {
        "none"
    } else {
        "no gate"
    };
    text.to_owned()
}

/// Returns the rule that a release passed: `at least 10 units, counts to 5 (gba-baseline)`.
fn rule(release: &ReleaseReport) -> String {
    let Some(least) = release.min_units else { return "public".to_owned() };
    let mut text = match least {
        0 | 1 => "every cell".to_owned(),
        least => format!("at least {least} units"),
    };
    if release.rounding > 1 {
        let _ = write!(text, ", counts to {}", release.rounding);
    }
    if !release.policies.is_empty() {
        let names: Vec<&str> = release.policies.iter().map(ResourceName::as_str).collect();
        let _ = write!(text, " ({})", names.join(", "));
    }
    text
}

fn audit_entry(release: &ReleaseReport) -> String {
    let digest: String = release.audit_digest.chars().filter(char::is_ascii_hexdigit).take(8).collect();
    format!("#{} {digest}", release.audit_sequence)
}

/// Joins the texts without repetition, one a line.
fn distinct(texts: impl Iterator<Item = String>) -> String {
    let mut seen: Vec<String> = Vec::new();
    for text in texts {
        if !seen.contains(&text) {
            seen.push(text);
        }
    }
    seen.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use wanqu_model::refusal::{Code, Refusal};

    fn release(owner: &str, least: Option<u32>) -> ReleaseReport {
        ReleaseReport {
            owner: owner.parse().unwrap(),
            rows: 12,
            min_units: least,
            rounding: 5,
            publish_zeros: false,
            policies: vec!["gba-baseline".parse().unwrap()],
            fetched_bytes: 0,
            left_out: Vec::new(),
            earlier_values: false,
            audit_sequence: 7,
            audit_digest: "3fa2b1c0ffee".to_owned(),
            receipt: None,
        }
    }

    fn outcome(id: &str, bytes: u64, releases: Vec<ReleaseReport>) -> JurisdictionOutcome {
        let jurisdiction = id.parse().unwrap();
        JurisdictionOutcome { jurisdiction, releases, rows: 12, bytes, elapsed_ms: 84, missing: None, cut_short: false }
    }

    fn summary(outcomes: Vec<JurisdictionOutcome>) -> Summary {
        Summary { rows: 24, rows_lacking: Some(0), outcomes, ..Summary::default() }
    }

    #[test]
    fn each_jurisdiction_has_a_line() {
        let summary = summary(vec![
            outcome("CN-SZ", 0, vec![release("CN-SZ", Some(10))]),
            outcome("MO", 1434, vec![release("MO", Some(3))]),
            outcome("HK", 900, vec![ReleaseReport { fetched_bytes: 2048, ..release("HK", None) }]),
        ]);
        let text = account(&summary, Screen::PLAIN);
        let lines: Vec<String> = text.lines().map(|l| l.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        assert_eq!(
            lines,
            [
                "24 rows, query 00000000-0000-0000-0000-000000000000",
                "from rows withheld bytes time rule audit",
                "CN-SZ 12 some may be at home 84 ms at least 10 units, counts to 5 (gba-baseline) #7 3fa2b1c0",
                "MO 12 some may be 1.4 KiB 84 ms at least 3 units, counts to 5 (gba-baseline) #7 3fa2b1c0",
                "HK 12 no gate 900 B, fetched 2.0 KiB 84 ms public #7 3fa2b1c0",
            ]
        );
    }

    #[test]
    fn a_missing_jurisdiction_and_rows_that_lack_a_part_are_said() {
        let mut missing = outcome("MO", 0, Vec::new());
        missing.missing = Some(Refusal::new(Code::OwnerUnavailable, "Macau's node does not answer"));
        let mut summary = summary(vec![missing]);
        summary.rows_lacking = Some(3);
        assert!(is_partial(&summary));
        let text = account(&summary, Screen::PLAIN);
        assert!(text.contains("missing: MO: Macau's node does not answer [owner-unavailable]"), "{text}");
        let note =
            "note: 3 of 24 rows may lack a jurisdiction's part: no part came from MO (--mark-incomplete marks them)";
        assert!(text.contains(note), "{text}");
        summary.outcomes.push(outcome("HK", 900, vec![release("HK", Some(10))]));
        (summary.rows_lacking, summary.may_lack) = (None, true);
        let text = warnings(&summary);
        assert!(text.contains("no part came from MO, and others may have kept cells or values back\n"), "{text}");
    }

    #[test]
    fn records_that_are_left_out_are_said_once_for_each_dataset() {
        let left_out = |table: &str, records| LeftOutRecords { table: table.parse().unwrap(), records };
        let with = |left_out| ReleaseReport { left_out, ..release("HK", None) };
        let releases = vec![
            with(vec![left_out("hongkong.x.t", None), left_out("hongkong.x.u", None)]),
            with(vec![left_out("hongkong.x.t", Some(2))]),
        ];
        assert_eq!(
            warnings(&summary(vec![outcome("HK", 900, releases)])),
            "note: HK: 2 records of hongkong.x.t could not be read and are left out\n\
             note: HK: records of hongkong.x.u that cannot be read, if there are any, are left out (badRecords: skip)\n"
        );
    }

    #[test]
    fn rows_that_were_not_all_read_are_said() {
        let cut = JurisdictionOutcome { cut_short: true, ..outcome("HK", 0, Vec::new()) };
        let text = account(&summary(vec![cut]), Screen::PLAIN);
        assert!(
            text.contains("public, cut short") && text.contains("note: HK: not all of its rows were read"),
            "{text}"
        );
    }

    #[test]
    fn an_owners_refusal_forges_no_line_of_the_account() {
        let mut missing = outcome("MO", 0, Vec::new());
        let text = "busy\r\nmissing: HK: gone\nnote: none\u{1b}[2J";
        missing.missing = Some(Refusal::new(Code::Limit, text).with_rule("r\n3 rows, query x"));
        let text = account(&summary(vec![missing]), Screen::PLAIN);
        let lines = |word: &str| text.lines().filter(|line| line.starts_with(word)).count();
        assert_eq!((lines("missing:"), lines("note:"), lines("3 rows")), (1, 0, 0), "{text}");
        assert!(text.contains("\\u{1b}[2J [limit]"), "{text}");
    }

    #[test]
    fn rows_that_may_lack_a_part_are_noted_without_a_number_where_they_cannot_be_counted() {
        let mut summary = summary(Vec::new());
        assert_eq!(warnings(&summary), "");
        summary.may_lack = true;
        summary.rows_lacking = None;
        let kept_back = "note: rows may lack a jurisdiction's part: it was asked and may have kept cells or values back, \
             without which totals, ranks and other values over several rows can be others\n";
        assert_eq!(warnings(&summary), kept_back);
        (summary.rows_lacking, summary.rows_may_be_absent) = (Some(0), true);
        let absent = "note: rows may be absent: a jurisdiction may have kept whole cells back, or cells or values by which \
                      a condition, GROUP BY, LIMIT or join went\n";
        assert_eq!(warnings(&summary), absent);
        summary.rows_lacking = Some(1);
        let both = warnings(&summary);
        assert!(both.starts_with("note: 1 of 24 rows may lack") && both.ends_with(absent), "{both}");
    }
}
