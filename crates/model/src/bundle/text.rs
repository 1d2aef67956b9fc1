//! Declarations about the text of CSV and NDJSON files: its encoding, its syntax, and how values are written.

use std::str::FromStr;

use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::pattern::TimePattern;

/// Declarations about the text of files; all absent for UTF-8 as RFC 4180 and ISO 8601 have it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TextSpec {
    /// Encoding of the characters. Absent: UTF-8, and a file that is not is refused as a whole.
    pub encoding: Option<Encoding>,
    /// Compression. Absent: by the ending of a file's name, `.gz` or `.zst`.
    pub compression: Option<Compression>,
    /// Syntax of CSV.
    pub csv: Option<CsvSyntax>,
    /// How values are written.
    pub values: Option<ValueSyntax>,
}

/// Encoding of csv and ndjson: utf-8, gb18030 (gbk and gb2312 are read as it), big5, utf-16le or utf-16be. Default: UTF-8, and a
/// file in another encoding is refused. With utf-8 here, a record that is not UTF-8 is a bad record instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = with_parts_of_gb18030)]
pub enum Encoding {
    /// UTF-8. Where it is declared, a record that is not UTF-8 is a bad record; where nothing is, the file is refused.
    #[serde(rename = "utf-8")]
    Utf8,
    /// GB18030, of which GBK and GB2312 are parts.
    #[serde(rename = "gb18030", alias = "gbk", alias = "gb2312")]
    Gb18030,
    /// Big5 with Hong Kong's characters (HKSCS).
    #[serde(rename = "big5")]
    Big5,
    /// UTF-16, the lower byte of each unit first.
    #[serde(rename = "utf-16le")]
    Utf16Le,
    /// UTF-16, the higher byte of each unit first.
    #[serde(rename = "utf-16be")]
    Utf16Be,
}

/// Adds the words that are read as `gb18030` to those of the schema, which knows no aliases.
fn with_parts_of_gb18030(schema: &mut Schema) {
    let words = ["gbk", "gb2312"]
        .map(|word| json!({"description": "A part of GB18030, read as gb18030.", "type": "string", "const": word}));
    if let Some(Value::Array(known)) = schema.get_mut("oneOf") {
        known.extend(words);
    }
}

impl Encoding {
    /// Returns the word for it in a manifest.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Utf8 => "utf-8",
            Self::Gb18030 => "gb18030",
            Self::Big5 => "big5",
            Self::Utf16Le => "utf-16le",
            Self::Utf16Be => "utf-16be",
        }
    }

    /// Returns its name in messages.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Utf8 => "UTF-8",
            Self::Gb18030 => "GB18030 (which GBK is a part of)",
            Self::Big5 => "Big5",
            Self::Utf16Le => "UTF-16LE",
            Self::Utf16Be => "UTF-16BE",
        }
    }
}

/// Compression of csv and ndjson: gzip, zstd or none. Default: of a single file, by the ending .gz or .zst of its name; of a
/// folder, none. With gzip or zstd, those files of a folder are read whose names end in .csv.gz, .csv.zst and the like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Compression {
    /// None, whatever the name ends in.
    None,
    /// Gzip (RFC 1952), with any number of members.
    Gzip,
    /// Zstandard (RFC 8878), with any number of frames.
    Zstd,
}

impl Compression {
    /// Returns the word for it in a manifest.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }
}

/// Syntax of CSV files. What is absent is as RFC 4180 has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CsvSyntax {
    /// Character between the fields of a record, of ASCII: ";", "|", or "\t" for a tab. Default: ",".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub separator: Option<Mark>,
    /// Character around a field that holds separators or line ends. Default: the double quote. Twice within such a field, it
    /// stands for itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quote: Option<Mark>,
    /// Character that makes the next one within a quoted field a plain character: "\\" in what some databases export. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub escape: Option<Mark>,
    /// First character of lines that are comments. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<Mark>,
    /// False if the files have no line with the names of the columns. Then sourceName is the place of a column in a record,
    /// from 1; by default its place among the columns of this Dataset. Default: true.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub header: bool,
    /// Number of lines at the beginning of each file that are left out, before the line with the names. Default: 0.
    #[serde(default, skip_serializing_if = "is_zero")]
    #[schemars(range(min = 0, max = 1000))]
    pub skip_lines: u32,
    /// Number of lines at the end of each file that are left out, such as notes and totals. Default: 0.
    #[serde(default, skip_serializing_if = "is_zero")]
    #[schemars(range(min = 0, max = 1000))]
    pub footer_lines: u32,
}

impl Default for CsvSyntax {
    /// RFC 4180 with a header.
    fn default() -> Self {
        Self { separator: None, quote: None, escape: None, comment: None, header: true, skip_lines: 0, footer_lines: 0 }
    }
}

impl CsvSyntax {
    /// Returns the character between fields.
    #[must_use]
    pub fn separator(&self) -> u8 {
        self.separator.map_or(b',', Mark::byte)
    }

    /// Returns the character around fields.
    #[must_use]
    pub fn quote(&self) -> u8 {
        self.quote.map_or(b'"', Mark::byte)
    }
}

