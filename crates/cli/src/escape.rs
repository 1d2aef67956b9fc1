//! Foreign text made fit for a terminal: characters that would move the cursor, begin a line or turn the direction of what
//! follows are written out, so that no value forges what stands beside it.
//!
//! For people only. Formats that programs read keep every value exact, and quote it by their own rules.

use std::fmt::Write as _;

use wanqu_model::refusal::Refusal;

/// Columns before a later line of one field of a refusal: the fields themselves begin at the second.
const FIELD: usize = 10;

/// Returns the text in one line: every control character as `\n`, `\t`, `\r` or `\u{1b}`.
#[must_use]
pub fn line(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            other => put(&mut out, other),
        }
    }
    out
}

/// Returns the text with its lines, each after the first `indent` columns further in. A tab becomes four spaces.
#[must_use]
pub fn block(text: &str, indent: usize) -> String {
    lines(text).collect::<Vec<_>>().join(&format!("\n{:indent$}", ""))
}

/// Returns a message with its lines, each after the first at least two columns in: none of them passes for a message of its
/// own.
#[must_use]
pub fn message(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (number, line) in lines(text).enumerate() {
        if number > 0 {
            out.push_str(if line.starts_with("  ") { "\n" } else { "\n  " });
        }
        out.push_str(&line);
    }
    out
}

/// Returns a refusal in words. Any of its fields may be another node's text: lines within one stand further in than the
/// names of fields, so that a query in a remedy can be copied and nothing else passes for a field.
#[must_use]
pub fn refusal(refusal: &Refusal) -> String {
    let field = |text: &String| block(text, FIELD);
    let shown = Refusal {
        message: field(&refusal.message),
        rule: refusal.rule.as_ref().map(field),
        subject: refusal.subject.as_ref().map(field),
        remedy: refusal.remedy.as_ref().map(field),
        ..refusal.clone()
    };
    shown.to_string()
}

/// The lines of a text, without what ends them.
fn lines(text: &str) -> impl Iterator<Item = String> {
    text.split('\n').map(|line| {
        let mut out = String::with_capacity(line.len());
        for character in line.strip_suffix('\r').unwrap_or(line).chars() {
            match character {
                '\t' => out.push_str("    "),
                other => put(&mut out, other),
            }
        }
        out
    })
}

fn put(out: &mut String, character: char) {
    if character.is_control() || is_invisible(character) {
        // Writing to a `String` cannot fail.
        let _ = write!(out, "{}", character.escape_unicode());
    } else {
        out.push(character);
    }
}

/// True for characters that change the order or the lines of what is shown, or that show nothing at all. Joiners are left:
/// scripts and emoji need them.
fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{61c}'
            | '\u{200b}'
            | '\u{200e}'
            | '\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

#[cfg(test)]
mod tests {
    use wanqu_model::refusal::Code;

    use super::*;

    #[test]
    fn a_value_keeps_to_its_line_and_does_not_steer_the_terminal() {
        for (text, shown) in [
            ("a\u{1b}[2Jb", "a\\u{1b}[2Jb"),
            ("one\ntwo", "one\\ntwo"),
            ("over\rwritten", "over\\rwritten"),
            ("a\tb", "a\\tb"),
            ("a\0b\u{7f}\u{9b}31m", "a\\u{0}b\\u{7f}\\u{9b}31m"),
            ("\u{202e}abc\u{2066}", "\\u{202e}abc\\u{2066}"),
            ("a\u{2028}b\u{2029}c", "a\\u{2028}b\\u{2029}c"),
            ("\u{feff}a\u{200b}b", "\\u{feff}a\\u{200b}b"),
            ("深圳 é 👩\u{200d}⚕️", "深圳 é 👩\u{200d}⚕️"),
        ] {
            assert_eq!(line(text), shown);
        }
    }

    #[test]
    fn a_block_keeps_its_lines_and_they_stand_further_in() {
        assert_eq!(block("SELECT 1\r\n\tFROM t\u{1b}", 4), "SELECT 1\n        FROM t\\u{1b}");
        assert_eq!(message("2 problems\n  a\nwanqu: forged\r"), "2 problems\n  a\n  wanqu: forged");
    }

    #[test]
    fn a_field_of_a_refusal_cannot_pass_for_another() {
        let forged = Refusal::new(Code::ColumnClass, "no\n  rule:   anybody may (MO)\nnote: all is well")
            .with_rule("r\u{1b}]0;title\u{7}")
            .with_remedy("SELECT count(*)\nFROM t");
        assert_eq!(
            refusal(&forged),
            "no\n            rule:   anybody may (MO)\n          note: all is well [column-class]\n  \
             rule:   r\\u{1b}]0;title\\u{7}\n  remedy: SELECT count(*)\n          FROM t"
        );
    }
}
