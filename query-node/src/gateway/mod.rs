//! The front door of a home node: researchers ask, with a token, over server-side TLS.
//!
//! ```text
//! Client ── DoGet: the question as JSON, Bearer token ──▶ Gateway: who, in whose name ──▶ HomeService
//!        ◀── progress, schema, rows, progress, …, account ────────────────────────────────
//! ```
//!
//! The protocol is Arrow Flight. Progress and the account travel as messages without rows, as JSON in `app_metadata`, as
//! they come: a client that knows nothing of them sees a plain Flight stream. A refusal is a status with the refusal as
//! JSON in its details. An answer that ends without its account is not whole. Hanging up cancels the query everywhere.
//!
//! Clients of others' ask by Flight SQL, on the same port and under the same rules: `flight_sql`; and those who have none, by HTTP at
//! a port of its own: `http`.

mod asker;
mod flight_sql;
mod http;
mod line;
mod listing;
mod server;
mod work;

pub use flight_sql::read_request;
pub use listing::list;
pub use server::Gateway;

#[cfg(test)]
mod tests;
