//! Bounds on the connections of one door.
//!
//! ```text
//! accepted ─▶ stranger ─▶ TLS handshake ─▶ first call with a token, or a node's certificate ─▶ known
//! ```
//!
//! A connection is a stranger's until a call on it has proved who makes it. Strangers have places of their own, few of
//! them for each address, and little time. A new one always gets in: where the places are all taken, the connection that
//! has waited longest is closed for it, of the same address if that one has its share, of the address with the most
//! otherwise. So whoever opens connections and says nothing only ever crowds out connections like their own, and somebody
//! who says at once who they are is not a stranger any more when their turn would come.
//!
//! Known callers have other places, which no stranger can take, and each of them has a share.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;
use wanqu_model::refusal::{Code, Refusal};

/// Numbers of connections that a door holds at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CrowdBounds {
    /// Connections of callers who have not proved who they are.
    pub strangers: usize,
    /// The same of one address: an IPv4 address, or a network of 64 bits in IPv6.
    pub strangers_of_address: usize,
    /// Connections of callers who have.
    pub known: usize,
    /// The same of one caller: a researcher at the gateway, a jurisdiction at the exchange.
    pub known_of_caller: usize,
    /// Calls of a stranger that are refused before its connection is closed.
    pub refused_calls: usize,
}

impl Default for CrowdBounds {
    fn default() -> Self {
        Self { strangers: 256, strangers_of_address: 32, known: 1024, known_of_caller: 128, refused_calls: 32 }
    }
}

/// Connections of one door. Clones share one state.
#[derive(Debug, Clone)]
pub(super) struct Crowd {
    bounds: CrowdBounds,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    next: u64,
    /// By arrival.
    strangers: BTreeMap<u64, Stranger>,
    by_address: HashMap<IpAddr, usize>,
    known: usize,
    by_caller: HashMap<Arc<str>, usize>,
}

#[derive(Debug)]
struct Stranger {
    address: IpAddr,
    close: CancellationToken,
}

/// One connection, from its arrival until this is dropped.
#[derive(Debug)]
pub(super) struct Presence {
    crowd: Crowd,
    id: u64,
    close: CancellationToken,
    cut_off: CancellationToken,
    /// The reason for which it is cut off, once it is.
    reason: OnceLock<&'static str>,
    refused: AtomicUsize,
    caller: Mutex<Option<Arc<str>>>,
}

impl Crowd {
    /// Returns an empty one.
    pub fn new(bounds: CrowdBounds) -> Self {
        Self { bounds, state: Arc::default() }
    }

    /// Lets a connection in, as a stranger. Another one may be closed for it.
    pub fn arrive(&self, address: IpAddr) -> Presence {
        let address = network_of(address);
        let close = CancellationToken::new();
        let mut state = self.state.lock();
        if state.by_address.get(&address).copied().unwrap_or_default() >= self.bounds.strangers_of_address {
            state.close_oldest(address);
        } else if state.strangers.len() >= self.bounds.strangers
            && let Some(most) = state.by_address.iter().max_by_key(|(_, count)| **count).map(|(address, _)| *address)
        {
            state.close_oldest(most);
        }
        let id = state.next;
        state.next += 1;
        state.strangers.insert(id, Stranger { address, close: close.clone() });
        *state.by_address.entry(address).or_default() += 1;
        drop(state);
        Presence {
            crowd: self.clone(),
            id,
            close,
            cut_off: CancellationToken::new(),
            reason: OnceLock::new(),
            refused: AtomicUsize::new(0),
            caller: Mutex::default(),
        }
    }
}

impl State {
    /// Closes the stranger of an address that has been here longest.
    fn close_oldest(&mut self, address: IpAddr) {
        let oldest = self.strangers.iter().find(|(_, stranger)| stranger.address == address).map(|(id, _)| *id);
        if let Some(stranger) = oldest.and_then(|id| self.leave(id)) {
            stranger.close.cancel();
        }
    }

    /// Takes a stranger off the list.
    fn leave(&mut self, id: u64) -> Option<Stranger> {
        let stranger = self.strangers.remove(&id)?;
        less_one(&mut self.by_address, &stranger.address);
        Some(stranger)
    }
}

impl Presence {
    /// Has the connection closed, whoever makes its calls.
    fn cut_off(&self, reason: &'static str) {
        let _ = self.reason.set(reason);
        self.cut_off.cancel();
    }

