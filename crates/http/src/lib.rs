//! Plain HTTP at the observation ports of nodes and of the operator: liveness, readiness and metrics. Nothing there is data.
//!
//! [`serve`] is the server of both, with [`Bounds`] on what clients may hold; [`Http`] is the client of the operator, of
//! `wanqu ready` and of tests.

mod client;
mod server;

pub use axum::http::StatusCode;
pub use client::{Http, HttpError};
pub use server::{Bounds, serve};
