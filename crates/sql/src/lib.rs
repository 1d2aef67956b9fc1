//! SQL texts that strangers write, read within bounds.
//!
//! sqlparser reads in several ways, one after the other, whatever can be read so: `CAST(…)` as a cast, then as a call of a
//! function of that name; a bracket behind FROM as a query, then as a join. What lies within is read again each time, so
//! a text with an error deep within takes a time that doubles with every level, and so do some texts without any. It also
//! calls itself for some forms without counting how deep it is. Nothing in it ends either.
//!
//! ```text
//! text ──tokens──▶ Nesting: brackets and types at most so deep ──▶ parser ──▶ syntax tree
//!                                                                    │ asks its dialect at every step
//!                                                                    ▼
//!                                          QueryDialect: counts the steps, and ends the reading
//! ```
//!
//! The parser asks its dialect what that supports wherever forms differ, which is in all it does. So the dialect counts what
//! it is asked, whatever the form, and a reading of more than so many steps for each token ends (`work.rs`).

mod dialect;
mod nesting;
mod placeholders;
mod text;
mod work;

pub use placeholders::{Placeholder, placeholders};
pub use text::{Text, Unread};
