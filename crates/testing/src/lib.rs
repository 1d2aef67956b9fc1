//! Shared by the tests of every crate: waiting for a condition with a deadline, and ports that nobody listens on.
//!
//! For `[dev-dependencies]` only. It depends on nothing but the runtime, so that the tests of any crate can have it.

mod ports;
mod until;

pub use ports::{free_address, free_port};
pub use until::{TooLate, try_until, until, until_blocking};
