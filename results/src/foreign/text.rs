//! Porcupine's and Knossos's text forms, as [`checker::search::text`] reads them: registers and stores of strings.
//!
//! **Invariant:** a last line without its end is not read, and a file that has one is never green.

use super::error::ReadError;
use super::registers::{Register, RegisterHistory};
use super::{Content, Imported};
use crate::file::Place;
use checker::search::text::{TextError, cas_register, key_value};
use std::io::Read;

/// Longest text, bytes.
pub const TEXT_BYTES_MAX: u64 = 256 << 20;

/// A history of one register with compare-and-set: `INFO jepsen.util - 0 :invoke :write 3`.
///
/// # Errors
/// What is too large, malformed, or has no operation at all.
pub fn read_register(input: impl Read) -> Result<Imported, ReadError> {
    let (text, torn) = whole(input)?;
    let operations = cas_register(&text).map_err(|e| fault(&text, &e))?;
    if operations.is_empty() {
        return Err(nothing());
    }
    let registers = vec![Register { name: "the register".into(), operations }];
    let content = Content::Registers(RegisterHistory { registers, ..RegisterHistory::default() });
    Ok(Imported { content, torn })
}

/// A history of a store of strings: `{:process 0, :type :invoke, :f :put, :key "a", :value "x"}`.
///
/// # Errors
/// What is too large, malformed, or has no operation at all.
pub fn read_store(input: impl Read) -> Result<Imported, ReadError> {
    let (text, torn) = whole(input)?;
    let operations = key_value(&text).map_err(|e| fault(&text, &e))?;
    if operations.is_empty() {
        return Err(nothing());
    }
    Ok(Imported { content: Content::Store(operations), torn })
}

/// The text up to the end of its last line, and what is missing of it: half a number is another number.
fn whole(input: impl Read) -> Result<(String, Option<String>), ReadError> {
    let mut bytes = Vec::new();
    let unreadable = |e| ReadError::unreadable(Place::Whole, e);
    input.take(TEXT_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > TEXT_BYTES_MAX {
        return Err(ReadError::too_large(Place::Whole, bytes.len() as u64, TEXT_BYTES_MAX));
    }
    let end = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
    let torn = (end < bytes.len()).then(|| {
        let lines = bytes[..end].iter().filter(|byte| **byte == b'\n').count() + 1;
        format!("line {lines} has no end: the file may have been cut there, and is judged without it")
    });
    bytes.truncate(end);
    Ok((String::from_utf8_lossy(&bytes).into_owned(), torn))
}

fn fault(text: &str, error: &TextError) -> ReadError {
    let before = text.split_inclusive('\n').take(error.line.saturating_sub(1));
    let byte = before.map(|line| line.len() as u64).sum();
    ReadError::malformed(Place::Line { line: error.line as u64, byte }, error.problem.to_string())
}

fn nothing() -> ReadError {
    ReadError::malformed(Place::Whole, "there is no operation in it")
}
