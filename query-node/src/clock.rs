//! Clock by which agreements, certificates and envelopes hold. It is injected, so that a test can set it.

use jiff::Timestamp;

/// Source of the time.
pub trait Clock: Send + Sync + 'static {
    /// Returns the present time.
    fn now(&self) -> Timestamp;
}

/// Clock of the machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// Clock that a test sets.
#[cfg(test)]
#[derive(Debug)]
pub struct SetClock(parking_lot::Mutex<Timestamp>);

#[cfg(test)]
impl SetClock {
    /// Returns a clock that stands at this time.
    #[must_use]
    pub fn new(time: Timestamp) -> Self {
        Self(parking_lot::Mutex::new(time))
    }

    /// Lets time pass; it may be less than none.
    pub fn pass(&self, time: jiff::SignedDuration) {
        *self.0.lock() += time;
    }
}

#[cfg(test)]
impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        *self.0.lock()
    }
}
