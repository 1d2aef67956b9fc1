//! Parts that the doors of a node have in common: the exchange, for other nodes, and the gateway, for researchers.
//!
//! ```text
//! TcpListener ─▶ listener   TLS handshakes; the caller's certificates
//!                  ─▶ crowd     bounds on connections: of strangers, by address, of known callers; room for newcomers
//!             ─▶ flight     Arrow Flight over the connections: a door answers tickets and actions
//!                  ─▶ body      calls are received once they have said whose they are, and not for ever
//!                  ─▶ places    bound on the calls at once, and a line of those that wait (queue); closed when the node drains
//!                  ─▶ bounded    answers end at their deadline, whether anybody takes them or not
//!                  ─▶ wire      schema and rows as messages, rebuilt from their visible values (clear)
//! ```
//!
//! Each door serves its calls itself: [`exchange`](crate::exchange) opens envelopes, [`gateway`](crate::gateway) reads
//! tokens and questions. Each is kept by a [`Doorway`]: the limits in force, its places, its metrics and its clock.

mod body;
pub(crate) mod bounded;
mod clear;
mod crowd;
mod doorway;
pub(crate) mod flight;
mod limits;
pub(crate) mod listener;
mod places;
mod queue;
mod refused;
mod tap;
pub(crate) mod wire;

pub(crate) use body::Unfinished;
pub use doorway::Doorway;
pub use limits::LiveLimits;
pub use places::{Drain, News, Place, Places, Share, Waiting};
pub use tap::{Tap, WireTap};
