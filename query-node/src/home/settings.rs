//! Settings before a query, for clients that can send nothing but SQL text: `SET wanqu.partial = true; SELECT …`.
//!
//! A setting holds for the query behind it. It says no more than a [`Question`]'s fields do, and what it says goes before
//! what the client sent beside the text.

use wanqu_model::answer::Question;
use wanqu_model::refusal::{Code, Refusal};

use super::kind::{after_word, trimmed};

/// Function that sets a setting to a value; `None` if that is none it can have.
type Set = fn(&mut Question, &str) -> Option<()>;

/// A setting: its name, a value as an example, the values that it can have, and how it is set.
struct Setting {
    name: &'static str,
    example: &'static str,
    values: &'static str,
    set: Set,
}

const SWITCH: &str = "a setting is true or false";

const SETTINGS: [Setting; 4] = [
    Setting {
        name: "wanqu.partial",
        example: "true",
        values: SWITCH,
        set: |question, value| switch(value).map(|on| question.partial = on),
    },
    Setting {
        name: "wanqu.mark_incomplete",
        example: "true",
        values: SWITCH,
        set: |question, value| switch(value).map(|on| question.mark_incomplete = on),
    },
    Setting {
        name: "wanqu.project",
        example: "'NAME'",
        values: "a project is the name of a ResearchProject",
        set: |question, value| value.parse().ok().map(|project| question.project = Some(project)),
    },
    Setting {
        name: "wanqu.purpose",
        example: "'NAME'",
        values: "a purpose is one of the project's",
        set: |question, value| value.parse().ok().map(|purpose| question.purpose = Some(purpose)),
    },
];

fn switch(value: &str) -> Option<bool> {
    match value.to_ascii_lowercase().as_str() {
        "true" | "on" | "1" => Some(true),
        "false" | "off" | "0" => Some(false),
        _ => None,
    }
}

/// Applies the settings before a question's query, and takes them off its text.
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
    let (name, value) = (name.trim().to_ascii_lowercase(), value.trim().trim_matches('\''));
    let Some(setting) = SETTINGS.iter().find(|setting| setting.name == name) else {
        return Err(wrong("there is no such setting", "what a client may set is named here"));
    };
    let wrong = || wrong("a setting has another value than it can have", setting.values);
    (setting.set)(question, value).ok_or_else(wrong)
}

fn wrong(message: &str, rule: &str) -> Refusal {
    let forms = SETTINGS.map(|Setting { name, example, .. }| format!("SET {name} = {example}; SELECT …"));
    Refusal::new(Code::InvalidSql, message)
        .with_subject("SET")
        .with_rule(rule)
        .with_remedy(format!("write {}", forms.join(", or ")))
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
    fn a_project_and_a_purpose_are_set_before_a_query() {
        let text = "SET wanqu.project = 'capacity'; SET wanqu.purpose TO health-planning; SELECT 1";
        let sent = Question { project: Some("other".parse().unwrap()), ..question(text) };
        let settled = settled(sent).unwrap();
        assert_eq!(settled.project.unwrap().as_str(), "capacity");
        assert_eq!(settled.purpose.unwrap().as_str(), "health-planning");
    }

    #[test]
    fn a_setting_that_is_none_is_refused_with_those_there_are() {
        for sql in [
            "SET wanqu.partial = true",
            "SET wanqu.partial = true; -- nothing",
            "SET wanqu.partial = perhaps; SELECT 1",
            "SET wanqu.partial; SELECT 1",
            "SET wanqu.project = 'a b'; SELECT 1",
            "SET wanqu.purpose = ''; SELECT 1",
            "SET datafusion.catalog.information_schema = true; SELECT 1",
        ] {
            let refusal = settled(question(sql)).unwrap_err();
            assert_eq!(refusal.code, Code::InvalidSql, "{sql}");
            assert!(refusal.remedy.unwrap().contains("SET wanqu.partial = true; SELECT"), "{sql}");
        }
    }
}
