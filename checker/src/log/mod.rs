//! One log at a time: a compact first pass that lets every innocent record go, and a second that questions the rest.
//!
//! [`sieve`] folds operations into some 25 bytes an offset and ends with *leads*: values, offsets, readers that may be
//! guilty. Almost always there are none. [`inquiry`] walks the operations again and keeps every fact about the leads,
//! and nothing about the rest. **Invariant:** whatever is guilty has a lead; what a lead is guilty of is decided from
//! the facts alone (`crate::claims`), so the sieve may suspect too much but never too little.

pub mod bounds;
pub mod contents;
pub mod coverage;
pub mod effect;
pub mod facts;
pub mod floor;
pub mod holes;
pub mod inquiry;
pub mod leads;
pub mod listed;
pub mod observed;
pub mod open;
pub mod order;
pub mod sessions;
mod settle;
pub mod sieve;
pub mod sparse;
