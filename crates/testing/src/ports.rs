//! Ports of loopback that nobody listens on.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU32, Ordering};

/// The first port that is given out.
const FIRST: u32 = 15_000;

/// The number of ports, all of them below those that the system gives to outgoing connections.
const COUNT: u32 = 17_000;

/// Returns a port of 127.0.0.1 that nobody listens on, a different one at each call in this process.
///
/// The system does not give it to an outgoing connection either, so it stays free until the program under test listens on
/// it. Processes begin at different ports.
///
/// # Panics
/// If all 17,000 are in use.
#[must_use]
pub fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let first = std::process::id().wrapping_mul(97) % COUNT;
    let candidate = || FIRST + (first + NEXT.fetch_add(1, Ordering::Relaxed)) % COUNT;
    std::iter::repeat_with(candidate)
        .take(COUNT as usize)
        .filter_map(|port| u16::try_from(port).ok())
        .find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
        .expect("a port of 127.0.0.1 is free")
}

/// Returns 127.0.0.1 with a [`free_port`].
#[must_use]
pub fn free_address() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, free_port()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_call_returns_another_port_that_can_be_listened_on() {
        let held: Vec<TcpListener> = (0..50).map(|_| TcpListener::bind(free_address()).unwrap()).collect();
        let mut ports: Vec<u16> = held.iter().map(|listener| listener.local_addr().unwrap().port()).collect();
        ports.sort_unstable();
        ports.dedup();
        assert_eq!(ports.len(), 50);
        assert!(ports.iter().all(|port| (15_000..32_000).contains(port)), "{ports:?}");
    }
}
