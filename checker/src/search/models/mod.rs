//! The models that ship, one a file. Each is a sequential object in words, then in code.
//!
//! Values are 64-bit numbers unless a model says otherwise. An answer of the wrong kind for what was asked is never legal.

pub mod cas_register;
pub mod key_value;
pub mod lock;
pub mod log;
pub mod multi_register;
pub mod queue;
pub mod register;
pub mod set;

/// The label of a register's value. Nothing written leaves a register empty, so that label is never renewed.
fn label(value: Option<i64>) -> Option<u64> {
    Some(value.map_or(u64::MAX, |v| (v as u64).rotate_left(1)))
}
