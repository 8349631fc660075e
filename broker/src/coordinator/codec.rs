//! Kafka's plain (not flexible) encoding, as the keys and values of the internal topics use it: big-endian numbers,
//! texts with a 16-bit length, lists and bytes with a 32-bit length, -1 for none.
//!
//! **Invariant:** reading never panics and never makes room for more than the bytes there are. Schemas: the JSON files
//! `OffsetCommitKey`, `OffsetCommitValue`, `GroupMetadataKey`, `GroupMetadataValue`, `TransactionLogKey` and
//! `TransactionLogValue` of Apache Kafka; the version comes first, as 16 bits.

use bytes::{Buf, BufMut};
use thiserror::Error;

/// Why bytes are no such record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Malformed {
    /// They end early.
    #[error("the record ends early")]
    Short,
    /// A length below zero where something must be.
    #[error("a length of {0}")]
    Length(i32),
    /// A text that is not UTF-8.
    #[error("a text that is not UTF-8")]
    Text,
    /// A version of a key or value that is not known.
    #[error("version {0} is not known")]
    Version(i16),
    /// A number that names nothing.
    #[error("{0} names nothing here")]
    Unknown(i64),
}

/// Takes fields off the front of a record.
#[derive(Clone, Copy, Debug)]
pub struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    /// All of `bytes`.
    pub fn of(bytes: &'a [u8]) -> Fields<'a> {
        Fields(bytes)
    }

    /// One byte.
    ///
    /// # Errors
    /// [`Malformed::Short`], as all the others.
    pub fn byte(&mut self) -> Result<i8, Malformed> {
        self.0.try_get_i8().map_err(|_| Malformed::Short)
    }

    /// Two bytes.
    pub fn short(&mut self) -> Result<i16, Malformed> {
        self.0.try_get_i16().map_err(|_| Malformed::Short)
    }

    /// Four bytes.
    pub fn int(&mut self) -> Result<i32, Malformed> {
        self.0.try_get_i32().map_err(|_| Malformed::Short)
    }

    /// Eight bytes.
    pub fn long(&mut self) -> Result<i64, Malformed> {
        self.0.try_get_i64().map_err(|_| Malformed::Short)
    }

    /// A text or none.
    pub fn text_or_none(&mut self) -> Result<Option<String>, Malformed> {
        let length = i32::from(self.short()?);
        let Some(bytes) = self.take(length)? else { return Ok(None) };
        std::str::from_utf8(bytes).map(|text| Some(text.to_owned())).map_err(|_| Malformed::Text)
    }

    /// A text.
    pub fn text(&mut self) -> Result<String, Malformed> {
        self.text_or_none()?.ok_or(Malformed::Length(-1))
    }

    /// Bytes; none are empty.
    pub fn bytes(&mut self) -> Result<&'a [u8], Malformed> {
        let length = self.int()?;
        Ok(self.take(length)?.unwrap_or_default())
    }

    /// A list; none is empty.
    pub fn list<T>(&mut self, mut item: impl FnMut(&mut Self) -> Result<T, Malformed>) -> Result<Vec<T>, Malformed> {
        let count = self.int()?;
        (0..count).map(|_| item(self)).collect()
    }

    fn take(&mut self, length: i32) -> Result<Option<&'a [u8]>, Malformed> {
        if length == -1 {
            return Ok(None);
        }
        let length = usize::try_from(length).map_err(|_| Malformed::Length(length))?;
        let (taken, rest) = self.0.split_at_checked(length).ok_or(Malformed::Short)?;
        self.0 = rest;
        Ok(Some(taken))
    }
}

/// Puts fields one after another. Numbers: `BufMut`.
pub trait PutFields: BufMut {
    /// A text; longer ones than can be are cut off, which no text of the protocol is.
    fn put_text(&mut self, text: &str) {
        let length = text.len().min(i16::MAX as usize);
        self.put_i16(length as i16);
        self.put_slice(&text.as_bytes()[..length]);
    }

    /// A text or none.
    fn put_text_or_none(&mut self, text: Option<&str>) {
        match text {
            Some(text) => self.put_text(text),
            None => self.put_i16(-1),
        }
    }

    /// Bytes.
    fn put_bytes_field(&mut self, bytes: &[u8]) {
        self.put_i32(bytes.len() as i32);
        self.put_slice(bytes);
    }

    /// The count of a list; its items follow.
    fn put_count(&mut self, count: usize) {
        self.put_i32(count as i32);
    }
}

impl<B: BufMut> PutFields for B {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_put_comes_back() {
        let mut bytes = Vec::new();
        bytes.put_text("group");
        bytes.put_text_or_none(None);
        bytes.put_count(2);
        [7, 8].into_iter().for_each(|number| bytes.put_i32(number));
        bytes.put_bytes_field(b"xyz");
        let mut fields = Fields::of(&bytes);
        assert_eq!(fields.text().as_deref(), Ok("group"));
        assert_eq!(fields.text_or_none(), Ok(None));
        assert_eq!(fields.list(Fields::int), Ok(vec![7, 8]));
        assert_eq!(fields.bytes(), Ok(&b"xyz"[..]));
        assert_eq!(fields.byte(), Err(Malformed::Short));
    }

    #[test]
    fn a_length_that_is_not_backed_by_bytes_is_an_error_and_costs_nothing() {
        assert_eq!(Fields::of(b"\x7f\xff\xff\xff\0").list(Fields::int), Err(Malformed::Short));
        assert_eq!(Fields::of(b"\x7f\xff").text(), Err(Malformed::Short));
        assert_eq!(Fields::of(b"\x80\x00\x00\x00").bytes(), Err(Malformed::Length(i32::MIN)));
        assert_eq!(Fields::of(b"\0\x01\xff").text(), Err(Malformed::Text));
    }
}
