//! What the end-to-end suites stand on: worlds of test data, an oracle over all of it, and ways to compare, to attack
//! and to listen in.

pub mod attacks;
pub mod columns;
pub mod compare;
pub mod files;
pub mod grammar;
pub mod health;
pub mod oracle;
pub mod slt;
pub mod tap;
pub mod tpch;
pub mod world;
