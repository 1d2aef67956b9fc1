//! Fragments out, releases back, over mutual TLS.

pub mod envelope;
