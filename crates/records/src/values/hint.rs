//! The declaration with which a text could be read, for the custodian. It is chosen from fixed lists, so that nothing of a value
//! is ever in it but a usual word for no value.

use super::column::Column;
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

/// Returns YAML below `spec.source.files` with which the text could be a value of the column, or no value.
pub fn setting(column: &Column, text: &str) -> Option<String> {
    let text = trimmed(text);
    if let Some(word) = NULLS.iter().find(|word| **word == text) {
        let word = word.replace('\\', "\\\\");
        return Some(format!("values: {{nulls: [\"{word}\"]}}"));
    }
    match column {
        Column::Date(_) => pattern("dates", &DATES, &TIMES[..1], |syntax| syntax.date(text).is_ok()),
        Column::Timestamp(_) => pattern("timestamps", &DATES, &TIMES, |syntax| syntax.timestamp(text).is_ok()),
        Column::Int32(_) | Column::Int64(_) | Column::Float64(_) | Column::Decimal(..) => number(text),
        _ => None,
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
    use arrow::datatypes::{DataType, TimeUnit};

    use super::*;

    #[test]
    fn what_is_often_met_is_named_and_nothing_else() {
        let decimal = DataType::Decimal128(12, 2);
        let timestamp = DataType::Timestamp(TimeUnit::Microsecond, None);
        for (data_type, text, expected) in [
            (&DataType::Int32, " N.A. ", Some("values: {nulls: [\"N.A.\"]}")),
            (&DataType::Date32, "--", Some("values: {nulls: [\"--\"]}")),
            (&DataType::Int32, "\\N", Some("values: {nulls: [\"\\\\N\"]}")),
            (&DataType::Int32, "1,234,567", Some("values: {groupSeparator: \",\"}")),
            (&decimal, "1,5", Some("values: {decimalSeparator: \",\"}")),
            (&decimal, "1.234,5", Some("values: {decimalSeparator: \",\", groupSeparator: \".\"}")),
            (&decimal, "secret", None),
            (&decimal, "1,234x", None),
            (&DataType::Boolean, "yes", None),
            (&DataType::Date32, "31/12/2024", Some("values: {dates: [\"%d/%m/%Y\"]}")),
            (&DataType::Date32, "2024年12月31日", Some("values: {dates: [\"%Y年%m月%d日\"]}")),
            (&timestamp, "31/12/2024 23:59", Some("values: {timestamps: [\"%d/%m/%Y %H:%M\"]}")),
            (&DataType::Date32, "some day", None),
        ] {
            let column = Column::new(data_type, 1).unwrap();
            assert_eq!(setting(&column, text).as_deref(), expected, "{text:?} as {data_type}");
        }
        let column = Column::new(&DataType::Date32, 1).unwrap();
        let either = setting(&column, "01/02/2024").unwrap();
        assert!(either.contains("%d/%m/%Y") && either.contains(" or ") && either.contains("%m/%d/%Y"), "{either}");
        let column = Column::new(&DataType::Int32, 1).unwrap();
        assert!(setting(&column, "1,234").unwrap().contains("whichever"));
    }
}