fn yes() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_yes(value: &bool) -> bool {
    *value
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(value: &u32) -> bool {
    *value == 0
}

/// How values are written in CSV and NDJSON files.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ValueSyntax {
    /// Texts that stand for no value, in every column: "--", "N.A.", "N/A". An empty field of CSV without quotes always does;
    /// with "" here, one in quotes does too. Spaces around a text do not count.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(max = 64)))]
    pub nulls: Vec<String>,
    /// Character before the fraction of a number, "." or ",". Default: ".".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decimal_separator: Option<DecimalSeparator>,
    /// Character between groups of three digits of a whole number: ",", ".", "'" or " ". Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_separator: Option<GroupSeparator>,
    /// Patterns of dates: "%d/%m/%Y", "%Y年%m月%d日". Default: 2024-12-31, or 20241231. If several fit a value, they must
    /// give the same date.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub dates: Vec<TimePattern>,
    /// Patterns of timestamps: "%d/%m/%Y %H:%M", or "%s" for seconds since 1970 (UTC). Default: 2024-12-31T23:59:59, with
    /// fraction and offset if there are any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub timestamps: Vec<TimePattern>,
}

impl ValueSyntax {
    /// Returns the syntax of a column: of each field, what is declared here, or else what `general` declares.
    #[must_use]
    pub fn over(&self, general: &Self) -> Self {
        fn list<T: Clone>(own: &[T], general: &[T]) -> Vec<T> {
            if own.is_empty() { general.to_vec() } else { own.to_vec() }
        }
        Self {
            nulls: list(&self.nulls, &general.nulls),
            decimal_separator: self.decimal_separator.or(general.decimal_separator),
            group_separator: self.group_separator.or(general.group_separator),
            dates: list(&self.dates, &general.dates),
            timestamps: list(&self.timestamps, &general.timestamps),
        }
    }
}

/// Character before the fraction of a number, "." or ",". Default: ".".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DecimalSeparator {
    /// 1.5
    #[serde(rename = ".")]
    Point,
    /// 1,5
    #[serde(rename = ",")]
    Comma,
}

/// Character between groups of three digits of a whole number: ",", ".", "'" or " ", a space that does not break lines
/// included. Default: none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum GroupSeparator {
    /// 1,234,567
    #[serde(rename = ",")]
    Comma,
    /// 1.234.567
    #[serde(rename = ".")]
    Point,
    /// 1'234'567
    #[serde(rename = "'")]
    Apostrophe,
    /// 1 234 567
    #[serde(rename = " ")]
    Space,
}

/// Character of ASCII that separates or marks: no letter, digit or line end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Mark(u8);

impl Mark {
    /// Returns the character.
    #[must_use]
    pub fn byte(self) -> u8 {
        self.0
    }
}

/// Text that is no [`Mark`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not one character of ASCII that is no letter, digit or line end; write for example \";\" or \"\\t\"")]
pub struct MarkError(String);

impl FromStr for Mark {
    type Err = MarkError;
    fn from_str(text: &str) -> Result<Self, MarkError> {
        match text.as_bytes() {
            [byte] if matches!(byte, b'\t' | b' ') || byte.is_ascii_punctuation() => Ok(Self(*byte)),
            _ => Err(MarkError(text.chars().take(20).collect())),
        }
    }
}

impl TryFrom<String> for Mark {
    type Error = MarkError;
    fn try_from(text: String) -> Result<Self, MarkError> {
        text.parse()
    }
}

impl From<Mark> for String {
    fn from(mark: Mark) -> Self {
        char::from(mark.0).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_declared_is_not_written() {
        let syntax: CsvSyntax = serde_json::from_str("{}").unwrap();
        assert_eq!(syntax, CsvSyntax::default());
        assert_eq!((syntax.separator(), syntax.quote()), (b',', b'"'));
        assert_eq!(serde_json::to_string(&syntax).unwrap(), "{}");
        assert_eq!(serde_json::to_string(&ValueSyntax::default()).unwrap(), "{}");
        let text = r#"{"separator":"\t","header":false,"skipLines":2}"#;
        let syntax: CsvSyntax = serde_json::from_str(text).unwrap();
        assert_eq!((syntax.separator(), syntax.header, syntax.skip_lines), (b'\t', false, 2));
        assert_eq!(serde_json::to_string(&syntax).unwrap(), text);
    }

    #[test]
    fn what_a_column_declares_holds_in_the_place_of_what_its_source_does() {
        let syntax = |json: &str| serde_json::from_str::<ValueSyntax>(json).unwrap();
        let general = syntax(r#"{"nulls":["--"],"decimalSeparator":",","dates":["%d/%m/%Y"]}"#);
        let column = syntax(r#"{"nulls":["x"],"groupSeparator":".","dates":["%Y%m%d"]}"#);
        let both = syntax(r#"{"nulls":["x"],"decimalSeparator":",","groupSeparator":".","dates":["%Y%m%d"]}"#);
        assert_eq!(column.over(&general), both);
        assert_eq!(ValueSyntax::default().over(&general), general);
    }

    #[test]
    fn the_words_of_messages_are_those_of_manifests() {
        for encoding in [Encoding::Utf8, Encoding::Gb18030, Encoding::Big5, Encoding::Utf16Le, Encoding::Utf16Be] {
            assert_eq!(serde_json::to_value(encoding).unwrap(), encoding.word());
        }
        for word in ["gbk", "gb2312"] {
            let read: Encoding = serde_json::from_value(word.into()).unwrap();
            assert_eq!(read, Encoding::Gb18030);
            let schema = serde_json::to_value(schemars::schema_for!(Encoding)).unwrap();
            let words: Vec<&Value> = schema["oneOf"].as_array().unwrap().iter().map(|one| &one["const"]).collect();
            assert!(words.contains(&&Value::from(word)), "{words:?}");
        }
        for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
            assert_eq!(serde_json::to_value(compression).unwrap(), compression.word());
        }
    }
}
