//! Whole files, from their bytes to rows: what is read, what is refused, and that nothing is lost without a word.

mod columns;
mod declared;
mod random;
mod read;
mod values;
