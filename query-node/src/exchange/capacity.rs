//! Bounds on what the exchange works on at once.
//!
//! ```text
//! arrival ─▶ opened and admitted ─┬▶ public read   rows of the owner's own public slices: asks no other member
//!                                 └▶ fragment      everything else: while it runs, it may read public tables of others
//! ```
//!
//! The two have pools of their own. Were they one pool, owners whose places are all held by fragments that read each
//! other's public tables would turn each other's reads away, and no fragment could end. A public read asks nobody, so it
//! always ends by itself or at its deadline, and fragments never stand in its way. The owner decides by the plan that it
//! has admitted which of the two a request is; nothing that the caller says of it matters.

use std::sync::Arc;

use parking_lot::Mutex;
use wanqu_client::connect::UNREAD_STREAMS;
use wanqu_model::bundle::Limits;
use wanqu_model::names::JurisdictionId;
use wanqu_model::refusal::{Code, Refusal};

use crate::doors::{Drain, Place, Places, Share};

/// Fragments that one query may have open at one owner, on average.
const FRAGMENTS: usize = 16;

/// Public reads that one query may have open at one owner, on average: of each of its fragments at the other owners two.
const PUBLIC_READS: usize = 32;

/// Members whose queries there are places for. One member alone has the places of its own queries; several that ask for all
/// there are still leave some to others.
const MEMBERS: usize = 2;

/// Share of one member: no more places than are free.
const SHARE: Share = Share(1);

/// The most fragments, whatever the bundle's limits say.
const MOST_FRAGMENTS: u32 = 1024;

/// The most public reads, whatever the bundle's limits say.
const MOST_PUBLIC_READS: u32 = 2048;

/// Streams that one connection may have open: as many as there are places, so that no call waits within the transport
/// for the end of another one that waits for it.
pub(super) const STREAMS: u32 = MOST_FRAGMENTS + MOST_PUBLIC_READS;

const _: () = assert!(STREAMS <= UNREAD_STREAMS, "streams that nobody reads would stop the others");

/// Kind of work that an admitted fragment makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// Reads rows of the owner's own public slices, and nothing else.
    PublicRead,
    /// Reads non-public tables, or public tables that other members hold.
    Fragment,
}

impl Work {
    /// Returns the number of places for all members together.
    fn most(self, limits: &Limits) -> usize {
        let queries = (limits.concurrent_queries as usize).saturating_mul(MEMBERS);
        match self {
            Self::PublicRead => queries.saturating_mul(PUBLIC_READS).min(MOST_PUBLIC_READS as usize),
            Self::Fragment => queries.saturating_mul(FRAGMENTS).min(MOST_FRAGMENTS as usize),
        }
    }
}

/// The pools of one exchange. Clones share one state.
#[derive(Debug, Clone)]
pub(super) struct Capacity {
    arrivals: Places,
    public_reads: Places,
    fragments: Places,
}

impl Capacity {
    /// Counts every request in `arrivals`, from its arrival to its end. Its drain is the door's.
    pub fn new(arrivals: Places) -> Self {
        // Every request that was let in may begin: these two pools have no drain of their own.
        let pool = || Places::new(Drain::default());
        Self { arrivals, public_reads: pool(), fragments: pool() }
    }

    /// Lets a request of a member in, to be opened and admitted.
    ///
    /// # Errors
    /// [`Code::Limit`] if there is no room for it, whatever its work will be; [`Code::Draining`] if the node is ending.
    pub fn arrive(&self, peer: &JurisdictionId, limits: &Limits) -> Result<Arc<Seat>, Refusal> {
        let most = Work::PublicRead.most(limits) + Work::Fragment.most(limits);
        let arrived = self.arrivals.take_for(peer.as_str(), SHARE, most)?;
        Ok(Arc::new(Seat {
            pools: self.clone(),
            peer: peer.clone(),
            limits: limits.clone(),
            working: Mutex::default(),
            _arrived: arrived,
        }))
    }
}

