//! Villains: programs that have an identity or none, and do whatever they like. Each feature is tried with them.
//!
//! | villain | has | does |
//! |---|---|---|
//! | [`Impostor`](crate::impostor::Impostor) | a home node's identity | sends any envelope to any owner |
//! | [`HostileOwner`] | an owner's identity | answers any envelope with any messages |
//!
//! Messages that lie about themselves are in `wanqu_fixtures::hostile`.

mod owner;
mod release;

pub use owner::HostileOwner;
pub use release::{Answer, asked_columns, honest};
