//! A bound on the work of reading.

use std::cell::Cell;
use std::panic::resume_unwind;

/// Steps that every text may take, however short: enough for joins in brackets within each other seven times, each of which is read
/// twice.
const BASE: u64 = 20_000;
/// Steps that a text may take for each of its tokens. Right ones take between one and seven, and a step takes about a
/// microsecond.
const PER_TOKEN: u64 = 16;

/// Why a reading was ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// It took more steps than it may.
    Steps,
    /// Expressions lay within each other more deeply than they may.
    Depth,
}

/// Steps and depth of one reading.
///
/// A step is a question of the parser to its dialect; between two of them it does little. An error would not end
/// the reading: the parser takes it for "not in this way", and tries the next. So it is ended by unwinding to
/// [`Text::parse`](crate::Text::parse), which is no panic: nobody's hook for panics is called.
#[derive(Debug)]
pub(crate) struct Work {
    steps: Cell<u64>,
    most_steps: u64,
    depth: Cell<usize>,
    most_depth: usize,
    /// The next prefix belongs to the level that was just entered.
    entered: Cell<bool>,
}

impl Work {
    /// Returns the work that a text of so many tokens may be.
    pub(crate) fn of(tokens: usize, most_depth: usize) -> Self {
        Self::at_most(Self::bound(tokens), most_depth)
    }

    /// Returns work without a bound, for what is one pass over the text.
    pub(crate) fn unbounded() -> Self {
        Self::at_most(u64::MAX, usize::MAX)
    }

    fn at_most(most_steps: u64, most_depth: usize) -> Self {
        Self { steps: Cell::new(0), most_steps, depth: Cell::new(0), most_depth, entered: Cell::new(false) }
    }

    /// Returns the most steps of a text of so many tokens.
    pub(crate) fn bound(tokens: usize) -> u64 {
        BASE.saturating_add(PER_TOKEN.saturating_mul(tokens as u64))
    }

    /// Returns the steps that were taken.
    #[cfg(test)]
    pub(crate) fn taken(&self) -> u64 {
        self.steps.get()
    }

    /// Counts a step, and ends the reading if it was one too many.
    pub(crate) fn step(&self) {
        self.steps_of(1);
    }

    /// Counts what is worth so many steps, and ends the reading if these were too many.
    pub(crate) fn steps_of(&self, more: u64) {
        let steps = self.steps.get().saturating_add(more);
        self.steps.set(steps);
        if steps > self.most_steps {
            resume_unwind(Box::new(Ended::Steps));
        }
    }

    /// Enters an expression, until the guard is dropped. Returns `None` the second time, when the parser asks again for
    /// the expression that was entered.
    pub(crate) fn enter(&self) -> Option<Level<'_>> {
        if self.entered.replace(false) {
            return None;
        }
        if self.depth.get() >= self.most_depth {
            resume_unwind(Box::new(Ended::Depth));
        }
        self.depth.set(self.depth.get() + 1);
        self.entered.set(true);
        Some(Level(self))
    }
}

/// A level of nested expressions.
pub(crate) struct Level<'a>(&'a Work);

impl Drop for Level<'_> {
    fn drop(&mut self) {
        self.0.depth.set(self.0.depth.get() - 1);
    }
}
