//! Admitted and refused queries, as tables of SQL.

mod accepted;
mod aggregates;
mod permits;
mod refused;
