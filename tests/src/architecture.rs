//! The walls of the architecture, held by reading what is there: which crate may depend on which, by `cargo metadata`, and
//! the order of the rooms within a crate, by the text of its sources.

pub mod crates;
pub mod rooms;
mod tokens;