    /// Waits until the connection is cut off. Returns the reason.
    pub async fn is_cut_off(&self) -> &'static str {
        self.cut_off.cancelled().await;
        self.reason.get().copied().unwrap_or("it was to be closed")
    }

    /// Notes a call on this connection that did not prove who makes it. A stranger has a few of them: each costs the node a
    /// signature, and the stranger nothing.
    pub fn call_refused(&self) {
        if !self.is_known() && self.refused.fetch_add(1, Ordering::Relaxed) + 1 >= self.crowd.bounds.refused_calls {
            self.cut_off("its calls did not prove who makes them");
        }
    }

    /// Returns the token that is cancelled when the connection is to be closed for another stranger's.
    pub fn close(&self) -> &CancellationToken {
        &self.close
    }

    /// Returns true if a call on this connection has proved who makes it.
    pub fn is_known(&self) -> bool {
        self.caller.lock().is_some()
    }

    /// Notes that a call on this connection has proved that `caller` makes it. The first caller of a connection counts.
    ///
    /// # Errors
    /// [`Code::Limit`] if there are as many connections of known callers, or of this one, as there may be.
    pub fn known_as(&self, caller: &str) -> Result<(), Refusal> {
        let mut known = self.caller.lock();
        if known.is_some() {
            return Ok(());
        }
        let (bounds, mut state) = (self.crowd.bounds, self.crowd.state.lock());
        if state.known >= bounds.known {
            return Err(Refusal::new(Code::Limit, "the node has as many connections as it may")
                .with_rule(format!("a door holds at most {} connections of known callers", bounds.known))
                .with_remedy("ask again later"));
        }
        if state.by_caller.get(caller).copied().unwrap_or_default() >= bounds.known_of_caller {
            return Err(Refusal::new(Code::Limit, "you have as many connections to this node as you may")
                .with_rule(format!("one caller has at most {} connections", bounds.known_of_caller))
                .with_remedy("ask over a connection that is open already, or close some"));
        }
        // It may have been closed for another one meanwhile; then it ends as it is.
        state.leave(self.id);
        let caller: Arc<str> = caller.into();
        state.known += 1;
        *state.by_caller.entry(Arc::clone(&caller)).or_default() += 1;
        *known = Some(caller);
        Ok(())
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        let mut state = self.crowd.state.lock();
        match self.caller.get_mut().take() {
            Some(caller) => {
                state.known -= 1;
                less_one(&mut state.by_caller, &caller);
            }
            None => drop(state.leave(self.id)),
        }
    }
}

fn less_one<K: std::hash::Hash + Eq>(counts: &mut HashMap<K, usize>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}

/// Returns what one subscriber has: an IPv4 address, also where IPv6 carries it; in IPv6 a network of 64 bits, in which
/// anybody can have as many addresses as they like.
fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: CrowdBounds =
        CrowdBounds { strangers: 5, strangers_of_address: 3, known: 3, known_of_caller: 2, refused_calls: 2 };

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn open(all: &[Presence]) -> Vec<bool> {
        all.iter().map(|one| !one.close().is_cancelled()).collect()
    }

    #[test]
    fn a_newcomer_gets_in_and_the_oldest_of_the_same_address_goes() {
        let crowd = Crowd::new(BOUNDS);
        let friend = crowd.arrive(address("10.0.0.9"));
        let silent: Vec<Presence> = (0..5).map(|_| crowd.arrive(address("10.0.0.1"))).collect();
        assert_eq!(open(&silent), [false, false, true, true, true]);
        assert!(!friend.close().is_cancelled(), "one address only crowds out its own");
        // All places are taken, by an address with three and others with one: the one with the most loses its oldest.
        let others = [crowd.arrive(address("10.0.0.2")), crowd.arrive(address("10.0.0.3"))];
        assert_eq!(open(&silent), [false, false, false, true, true]);
        assert_eq!((open(&others), open(&[friend])), (vec![true, true], vec![true]));
        drop((silent, others));
        let state = crowd.state.lock();
        assert!(state.strangers.is_empty() && state.by_address.is_empty());
    }

    #[test]
    fn the_known_have_places_that_no_stranger_takes_and_each_has_a_share() {
        let crowd = Crowd::new(BOUNDS);
        let from = address("10.0.0.1");
        let of_wei = [crowd.arrive(from), crowd.arrive(from)];
        for one in &of_wei {
            one.known_as("wei").unwrap();
            one.known_as("another name on the same connection").unwrap();
        }
        let strangers: Vec<Presence> = (0..9).map(|_| crowd.arrive(from)).collect();
        assert_eq!(open(&of_wei), [true, true]);
        let last = strangers.last().unwrap();
        assert_eq!(last.known_as("wei").unwrap_err().code, Code::Limit, "a third of one caller");
        assert!(!last.is_known());
        last.known_as("ana").unwrap();
        let refusal = strangers[7].known_as("bob").unwrap_err();
        assert!(refusal.to_string().contains("as many connections as it may"), "{refusal}");
        drop(of_wei);
        strangers[7].known_as("wei").unwrap();
        drop(strangers);
        let state = crowd.state.lock();
        assert!(state.known == 0 && state.by_caller.is_empty() && state.by_address.is_empty());
    }

    #[test]
    fn a_connection_that_was_closed_and_then_proves_itself_is_counted_once() {
        let crowd = Crowd::new(BOUNDS);
        let all: Vec<Presence> = (0..4).map(|_| crowd.arrive(address("10.0.0.1"))).collect();
        assert_eq!(open(&all), [false, true, true, true]);
        all[0].known_as("wei").unwrap();
        assert_eq!(crowd.state.lock().by_address[&address("10.0.0.1")], 3);
        drop(all);
        assert_eq!(crowd.state.lock().known, 0);
    }

    #[test]
    fn a_stranger_has_few_calls_that_are_refused_and_a_known_caller_any_number() {
        let crowd = Crowd::new(BOUNDS);
        let (stranger, wei) = (crowd.arrive(address("10.0.0.1")), crowd.arrive(address("10.0.0.1")));
        wei.call_refused();
        wei.known_as("wei").unwrap();
        for presence in [&stranger, &wei] {
            presence.call_refused();
            assert!(!presence.cut_off.is_cancelled());
            presence.call_refused();
        }
        assert!(stranger.cut_off.is_cancelled() && !wei.cut_off.is_cancelled());
    }

    #[test]
    fn an_address_is_what_one_subscriber_has() {
        for (one, other, same) in [
            ("192.0.2.1", "192.0.2.2", false),
            ("192.0.2.1", "::ffff:192.0.2.1", true),
            ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", true),
            ("2001:db8:1:2::1", "2001:db8:1:3::1", false),
        ] {
            assert_eq!(network_of(address(one)) == network_of(address(other)), same, "{one} and {other}");
        }
    }
}
