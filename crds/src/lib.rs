//! The language of Wanqu: its custom resources, and the pure compiler from them to node bundles.

pub mod bundle;
pub mod columns;
pub mod names;
