//! The days of 2023 and 2024, and how many people go to a doctor on each.

use jiff::civil::{Date, date};

/// The first year of visits.
pub const FIRST_YEAR: i16 = 2023;
/// The last year of visits.
pub const LAST_YEAR: i16 = 2024;

/// One day, with its texts made once.
#[derive(Debug, Clone)]
pub struct Day {
    /// Days since 1 January 1970.
    pub epoch: i32,
    /// The year.
    pub year: i16,
    /// The month, from 1.
    pub month: u8,
    /// Saturday or Sunday.
    pub weekend: bool,
    /// `2024-03-05`.
    pub iso: String,
    /// `05/03/2024`.
    pub day_first: String,
}

impl Day {
    fn new(date: Date, epoch: i32) -> Self {
        let (year, month, day) = (date.year(), date.month(), date.day());
        Self {
            epoch,
            year,
            month: month.unsigned_abs(),
            weekend: date.weekday().to_monday_zero_offset() >= 5,
            iso: format!("{year:04}-{month:02}-{day:02}"),
            day_first: format!("{day:02}/{month:02}/{year:04}"),
        }
    }
}

/// Every day from 1 January of one year to 31 December of another.
#[must_use]
pub fn days(first_year: i16, last_year: i16) -> Vec<Day> {
    let first = date(first_year, 1, 1);
    let start = date(1970, 1, 1).until(first).map_or(0, |span| span.get_days());
    first
        .series(jiff::Span::new().days(1))
        .take_while(|day| day.year() <= last_year)
        .zip(start..)
        .map(|(day, epoch)| Day::new(day, epoch))
        .collect()
}

/// Returns the number of visits on each day, `total` altogether: more in the months that `months` gives more weight, fewer
/// at weekends.
#[must_use]
pub fn spread(days: &[Day], months: &[u32; 12], total: u64) -> Vec<u64> {
    let weight = |day: &Day| {
        let month = months.get(usize::from(day.month) - 1).copied().unwrap_or(0);
        u64::from(month) * if day.weekend { 6 } else { 10 }
    };
    let all: u64 = days.iter().map(weight).sum::<u64>().max(1);
    let mut sum = 0;
    let mut given = 0;
    days.iter()
        .map(|day| {
            sum += weight(day);
            let until = sum * total / all;
            let here = until - given;
            given = until;
            here
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_731_days_of_two_years_share_out_every_visit() {
        let days = days(FIRST_YEAR, LAST_YEAR);
        assert_eq!(days.len(), 731);
        assert_eq!((days[0].iso.as_str(), days[0].epoch), ("2023-01-01", 19_358));
        assert_eq!(days[730].day_first, "31/12/2024");
        assert!(days[0].weekend && !days[1].weekend);
        let spread = spread(&days, &[9, 8, 8, 7, 7, 7, 8, 7, 7, 7, 8, 9], 100_003);
        assert_eq!(spread.iter().sum::<u64>(), 100_003);
        assert!(spread[1] > spread[0]);
    }
}
