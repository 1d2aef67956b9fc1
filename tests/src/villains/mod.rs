//! Villains: hostile programs, with the identity of a member or with none, which tests run against honest nodes.
//!
//! | villain | has | does |
//! |---|---|---|
//! | [`Impostor`](crate::impostor::Impostor) | a home node's identity | sends any envelope to any owner |
//! | [`HostileOwner`] | an owner's identity | answers any envelope with any messages |
//! | [`HostileHome`] | a home's identity as a gateway | keeps the tokens that it is shown, and shows them elsewhere |
//!
//! Messages that lie about themselves are in `wanqu_fixtures::hostile`.

mod home;
mod owner;
mod release;

pub use home::HostileHome;
pub use owner::HostileOwner;
pub use release::{Answer, asked_columns, honest};
