//! placeholder
pub mod message;
