//! Bytes one at a time, with the place of the next one.

use super::error::ReadError;
use crate::file::Place;
use std::io::{ErrorKind, Read};

const BUFFER_BYTES: usize = 64 << 10;

/// A source of bytes that knows where it is.
#[derive(Debug)]
pub struct Bytes<R> {
    inner: R,
    buffer: Vec<u8>,
    at: usize,
    filled: usize,
    line: u64,
    before_buffer: u64,
}

impl<R: Read> Bytes<R> {
    /// The bytes of `inner`.
    pub fn new(inner: R) -> Bytes<R> {
        Bytes { inner, buffer: vec![0; BUFFER_BYTES], at: 0, filled: 0, line: 1, before_buffer: 0 }
    }

    /// Where the next byte stands.
    pub fn place(&self) -> Place {
        Place::Line { line: self.line, byte: self.byte() }
    }

    /// How many bytes were taken.
    pub fn byte(&self) -> u64 {
        self.before_buffer + self.at as u64
    }

    /// The next byte, left where it is; `None` at the end.
    #[inline]
    pub fn peek(&mut self) -> Result<Option<u8>, ReadError> {
        if self.at < self.filled {
            return Ok(Some(self.buffer[self.at]));
        }
        self.fill()
    }

    fn fill(&mut self) -> Result<Option<u8>, ReadError> {
        self.before_buffer += self.filled as u64;
        (self.at, self.filled) = (0, 0);
        loop {
            match self.inner.read(&mut self.buffer) {
                Ok(read) => {
                    self.filled = read;
                    return Ok(self.buffer[..read].first().copied());
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(ReadError::unreadable(self.place(), error)),
            }
        }
    }

    /// Takes the bytes up to the first that `ends` them and adds them to `taken`, at most `bytes_max` of them; true if that
    /// byte is there, false at the end of the file or of their number.
    #[inline]
    pub fn take_until(&mut self, ends: &[bool; 256], bytes_max: usize, taken: &mut Vec<u8>) -> Result<bool, ReadError> {
        while self.peek()?.is_some() && taken.len() < bytes_max {
            let rest = &self.buffer[self.at..self.filled];
            let rest = &rest[..rest.len().min(bytes_max - taken.len())];
            let found = rest.iter().position(|byte| ends[usize::from(*byte)]);
            let run = &rest[..found.unwrap_or(rest.len())];
            if !ends[usize::from(b'\n')] {
                self.line += run.iter().filter(|byte| **byte == b'\n').count() as u64;
            }
            taken.extend_from_slice(run);
            self.at += run.len();
            if found.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Takes the byte that [`Bytes::peek`] gave.
    #[inline]
    pub fn take(&mut self) {
        if let Some(byte) = self.buffer[..self.filled].get(self.at) {
            self.line += u64::from(*byte == b'\n');
            self.at += 1;
        }
    }
}
