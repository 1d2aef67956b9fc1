//! Shared by the tests of every crate: waiting for a condition with a deadline, ports that nobody listens on, and the folder
//! of what is made once.
//!
//! For `[dev-dependencies]` only. It depends on nothing but the runtime, so that the tests of any crate can have it.

mod cache;
mod ports;
mod until;

pub use cache::cache_folder;
pub use ports::{free_address, free_port};
pub use until::{TooLate, try_until, until, until_blocking};
