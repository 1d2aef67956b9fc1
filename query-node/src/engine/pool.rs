//! The memory pool of one query, which shows on a gauge how much of it is reserved, and counts towards the process's bound.

use std::fmt;

use datafusion::common::{DataFusionError, Result as DfResult};
use datafusion::execution::memory_pool::{FairSpillPool, MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation};
use prometheus_client::metrics::gauge::Gauge;

use super::memory;
use crate::stay::{self, Stay};

/// Fair pool with a gauge that it shares with the pools of other queries.
#[derive(Debug)]
pub struct GaugedPool {
    pool: FairSpillPool,
    gauge: Gauge,
    /// Place that the query holds, given back when its last operator is gone.
    _stay: Option<Stay>,
}

impl GaugedPool {
    /// Returns a pool of so many MiB, for the work that runs here.
    #[must_use]
    pub fn new(memory_mib: u32, gauge: Gauge) -> Self {
        Self { pool: FairSpillPool::new((memory_mib as usize).saturating_mul(1 << 20)), gauge, _stay: stay::current() }
    }

    /// Shows what has been reserved.
    fn show(&self, bytes: usize) {
        self.gauge.inc_by(i64::try_from(bytes).unwrap_or(i64::MAX));
    }
}

impl MemoryPool for GaugedPool {
    fn name(&self) -> &str {
        self.pool.name()
    }

    fn register(&self, consumer: &MemoryConsumer) {
        self.pool.register(consumer);
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        self.pool.unregister(consumer);
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        self.pool.grow(reservation, additional);
        memory::count(additional);
        self.show(additional);
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        self.pool.shrink(reservation, shrink);
        memory::free(shrink);
        self.gauge.dec_by(i64::try_from(shrink).unwrap_or(i64::MAX));
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> DfResult<()> {
        self.pool.try_grow(reservation, additional)?;
        if !memory::reserve(additional) {
            self.pool.shrink(reservation, additional);
            return Err(DataFusionError::ResourcesExhausted("all queries together hold what the node has".to_owned()));
        }
        self.show(additional);
        Ok(())
    }

    fn reserved(&self) -> usize {
        self.pool.reserved()
    }

    fn memory_limit(&self) -> MemoryLimit {
        self.pool.memory_limit()
    }
}

impl fmt::Display for GaugedPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.pool.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn a_gauge_shows_what_all_queries_hold_and_nothing_when_they_are_gone() {
        let gauge = Gauge::default();
        let pool = || -> Arc<dyn MemoryPool> { Arc::new(GaugedPool::new(1, gauge.clone())) };
        let (a, b) = (pool(), pool());
        let first = MemoryConsumer::new("first").with_can_spill(true).register(&a);
        let second = MemoryConsumer::new("second").register(&b);
        first.try_grow(1000).unwrap();
        second.grow(24);
        assert_eq!(gauge.get(), 1024);
        assert!(first.try_grow(2 << 20).is_err(), "the limit holds");
        assert_eq!(gauge.get(), 1024);
        first.shrink(500);
        drop((first, second));
        assert_eq!(gauge.get(), 0);
    }
}
