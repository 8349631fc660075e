//! Lines of a text, one at a time, each of bounded length.

use super::error::ReadError;
use crate::file::Place;
use std::io::{BufRead, Read};

/// Longest line, bytes.
pub const LINE_BYTES_MAX: u64 = 16 << 20;

/// The lines of a file.
#[derive(Debug)]
pub struct Lines<R> {
    inner: R,
    buffer: Vec<u8>,
    line: u64,
    byte: u64,
}

/// One line, without its end.
#[derive(Debug)]
pub struct Line<'a> {
    /// Its bytes.
    pub bytes: &'a [u8],
    /// Where it begins.
    pub place: Place,
    /// Whether it has its end.
    pub whole: bool,
}

impl<R: BufRead> Lines<R> {
    /// The lines of `inner`.
    pub fn new(inner: R) -> Lines<R> {
        Lines { inner, buffer: Vec::new(), line: 0, byte: 0 }
    }

    /// The next line.
    ///
    /// # Errors
    /// Too long or unreadable.
    pub fn next_line(&mut self) -> Result<Option<Line<'_>>, ReadError> {
        self.byte += self.buffer.len() as u64;
        self.line += 1;
        self.buffer.clear();
        let place = Place::Line { line: self.line, byte: self.byte };
        let mut limited = (&mut self.inner).take(LINE_BYTES_MAX + 1);
        limited.read_until(b'\n', &mut self.buffer).map_err(|e| ReadError::unreadable(place, e))?;
        let whole = self.buffer.last() == Some(&b'\n');
        if self.buffer.len() as u64 > LINE_BYTES_MAX {
            return Err(ReadError::too_large(place, self.buffer.len() as u64, LINE_BYTES_MAX));
        }
        let bytes = self.buffer.trim_ascii();
        Ok((!self.buffer.is_empty()).then_some(Line { bytes, place, whole }))
    }
}

/// The object of a JSON line; nothing, if the file ends in the middle of it.
///
/// # Errors
/// A line that is malformed.
pub fn json<T: serde::de::DeserializeOwned>(line: &Line<'_>) -> Result<Option<T>, ReadError> {
    match serde_json::from_slice(line.bytes) {
        Ok(object) => Ok(Some(object)),
        Err(error) if error.is_eof() && !line.whole => Ok(None),
        Err(error) => {
            let Place::Line { line, byte } = line.place else { return Ok(None) };
            let place = Place::Line { line, byte: byte + error.column().saturating_sub(1) as u64 };
            Err(ReadError::malformed(place, error.to_string()))
        }
    }
}
