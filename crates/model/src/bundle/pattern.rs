//! Patterns by which dates and timestamps are written, after `strftime`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Pattern of a date or a timestamp: `%d/%m/%Y %H:%M`.
///
/// | part | reads |
/// |---|---|
/// | `%Y` | a year of four digits |
/// | `%y` | a year of two digits: 69 to 99 are 1969 to 1999, 00 to 68 are 2000 to 2068 |
/// | `%m`, `%d` | a month, a day, of one or two digits; of two where the next part is a number too |
/// | `%b` | a month's English name, or its first three letters |
/// | `%H`, `%M`, `%S` | hour (0 to 23), minute, second, likewise |
/// | `%I`, `%p` | hour (1 to 12), AM or PM |
/// | `%f` | a fraction of a second, without its point |
/// | `%z` | an offset from UTC: `+0800`, `+08:00`, `Z` |
/// | `%s`, `%Q` | seconds, milliseconds since 1970 (UTC), which then are the whole pattern |
/// | `%%` | a percent sign |
///
/// Every other character stands for itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TimePattern {
    text: String,
    parts: Vec<TimePart>,
}

/// Part of a [`TimePattern`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TimePart {
    /// A character that stands for itself.
    Literal(char),
    /// A field, by the letter after `%`.
    Field(char),
}

impl TimePattern {
    /// Returns its parts, in order.
    #[must_use]
    pub fn parts(&self) -> &[TimePart] {
        &self.parts
    }

    /// Returns true if it reads a time of the day.
    #[must_use]
    pub fn has_time(&self) -> bool {
        ['H', 'I', 's', 'Q'].iter().any(|field| self.has(*field))
    }

    fn has(&self, field: char) -> bool {
        self.parts.contains(&TimePart::Field(field))
    }

    /// Returns the fault of the pattern, if it does not give a point in time.
    fn fault(&self) -> Option<&'static str> {
        let fields: Vec<char> = self.parts.iter().filter_map(TimePart::field).collect();
        let one_of = |names: &[char]| fields.iter().filter(|f| names.contains(f)).count();
        if one_of(&['s', 'Q']) > 0 {
            return (self.parts.len() > 1).then_some("%s and %Q stand alone");
        }
        if [&['Y', 'y'][..], &['m', 'b'], &['d']].iter().any(|names| one_of(names) != 1) {
            return Some("it needs a year (%Y or %y), a month (%m or %b) and a day (%d), each once");
        }
        if [&['H', 'I'][..], &['M'], &['S'], &['f'], &['p'], &['z']].iter().any(|names| one_of(names) > 1) {
            return Some("a part of it is there twice");
        }
        let (hour, minute) = (one_of(&['H', 'I']) > 0, self.has('M'));
        if (self.has('S') && !minute) || (minute && !hour) || (self.has('f') && !self.has('S')) {
            return Some("a second needs a minute, a minute an hour, and a fraction a second");
        }
        if self.has('I') != self.has('p') {
            return Some("%I and %p go together");
        }
        (self.has('z') && !hour).then_some("an offset needs an hour")
    }
}

impl TimePart {
    fn field(&self) -> Option<char> {
        match self {
            Self::Field(field) => Some(*field),
            Self::Literal(_) => None,
        }
    }
}

/// Text that is no [`TimePattern`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a pattern of dates: {fault}; write for example \"%d/%m/%Y\" or \"%Y-%m-%d %H:%M:%S\"")]
pub struct TimePatternError {
    text: String,
    fault: String,
}

impl FromStr for TimePattern {
    type Err = TimePatternError;
    fn from_str(text: &str) -> Result<Self, TimePatternError> {
        let error = |fault: &str| TimePatternError { text: text.chars().take(80).collect(), fault: fault.to_owned() };
        if text.chars().count() > 64 {
            return Err(error("it has more than 64 characters"));
        }
        let mut parts = Vec::new();
        let mut rest = text.chars();
        while let Some(character) = rest.next() {
            parts.push(match character {
                '%' => match rest.next() {
                    Some('%') => TimePart::Literal('%'),
                    Some(field) if "YymdbHIMSfpzsQ".contains(field) => TimePart::Field(field),
                    Some(field) => return Err(error(&format!("there is no %{field}"))),
                    None => return Err(error("it ends in %")),
                },
                other => TimePart::Literal(other),
            });
        }
        let pattern = Self { text: text.to_owned(), parts };
        match pattern.fault() {
            Some(fault) => Err(error(fault)),
            None => Ok(pattern),
        }
    }
}

impl fmt::Display for TimePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl TryFrom<String> for TimePattern {
    type Error = TimePatternError;
    fn try_from(text: String) -> Result<Self, TimePatternError> {
        text.parse()
    }
}

impl From<TimePattern> for String {
    fn from(pattern: TimePattern) -> Self {
        pattern.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_gives_one_point_in_time_or_is_refused() {
        for (text, has_time) in [
            ("%Y-%m-%d", false),
            ("%Y年%m月%d日", false),
            ("%d-%b-%y", false),
            ("%d/%m/%Y %I:%M %p", true),
            ("%Y%m%d%H%M%S%f", true),
            ("%Y-%m-%dT%H:%M:%S.%f%z", true),
            ("100%% %Y %m %d", false),
            ("%s", true),
            ("%Q", true),
        ] {
            let pattern: TimePattern = text.parse().unwrap();
            assert_eq!((pattern.to_string().as_str(), pattern.has_time()), (text, has_time));
        }
        for text in [
            "",
            "%Y-%m",
            "%Y-%m-%d %S",
            "%Y-%m-%d %M",
            "%Y-%m-%d %I:%M",
            "%Y-%m-%d %H %p",
            "%Y %y %m %d",
            "%s ",
            "%Y-%m-%q",
            "%Y-%m-%d%",
            "%Y-%m-%d %H:%f",
            "%Y-%m-%d %z",
            "YYYY-MM-DD",
            "%Y-%m-%d %H %H",
        ] {
            assert!(text.parse::<TimePattern>().is_err(), "{text}");
        }
    }
}
