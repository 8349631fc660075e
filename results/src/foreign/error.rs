//! What is wrong with a foreign file, and where. The caller knows the file's name.

use crate::file::{FileError, Place, Problem};
use std::io;
use std::path::Path;
use thiserror::Error;

/// A history that cannot be read.
#[derive(Debug, Error)]
#[error("{problem}{place}")]
pub struct ReadError {
    /// Where.
    pub place: Place,
    /// What is wrong there.
    pub problem: Problem,
}

impl ReadError {
    /// Something that makes no sense.
    pub fn malformed(place: Place, what: impl Into<String>) -> ReadError {
        ReadError { place, problem: Problem::Malformed(what.into()) }
    }

    /// An end in the middle of something.
    pub fn truncated(place: Place, what: impl Into<String>) -> ReadError {
        ReadError { place, problem: Problem::Truncated(what.into()) }
    }

    /// More than anything we read.
    pub fn too_large(place: Place, bytes: u64, bytes_max: u64) -> ReadError {
        ReadError { place, problem: Problem::TooLarge { bytes, bytes_max } }
    }

    /// The operating system's refusal.
    pub fn unreadable(place: Place, error: io::Error) -> ReadError {
        ReadError { place, problem: Problem::Unreadable(error) }
    }

    /// Whether the file merely ends too early.
    pub fn is_torn(&self) -> bool {
        matches!(self.problem, Problem::Truncated(_))
    }

    /// The same with the file's name.
    pub fn of(self, path: &Path) -> FileError {
        FileError::new(path, self.place, self.problem)
    }
}
