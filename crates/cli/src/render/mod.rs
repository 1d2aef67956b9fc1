//! How rows, accounts and progress are shown.

pub mod account;
pub mod cells;
pub mod progress;
pub mod sink;
pub mod table;
