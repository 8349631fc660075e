//! Histories of others: read, judged by the checker that is right for each, and written.
//!
//! Start at [`check`]: from a file to a judgement. One file a format ([`jepsen`], [`text`], [`verifiable`], [`jsonl`]), each
//! pure parsing over a reader, streaming; what they read are operations of ours under the file's own names ([`logs`],
//! [`registers`], [`lists`]); [`judge`] gives them to the checkers and says what these found in the file's names.
//! **Invariants:** no input panics or allocates beyond a small multiple of what was read; an error names line and byte; a
//! file that ends in the middle of its last event is judged without it and never green.
//!
//! Deliberately absent: what a run of our own leaves behind beside its history (faults, replicas, contract).

mod bytes;
mod detect;
mod edn;
mod error;
pub mod export;
mod finding;
mod jepsen;
pub mod jsonl;
mod judge;
mod known;
mod lines;
mod lists;
mod logs;
mod page;
mod readers;
mod registers;
mod text;
mod values;
mod verifiable;

#[cfg(test)]
mod tests;

pub use detect::{Format, HEAD_BYTES, UnknownFormat, detect};
pub use error::ReadError;
pub use finding::{Evidence, ForeignFinding, ForeignJudgement, Held, Standing, Workload};
pub use judge::judge;
pub use lists::ListHistory;
pub use logs::{Logs, Unread};
pub use registers::{MultiRegisterHistory, Register, RegisterHistory};

use crate::arrow::ArrowSource;
use crate::file::{self, FileError, Place, Problem, unread};
use checker::search::Operation;
use checker::search::models::key_value::{Input, Output};
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

/// What was read.
#[derive(Debug)]
pub struct Imported {
    /// It.
    pub content: Content,
    /// Where the file ends in the middle of an event, if it does.
    pub torn: Option<String>,
}

/// What a file may hold.
#[derive(Debug)]
pub enum Content {
    /// Logs, with transactions where there are any.
    Logs(Box<Logs>),
    /// Registers.
    Registers(RegisterHistory),
    /// Registers that transactions read and write together.
    MultiRegister(MultiRegisterHistory),
    /// A store of strings.
    Store(Vec<Operation<Input, Output>>),
    /// Transactions over lists.
    Lists(Box<ListHistory>),
}

/// Reads a history written in `format` (not [`Format::Arrow`], which is not read as a stream).
///
/// # Errors
/// What is malformed, too large, or holds nothing that is known.
pub fn import(input: impl Read, format: Format) -> Result<Imported, ReadError> {
    let input = unmarked(input).map_err(|error| ReadError::unreadable(Place::Whole, error))?;
    match format {
        Format::Arrow => Err(ReadError::malformed(Place::Whole, "a columnar file is not read as a stream")),
        Format::Jsonl => jsonl::read(BufReader::new(input)),
        Format::Edn => jepsen::read(input),
        Format::RegisterText => text::read_register(input),
        Format::StoreText => text::read_store(input),
        Format::Verifiable => verifiable::read(BufReader::new(input)),
    }
}

/// The input without the mark that some editors put before UTF-8.
fn unmarked<R: Read>(mut input: R) -> io::Result<impl Read> {
    let mut head = Vec::new();
    input.by_ref().take(detect::UTF_8_MARK.len() as u64).read_to_end(&mut head)?;
    if head == detect::UTF_8_MARK {
        head.clear();
    }
    Ok(io::Cursor::new(head).chain(input))
}

/// Judges the history in a file, whose format is detected unless it is given.
///
/// # Errors
/// A file that cannot be read, names no format that is known, or makes no sense: exit 65.
pub fn check(path: &Path, format: Option<Format>) -> Result<ForeignJudgement, FileError> {
    let mut file = file::open(path)?;
    let format = match format {
        Some(format) => format,
        None => {
            let mut head = Vec::new();
            (&mut file).take(HEAD_BYTES as u64).read_to_end(&mut head).map_err(unread(path))?;
            file.seek(SeekFrom::Start(0)).map_err(unread(path))?;
            detect(&head).ok_or_else(|| unknown(path, &head))?
        }
    };
    if format == Format::Arrow {
        let source = ArrowSource::open(path)?;
        let judged = judge::judge_source(&source, format);
        return source.failed().map(|()| judged);
    }
    Ok(judge(import(file, format).map_err(|error| error.of(path))?, format))
}

fn unknown(path: &Path, head: &[u8]) -> FileError {
    if let Some(what) = detect::wrapped(head) {
        return FileError::new(path, Place::Whole, Problem::Foreign(what.into()));
    }
    let known: Vec<&str> = Format::ALL.iter().map(|format| format.meaning()).collect();
    let what = format!("no history that is known: {}", known.join("; "));
    FileError::new(path, Place::Whole, Problem::Foreign(what))
}
