//! Fragments out, releases back, over mutual TLS.
//!
//! ```text
//! home                                     owner
//! Exchange::send ── signed envelope ─────▶ ExchangeServer: open, once, in time, from the certificate's jurisdiction
//!                                            OwnerService: admit → run → gate → record
//! Release        ◀─ schema, rows, report ── only the visible values of an AuditedRelease
//! ```
//!
//! The protocol is Arrow Flight's `DoGet`: the ticket is the envelope, the last message carries no rows but the report.
//! A release that ends without its report was cut short. A refusal is a status with the refusal as JSON in its details;
//! of any other status only the kind is believed, never the text. Either end's going away cancels the other's work.
//!
//! Beside it there is one errand, a `DoAction`: which agreements the other end holds with the one that asks ([`held`]).

mod clear;
mod client;
mod doorway;
mod failures;
pub(crate) mod flight;
mod held;
mod limits;
pub(crate) mod listener;
mod places;
mod receive;
mod replay;
mod server;
mod signing;
mod tap;
pub(crate) mod wire;

pub use client::{Exchange, endpoints_of};
pub use doorway::Doorway;
pub(crate) use flight::deadline_passed;
pub use held::{HeldAgreement, agreements_with, noted};
pub use limits::LiveLimits;
pub use places::{Drain, Place, Places};
pub use replay::ReplayGuard;
pub(crate) use server::attended;
pub use server::{ExchangeServer, OwnerService, VerifiedRequest};
pub use signing::{CLOCK_SKEW, MAX_DEADLINE, open, sign};
pub use tap::{Tap, WireTap};

#[cfg(test)]
mod tests;
