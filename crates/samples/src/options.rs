//! Options of the generator: its seed, and how much it makes.

/// Options of the generator. Equal options give equal bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Everything random follows from it.
    pub seed: u64,
    /// Health visits in the three cities together, in the proportion of their populations. At most [`Options::MAX_VISITS`].
    pub visits: u64,
    /// Days of hourly air quality, from 1 January 2024. At most [`Options::MAX_AIR_DAYS`].
    pub air_days: u16,
    /// True to add the persons of [`crate::canaries`] to each city.
    pub canaries: bool,
}

impl Options {
    /// More visits than this would need more people than there are identity numbers of the forms used.
    pub const MAX_VISITS: u64 = 20_000_000;
    /// The air quality is that of one year, 2024.
    pub const MAX_AIR_DAYS: u16 = 366;

    /// A small set for tests: about 3,000 visits, in well under a second.
    #[must_use]
    pub const fn small() -> Self {
        Self { seed: 1, visits: 3_000, air_days: 7, canaries: false }
    }

    /// Returns the options with canaries planted.
    #[must_use]
    pub const fn with_canaries(mut self) -> Self {
        self.canaries = true;
        self
    }
}

impl Default for Options {
    /// Returns the demo's options: a million visits and a year of air.
    fn default() -> Self {
        Self { seed: 1, visits: 1_000_000, air_days: Self::MAX_AIR_DAYS, canaries: false }
    }
}

/// Progress of the generator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Display name of the file being written: `Shenzhen: health visits`.
    pub what: &'static str,
    /// Rows written, over all tables.
    pub done: u64,
    /// Rows to write in all.
    pub total: u64,
}
