//! The command itself, as a process: what it prints, how it exits, what it leaves behind.

mod ending;
mod partial;
mod trouble;
mod up;
mod words;
