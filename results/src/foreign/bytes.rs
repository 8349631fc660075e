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

    /// Takes the byte that [`Bytes::peek`] gave.
    #[inline]
    pub fn take(&mut self) {
        if let Some(byte) = self.buffer[..self.filled].get(self.at) {
            self.line += u64::from(*byte == b'\n');
            self.at += 1;
        }
    }
}
