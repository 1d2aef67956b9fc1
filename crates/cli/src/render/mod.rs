//! Rows, accounts and progress on a terminal or in a file.

pub mod account;
pub mod cells;
pub mod progress;
pub mod sink;
pub mod table;
