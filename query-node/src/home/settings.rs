//! Settings before a query, for clients that can send nothing but SQL text: `SET wanqu.partial = true; SELECT …`.
//!
//! A setting holds for the query behind it. It says no more than a [`Question`]'s fields do.

use wanqu_model::answer::Question;
use wanqu_model::refusal::{Code, Refusal};

use super::kind::{after_word, trimmed};

/// A setting's name, and what it turns on or off.
type Setting = (&'static str, fn(&mut Question, bool));

const SETTINGS: [Setting; 2] = [
    ("wanqu.partial", |question, on| question.partial = on),
    ("wanqu.mark_incomplete", |question, on| question.mark_incomplete = on),
];

/// The question without the settings before its query, and as they say.
///
/// # Errors
/// [`Code::InvalidSql`] for a setting that does not exist, has no value, or has no query behind it.
pub(super) fn settled(mut question: Question) -> Result<Question, Refusal> {
    let sql = std::mem::take(&mut question.sql);
    let mut rest = sql.as_str();
    while let Some(setting) = after_word(rest, "SET") {
        let Some((setting, query)) = setting.split_once(';').filter(|(_, query)| !trimmed(query).is_empty()) else {
            return Err(wrong("a setting stands alone", "a setting holds for the query behind it, after a semicolon"));
        };
        apply(setting, &mut question)?;
        rest = query;
    }
    rest.clone_into(&mut question.sql);
    Ok(question)
}

fn apply(setting: &str, question: &mut Question) -> Result<(), Refusal> {
    let (name, value) = match setting.split_once('=') {
        Some(halves) => halves,
        None => setting
            .trim()
            .split_once(char::is_whitespace)
            .and_then(|(name, to)| Some((name, after_word(to, "TO")?)))
            .ok_or_else(|| wrong("a setting has no value", "a setting is written SET name = value"))?,
    };
    let (name, value) = (name.trim().to_ascii_lowercase(), value.trim().trim_matches('\'').to_ascii_lowercase());
    let Some((_, set)) = SETTINGS.iter().find(|(known, _)| *known == name) else {
        return Err(wrong("there is no such setting", "what a client may set is named here"));
    };
    match value.as_str() {
        "true" | "on" | "1" => set(question, true),
        "false" | "off" | "0" => set(question, false),
        _ => return Err(wrong("a setting has another value than it can have", "a setting is true or false")),
    }
    Ok(())
}

fn wrong(message: &str, rule: &str) -> Refusal {
    let names = SETTINGS.map(|(name, _)| format!("SET {name} = true; SELECT …")).join(", or ");
    Refusal::new(Code::InvalidSql, message).with_subject("SET").with_rule(rule).with_remedy(format!("write {names}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(sql: &str) -> Question {
        Question {
            sql: sql.to_owned(),
            project: None,
            purpose: None,
            partial: false,
            mark_incomplete: false,
            keep: None,
        }
    }

    #[test]
    fn settings_before_a_query_are_the_questions_own() {
        for (sql, partial, mark, query) in [
            ("SELECT 1", false, false, "SELECT 1"),
            ("SET wanqu.partial = true; SELECT 1", true, false, " SELECT 1"),
            ("set WANQU.Partial TO 'on';\n-- and then\nSELECT 1", true, false, "\n-- and then\nSELECT 1"),
            ("SET wanqu.partial=1;SET wanqu.mark_incomplete=1;EXPLAIN SELECT 1", true, true, "EXPLAIN SELECT 1"),
            ("SET wanqu.partial = on; SET wanqu.partial = off; SELECT 1", false, false, " SELECT 1"),
            ("SETTING", false, false, "SETTING"),
        ] {
            let settled = settled(question(sql)).unwrap();
            assert_eq!(
                (settled.partial, settled.mark_incomplete, settled.sql.as_str()),
                (partial, mark, query),
                "{sql}"
            );
        }
        let asked_for = Question { partial: true, ..question("SET wanqu.mark_incomplete = true; SELECT 1") };
        assert!(settled(asked_for).unwrap().partial, "what is not set stays");
    }

    #[test]
    fn a_setting_that_is_none_is_refused_with_those_there_are() {
        for sql in [
            "SET wanqu.partial = true",
            "SET wanqu.partial = true; -- nothing",
            "SET wanqu.partial = perhaps; SELECT 1",
            "SET wanqu.partial; SELECT 1",
            "SET datafusion.catalog.information_schema = true; SELECT 1",
        ] {
            let refusal = settled(question(sql)).unwrap_err();
            assert_eq!(refusal.code, Code::InvalidSql, "{sql}");
            assert!(refusal.remedy.unwrap().contains("SET wanqu.partial = true; SELECT"), "{sql}");
        }
    }
}
