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
//! Beside it there are three `DoAction`s: they answer with the agreements that the other end holds with the caller
//! ([`agreements`]), with the tables that it cannot read now, of those that the caller may ask for ([`unavailable`]), and with the
//! end of its audit log ([`checkpoints`]).

mod agreements;
mod capacity;
mod checkpoints;
mod client;
mod due;
mod failures;
mod lapse;
mod owners;
mod receipts;
mod receive;
mod replay;
mod server;
mod signing;
mod unavailable;

pub use agreements::{HeldAgreement, agreements_with, noted};
pub use capacity::Work;
pub use client::{Exchange, endpoints_of};
pub use owners::{InProcess, Members, Owners};
pub use replay::ReplayGuard;
pub use server::{ExchangeServer, OwnerService, VerifiedRequest};
pub use signing::{CLOCK_SKEW, MAX_DEADLINE, open, sign, sign_json};
pub use unavailable::unavailable_to;

#[cfg(test)]
mod tests;