/// A request that was let in, until this is dropped.
#[derive(Debug)]
pub(super) struct Seat {
    pools: Capacity,
    peer: JurisdictionId,
    limits: Limits,
    working: Mutex<Option<Place>>,
    _arrived: Place,
}

impl Seat {
    /// Takes the place that the admitted work needs, and holds it.
    ///
    /// # Errors
    /// [`Code::Limit`] if all places for such work are taken.
    pub fn begin(&self, work: Work) -> Result<(), Refusal> {
        let most = work.most(&self.limits);
        let (pool, what) = match work {
            Work::PublicRead => (&self.pools.public_reads, "reads of public tables"),
            Work::Fragment => (&self.pools.fragments, "fragments"),
        };
        let place = pool.take_for(self.peer.as_str(), SHARE, most).map_err(|_| {
            Refusal::new(Code::Limit, format!("the node runs as many {what} for {} as it may", self.peer))
                .with_rule(format!(
                    "at most {most} {what} run at once for all members, and for one of them no more than places are free \
                     (limits.concurrentQueries)"
                ))
                .with_remedy("ask again when fewer queries run")
        })?;
        *self.working.lock() = Some(place);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use wanqu_fixtures::identity::jid;

    use super::*;

    fn limits(concurrent_queries: u32) -> Limits {
        Limits { concurrent_queries, ..Limits::default() }
    }

    fn begun(capacity: &Capacity, limits: &Limits, peer: &str, work: Work) -> Result<Arc<Seat>, Refusal> {
        let seat = capacity.arrive(&jid(peer), limits)?;
        seat.begin(work).map(|()| seat)
    }

    /// Takes places for a member until it is refused one.
    fn all(capacity: &Capacity, limits: &Limits, peer: &str, work: Work) -> Vec<Arc<Seat>> {
        std::iter::from_fn(|| begun(capacity, limits, peer, work).ok()).collect()
    }

    #[test]
    fn fragments_and_public_reads_leave_each_other_their_places() {
        let (arrivals, limits) = (Places::new(Drain::default()), limits(1));
        let capacity = Capacity::new(arrivals.clone());
        for (work, other, own) in [(Work::Fragment, Work::PublicRead, 16), (Work::PublicRead, Work::Fragment, 32)] {
            let held = all(&capacity, &limits, "HK", work);
            assert_eq!(held.len(), own, "the places of its queries");
            let refusal = begun(&capacity, &limits, "HK", work).unwrap_err();
            assert_eq!(refusal.code, Code::Limit);
            assert!(begun(&capacity, &limits, "HK", other).is_ok(), "{work:?} takes the places of {other:?}");
            assert_eq!(arrivals.taken(), held.len(), "whoever was turned away has left");
            drop(held);
        }
        assert_eq!(arrivals.taken(), 0);
    }

    #[test]
    fn members_that_ask_for_all_places_leave_some_to_each_other() {
        let limits = limits(4);
        let capacity = Capacity::new(Places::new(Drain::default()));
        for work in [Work::Fragment, Work::PublicRead] {
            let greedy: Vec<_> = ["HK", "CN-SZ", "CN-GZ"].map(|peer| all(&capacity, &limits, peer, work)).into();
            assert!(greedy.iter().all(|held| held.len() >= 4), "{work:?}");
            assert!(begun(&capacity, &limits, "MO", work).is_ok(), "{work:?}: one that comes last has a place");
        }
    }

    #[test]
    fn whatever_the_limits_say_no_request_waits_for_a_stream() {
        for queries in [0, 1, 32, 64, 1000, u32::MAX] {
            let limits = limits(queries);
            let places = Work::PublicRead.most(&limits) + Work::Fragment.most(&limits);
            assert!(places <= STREAMS as usize, "{queries}");
        }
        assert!(Capacity::new(Places::new(Drain::default())).arrive(&jid("HK"), &limits(0)).is_err());
    }
}
