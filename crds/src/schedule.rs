//! Schedules in the form of a `CronJob`'s.

use std::fmt;

use cronexpr::{Crontab, FallbackTimezoneOption, ParseOptions, parse_crontab_with};
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Parsed schedule: five fields, in one time zone.
#[derive(Clone)]
pub struct Schedule(Crontab);

/// Reason why a schedule cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// The text does not have the form of a schedule.
    #[error("{0:?} is no schedule: it has five fields, minute, hour, day of month, month and day of week")]
    Fields(String),
    /// No day fits the fields.
    #[error("{0:?} never comes: no month has such a day")]
    Never(String),
    /// The time zone is not known.
    #[error("{0:?} is no time zone that is known here")]
    Zone(String),
}

impl ScheduleError {
    /// Returns the path of the field that is wrong.
    #[must_use]
    pub fn field(&self) -> &'static str {
        match self {
            Self::Fields(_) | Self::Never(_) => "spec.schedule",
            Self::Zone(_) => "spec.timeZone",
        }
    }

    /// Returns an example of a right value.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Fields(_) | Self::Never(_) => "for example 30 6 * * 1, Mondays at half past six",
            Self::Zone(_) => "for example Asia/Hong_Kong",
        }
    }
}

impl Schedule {
    /// Parses a schedule. Without a zone its times are UTC.
    ///
    /// # Errors
    /// [`ScheduleError`]: the fields or the zone cannot be read.
    ///
    /// ```
    /// let schedule = wanqu_crds::Schedule::parse("30 6 * * 1", Some("Asia/Hong_Kong")).unwrap();
    /// let next = schedule.after("2026-03-01T00:00:00Z".parse().unwrap());
    /// assert_eq!(next.unwrap().to_string(), "2026-03-01T22:30:00Z");
    /// ```
    pub fn parse(fields: &str, zone: Option<&str>) -> Result<Self, ScheduleError> {
        let wrong = || ScheduleError::Fields(fields.to_owned());
        // A sixth field would be a second way to say the zone.
        if fields.split_whitespace().count() != 5 {
            return Err(wrong());
        }
        let zone = zone.unwrap_or("UTC");
        if zone.contains(char::is_whitespace) || TimeZone::get(zone).is_err() {
            return Err(ScheduleError::Zone(zone.to_owned()));
        }
        let mut options = ParseOptions::default();
        options.fallback_timezone_option = FallbackTimezoneOption::UTC;
        let fields: Vec<&str> = fields.split_whitespace().collect();
        let read =
            parse_crontab_with(&format!("{} {zone}", fields.join(" ")), options).map(Self).map_err(|_| wrong())?;
        // A time that exists at all has occurred since then: leap days too.
        read.after(Timestamp::UNIX_EPOCH).map(|_| ()).ok_or_else(|| ScheduleError::Never(fields.join(" ")))?;
        Ok(read)
    }

    /// Returns the first scheduled time after this one; `None` if there is none.
    #[must_use]
    pub fn after(&self, time: Timestamp) -> Option<Timestamp> {
        self.0.find_next(time).ok().map(|next| next.timestamp())
    }
}

impl fmt::Debug for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Schedule").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZoneDatabase;

    use super::*;

    #[test]
    fn zones_are_known_on_a_machine_that_has_no_files_of_them() {
        assert!(TimeZoneDatabase::bundled().get("Asia/Hong_Kong").is_ok());
    }

    fn times(fields: &str, zone: Option<&str>, from: &str, count: usize) -> Vec<String> {
        let schedule = Schedule::parse(fields, zone).unwrap();
        let from: Timestamp = from.parse().unwrap();
        std::iter::successors(schedule.after(from), |time| schedule.after(*time))
            .take(count)
            .map(|time| time.to_string())
            .collect()
    }

    #[test]
    fn times_are_those_of_the_zone() {
        assert_eq!(
            times("0 6 * * *", Some("Asia/Macau"), "2026-03-01T00:00:00Z", 2),
            ["2026-03-01T22:00:00Z", "2026-03-02T22:00:00Z"]
        );
        assert_eq!(times("0 6 * * *", None, "2026-03-01T06:00:00Z", 1), ["2026-03-02T06:00:00Z"], "after, not at");
        // Clocks go forward over 02:30 on 29 March 2026, and the day has no such time.
        let spring = times("30 2 * * *", Some("Europe/Lisbon"), "2026-03-27T12:00:00Z", 3);
        assert_eq!(spring.len(), 3);
        assert!(spring.windows(2).all(|pair| pair[0] < pair[1]), "{spring:?}");
    }

    #[test]
    fn a_text_that_is_no_schedule_is_refused_with_the_reason() {
        for fields in
            ["", "* * * *", "* * * * * *", "60 * * * *", "* 24 * * *", "@daily", "0 6 * * * Asia/Macau", "a b c d e"]
        {
            assert_eq!(Schedule::parse(fields, None).unwrap_err(), ScheduleError::Fields(fields.to_owned()));
        }
        for zone in ["Asia/Atlantis", "", "UTC UTC", "../etc/passwd"] {
            assert_eq!(Schedule::parse("* * * * *", Some(zone)).unwrap_err(), ScheduleError::Zone(zone.to_owned()));
        }
    }

    #[test]
    fn a_day_that_never_comes_is_no_schedule() {
        for fields in ["0 0 31 2 *", "0 0 30 2 *", "0 0 31 4,6,9,11 *"] {
            assert_eq!(Schedule::parse(fields, None).unwrap_err(), ScheduleError::Never(fields.to_owned()));
        }
        assert_eq!(times("0 0 29 2 *", None, "2026-01-01T00:00:00Z", 1), ["2028-02-29T00:00:00Z"]);
    }
}
