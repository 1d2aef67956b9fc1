//! What the end-to-end suites stand on: worlds of test data, an oracle over all of it, and ways to compare, to attack
//! and to listen in.

pub mod attacks;
pub mod check;
pub mod columns;
pub mod compare;
pub mod federation;
pub mod files;
pub mod grammar;
pub mod health;
pub mod impostor;
pub mod logs;
pub mod oracle;
pub mod slt;
pub mod tap;
pub mod tpch;
pub mod watch;
pub mod world;
