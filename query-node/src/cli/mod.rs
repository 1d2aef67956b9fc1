//! `wanqu`: the command line. It starts a local federation, and asks one that runs.

pub mod args;
pub mod failure;
pub mod input;
pub mod render;
pub mod state;
