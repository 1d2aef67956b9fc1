//! Foreign text made fit for a terminal: characters that would move the cursor, begin a line, turn the direction of what
//! follows, or take another width than was counted (so that the terminal breaks the line where the text wants it) are
//! written out, so that no value forges what stands beside it.
//!
//! For people only. Formats that programs read keep every value exact, and quote it by their own rules.

use std::fmt::Write as _;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};
use wanqu_model::refusal::Refusal;

/// Columns before a later line of one field of a refusal: the fields themselves begin at the second.
const FIELD: usize = 10;

/// Returns the text in one line: every control character as `\n`, `\t`, `\r` or `\u{1b}`, and every backslash as `\\`, so
/// that no two texts look alike.
#[must_use]
pub fn line(text: &str) -> String {
    let mut out = Written::default();
    for character in text.chars() {
        match character {
            '\n' => out.plain("\\n"),
            '\t' => out.plain("\\t"),
            '\r' => out.plain("\\r"),
            '\\' => out.plain("\\\\"),
            other => out.put(other),
        }
    }
    out.text
}

/// Returns the text of a format for programs as a terminal may get it: with characters that would drive it as `\u001b`, which
/// JSON reads as the same text. Line ends are left.
#[must_use]
pub fn on_terminal(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if character == '\n' || !(character.is_control() || is_unseen(character)) {
            out.push(character);
            continue;
        }
        for unit in character.encode_utf16(&mut [0; 2]) {
            // Writing to a `String` cannot fail.
            let _ = write!(out, "\\u{unit:04x}");
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
        let mut out = Written::default();
        for character in line.strip_suffix('\r').unwrap_or(line).chars() {
            match character {
                '\t' => out.plain("    "),
                other => out.put(other),
            }
        }
        out.text
    })
}

/// Most characters without a width that may follow each other: more are no letter's accents.
const ACCENTS: usize = 4;

/// Text that is being written for a terminal.
#[derive(Default)]
struct Written {
    text: String,
    /// Beginning of the last character with a width, and of the one before it.
    wide: [usize; 2],
    /// Number of characters without a width behind it.
    accents: usize,
}

impl Written {
    /// Adds text that is shown as it is.
    fn plain(&mut self, text: &str) {
        self.text.push_str(text);
        self.wide = [self.text.len(); 2];
        self.accents = 0;
    }

    /// Adds a character, written out if a terminal would not show it in the width that is counted for it.
    fn put(&mut self, character: char) {
        if character.is_control() || is_unseen(character) || !self.takes_its_width(character) {
            let accents = self.accents;
            self.plain(&character.escape_unicode().to_string());
            // After too many accents, the next one is as much too many.
            self.accents = accents;
            return;
        }
        if character.width().unwrap_or(0) > 0 {
            self.wide = [self.wide[1], self.text.len()];
            self.accents = 0;
        } else {
            self.accents += 1;
        }
        self.text.push(character);
    }

    /// Returns false for a character that takes less width after those before it than alone, as in sequences of emoji and in
    /// ligatures: many terminals draw them one by one.
    fn takes_its_width(&self, character: char) -> bool {
        let alone = character.width().unwrap_or(0);
        if alone == 0 && self.accents >= ACCENTS {
            return false;
        }
        let before = &self.text[self.wide[0]..];
        let mut with = before.to_owned();
        with.push(character);
        with.width() >= before.width() + alone
    }
}

/// Returns true for characters that change the order or the lines of what is shown, that show nothing at all, or of which
/// terminals do not agree whether they do: Unicode's `Default_Ignorable_Code_Point`, and what joins or modifies others.
/// The selector of emoji forms is left: it only ever counts as more than is drawn.
fn is_unseen(c: char) -> bool {
    matches!(
        c,
        '\u{ad}'
            | '\u{34f}'
            | '\u{61c}'
            | '\u{115f}'..='\u{11ff}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{3164}'
            | '\u{d7b0}'..='\u{d7ff}'
            | '\u{fe00}'..='\u{fe0e}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}'
            | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{1f1e6}'..='\u{1f1ff}'
            | '\u{1f3fb}'..='\u{1f3ff}'
            | '\u{e0000}'..='\u{e0fff}'
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
            ("深圳 é e\u{301} ⚕\u{fe0f} 한국 ไทย", "深圳 é e\u{301} ⚕\u{fe0f} 한국 ไทย"),
            ("C:\\new", "C:\\\\new"),
        ] {
            assert_eq!(line(text), shown);
        }
    }

    #[test]
    fn what_terminals_draw_wider_than_it_counts_is_written_out() {
        for unseen in
            ["\u{ad}", "\u{3164}", "\u{115f}", "\u{1160}", "\u{11a8}", "\u{ffa0}", "\u{34f}", "\u{180e}", "\u{200c}"]
        {
            let shown = line(&unseen.repeat(3));
            assert!(shown.is_ascii() && shown.starts_with("\\u{"), "{shown}");
        }
        for (text, shown) in [
            ("👩\u{200d}⚕️", "👩\\u{200d}⚕️"),
            ("👍\u{1f3fd}", "👍\\u{1f3fd}"),
            ("⌚\u{fe0e}", "⌚\\u{fe0e}"),
            // LAM and ALEF, which count as one.
            ("\u{644}\u{627}", "\u{644}\\u{627}"),
        ] {
            assert_eq!(line(text), shown);
        }
        let accents = line(&format!("e{}", "\u{301}".repeat(6)));
        assert_eq!(accents, format!("e{}\\u{{301}}\\u{{301}}", "\u{301}".repeat(4)));
        // Each character takes what is counted for it, and so does the whole.
        for text in ["🇭🇰👩\u{200d}👩\u{200d}👧", "\u{644}\u{301}\u{301}\u{627}x", "1\u{fe0f}\u{20e3}"] {
            let shown = line(text);
            let each: usize = shown.chars().map(|c| c.width().unwrap_or(0)).sum();
            assert!(shown.as_str().width() >= each, "{shown}");
        }
    }

    #[test]
    fn a_format_for_programs_drives_no_terminal_and_stays_json() {
        let json = on_terminal("[{\"a\":\"x\u{9b}31m\u{7f}\u{e0001}\"}]\n");
        assert_eq!(json, "[{\"a\":\"x\\u009b31m\\u007f\\udb40\\udc01\"}]\n");
        let read: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(read[0]["a"], "x\u{9b}31m\u{7f}\u{e0001}");
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
