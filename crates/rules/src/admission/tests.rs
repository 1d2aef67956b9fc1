//! What is admitted and what is refused, as tables of SQL.

mod accepted;
mod permits;
mod refused;
