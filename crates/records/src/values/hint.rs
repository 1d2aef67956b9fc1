//! The declaration with which a text could be read, for the custodian. It is chosen from fixed lists, so that nothing of a value
//! is ever in it but a usual word for no value.

use super::time::TimeSyntax;
use super::trimmed;

/// Usual words for no value.
const NULLS: [&str; 24] = [
    "",
    "-",
    "--",
    "---",
    "—",
    "——",
    "－",
    "…",
    "...",
    "*",
    "N.A.",
    "n.a.",
    "N/A",
    "n/a",
    "NA",
    "NULL",
    "null",
    "None",
    "nil",
    "\\N",
    "#N/A",
    "不适用",
    "不適用",
    "无",
];

/// Patterns of dates that are often met.
const DATES: [&str; 9] =
    ["%d/%m/%Y", "%m/%d/%Y", "%Y/%m/%d", "%Y.%m.%d", "%d-%m-%Y", "%d.%m.%Y", "%d-%b-%Y", "%d-%b-%y", "%Y年%m月%d日"];

/// Ends of patterns of timestamps that are often met.
const TIMES: [&str; 4] = ["", " %H:%M", " %H:%M:%S", " %I:%M %p"];

/// Kinds of columns that values of text are written for in more than one way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Dates.
    Date,
    /// Timestamps.
    Timestamp,
    /// Numbers of any type.
    Number,
    /// Everything else.
    Other,
}

/// Returns YAML below `spec.source.files` with which the text could be a value of a column of this kind, or no value.
pub fn setting(kind: Kind, text: &str) -> Option<String> {
    let text = trimmed(text);
    if let Some(word) = NULLS.iter().find(|word| **word == text) {
        let word = word.replace('\\', "\\\\");
        return Some(format!("values: {{nulls: [\"{word}\"]}}"));
    }
    match kind {
        Kind::Date => pattern("dates", &DATES, &TIMES[..1], |syntax| syntax.date(text).is_ok()),
        Kind::Timestamp => pattern("timestamps", &DATES, &TIMES, |syntax| syntax.timestamp(text).is_ok()),
        Kind::Number => number(text),
        Kind::Other => None,
    }
}

fn pattern(field: &str, dates: &[&str], times: &[&str], fits: impl Fn(&TimeSyntax) -> bool) -> Option<String> {
    let all = dates.iter().flat_map(|date| times.iter().map(move |time| format!("{date}{time}")));
    let fit = all.filter(|text| text.parse().is_ok_and(|pattern| fits(&TimeSyntax(vec![pattern]))));
    let found: Vec<String> = fit.map(|text| format!("values: {{{field}: [\"{text}\"]}}")).collect();
    (!found.is_empty()).then(|| found.join(" or "))
}

fn number(text: &str) -> Option<String> {
    let digits = text.trim_start_matches(['+', '-']);
    let plain = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let grouped = |text: &str, separator: char| {
        let mut groups = text.split(separator);
        groups.next().is_some_and(|first| plain(first) && first.len() <= 3)
            && groups.clone().next().is_some()
            && groups.all(|group| plain(group) && group.len() == 3)
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let english = grouped(whole, ',') && plain(fraction);
    let (whole, fraction) = digits.split_once(',').unwrap_or((digits, ""));
    let comma = plain(fraction) && (plain(whole) || grouped(whole, '.'));
    match (english, comma, whole.contains('.')) {
        (true, true, _) => {
            Some("values: {groupSeparator: \",\"} or values: {decimalSeparator: \",\"}, whichever it is".to_owned())
        }
        (true, false, _) => Some("values: {groupSeparator: \",\"}".to_owned()),
        (false, true, false) => Some("values: {decimalSeparator: \",\"}".to_owned()),
        (false, true, true) => Some("values: {decimalSeparator: \",\", groupSeparator: \".\"}".to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_often_met_is_named_and_nothing_else() {
        for (kind, text, expected) in [
            (Kind::Number, " N.A. ", Some("values: {nulls: [\"N.A.\"]}")),
            (Kind::Date, "--", Some("values: {nulls: [\"--\"]}")),
            (Kind::Number, "\\N", Some("values: {nulls: [\"\\\\N\"]}")),
            (Kind::Number, "1,234,567", Some("values: {groupSeparator: \",\"}")),
            (Kind::Number, "1,5", Some("values: {decimalSeparator: \",\"}")),
            (Kind::Number, "1.234,5", Some("values: {decimalSeparator: \",\", groupSeparator: \".\"}")),
            (Kind::Number, "secret", None),
            (Kind::Number, "1,234x", None),
            (Kind::Other, "yes", None),
            (Kind::Date, "31/12/2024", Some("values: {dates: [\"%d/%m/%Y\"]}")),
            (Kind::Date, "2024年12月31日", Some("values: {dates: [\"%Y年%m月%d日\"]}")),
            (Kind::Timestamp, "31/12/2024 23:59", Some("values: {timestamps: [\"%d/%m/%Y %H:%M\"]}")),
            (Kind::Date, "some day", None),
        ] {
            assert_eq!(setting(kind, text).as_deref(), expected, "{text:?} as {kind:?}");
        }
        let either = setting(Kind::Date, "01/02/2024").unwrap();
        assert!(either.contains("%d/%m/%Y") && either.contains(" or ") && either.contains("%m/%d/%Y"), "{either}");
        assert!(setting(Kind::Number, "1,234").unwrap().contains("whichever"));
    }
}
