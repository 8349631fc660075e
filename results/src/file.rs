//! Reading and writing whole files, and the one error that says which file and where in it.
//!
//! **Invariants:** a file is either its old self or its new self, never half of each; nothing larger than its stated
//! limit is read into memory.

use crate::exit::Exit;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use thiserror::Error;

/// A file that could not be read or written, and where.
#[derive(Debug, Error)]
#[error("{}{place}: {problem}", path.display())]
pub struct FileError {
    /// The file.
    pub path: PathBuf,
    /// Where in it.
    pub place: Place,
    /// What is wrong there.
    pub problem: Problem,
}

/// A place in a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// The file as a whole.
    Whole,
    /// A byte, counted from 0.
    Byte(u64),
    /// A line, counted from 1, and a byte of the file.
    Line {
        /// The line, from 1.
        line: u64,
        /// The byte of the file at which it starts, or at which parsing stopped.
        byte: u64,
    },
    /// A row of a table, counted from 0, and the byte at which its batch starts.
    Row {
        /// The row, from 0.
        row: u64,
        /// Where its batch starts.
        byte: u64,
    },
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Whole => Ok(()),
            Place::Byte(byte) => write!(f, ", byte {byte}"),
            Place::Line { line, byte } => write!(f, ", line {line}, byte {byte}"),
            Place::Row { row, byte } => write!(f, ", row {row}, byte {byte}"),
        }
    }
}

/// What is wrong with a file.
#[derive(Debug, Error)]
pub enum Problem {
    /// It is not there.
    #[error("missing")]
    Missing,
    /// It ends before what it promises.
    #[error("truncated: {0}")]
    Truncated(String),
    /// It is something else than it should be.
    #[error("not ours: {0}")]
    Foreign(String),
    /// It is ours and makes no sense.
    #[error("malformed: {0}")]
    Malformed(String),
    /// It is larger than anything we write.
    #[error("{bytes} bytes, and the limit is {bytes_max}")]
    TooLarge {
        /// Its size.
        bytes: u64,
        /// The limit.
        bytes_max: u64,
    },
    /// The operating system would not read it.
    #[error("cannot be read: {0}")]
    Unreadable(io::Error),
    /// The operating system would not write it.
    #[error("cannot be written: {0}")]
    Unwritable(io::Error),
}

impl FileError {
    /// An error at a place of a file.
    pub fn new(path: &Path, place: Place, problem: Problem) -> FileError {
        FileError { path: path.to_owned(), place, problem }
    }

    /// Input that cannot be read exits 65; output that cannot be written is a failure of our own.
    pub fn exit(&self) -> Exit {
        match self.problem {
            Problem::Unwritable(_) => Exit::Internal,
            _ => Exit::Unreadable,
        }
    }
}

/// Turns a failed read of `path` into its error.
pub fn unread(path: &Path) -> impl Fn(io::Error) -> FileError + '_ {
    move |e| {
        let problem = match e.kind() {
            io::ErrorKind::NotFound => Problem::Missing,
            io::ErrorKind::UnexpectedEof => Problem::Truncated(e.to_string()),
            _ => Problem::Unreadable(e),
        };
        FileError::new(path, Place::Whole, problem)
    }
}

/// Turns a failed write of `path` into its error.
pub fn unwritten(path: &Path) -> impl Fn(io::Error) -> FileError + '_ {
    move |e| FileError::new(path, Place::Whole, Problem::Unwritable(e))
}

/// The bytes of a file of at most `bytes_max`.
pub fn read(path: &Path, bytes_max: u64) -> Result<Vec<u8>, FileError> {
    let file = open(path)?;
    let bytes = file.metadata().map_err(unread(path))?.len();
    if bytes > bytes_max {
        return Err(FileError::new(path, Place::Whole, Problem::TooLarge { bytes, bytes_max }));
    }
    let mut out = Vec::with_capacity(bytes as usize);
    file.take(bytes_max).read_to_end(&mut out).map_err(unread(path))?;
    Ok(out)
}

/// Opens a regular file for reading.
pub fn open(path: &Path) -> Result<File, FileError> {
    if fs::metadata(path).map_err(unread(path))?.is_file() {
        return File::open(path).map_err(unread(path));
    }
    Err(FileError::new(path, Place::Whole, Problem::Foreign("not a regular file".into())))
}

/// Replaces `path` by what `write` writes: all of it or nothing.
pub fn replace<E: From<FileError>>(path: &Path, write: impl FnOnce(&mut File) -> Result<(), E>) -> Result<(), E> {
    let beside = beside(path);
    let mut file = File::create_new(&beside).map_err(unwritten(path))?;
    let written = write(&mut file).and_then(|()| fs::rename(&beside, path).map_err(|e| unwritten(path)(e).into()));
    if written.is_err() {
        // Best effort: the error that matters is the one already on its way out.
        let _ = fs::remove_file(&beside);
    }
    written
}

/// Replaces `path` by these bytes.
pub fn replace_bytes(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    replace(path, |file| file.write_all(bytes).map_err(unwritten(path)))
}

/// A name in the same folder that nobody else uses: this process, this call.
pub(crate) fn beside(path: &Path) -> PathBuf {
    static CALLS: AtomicU32 = AtomicU32::new(0);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{}-{}", std::process::id(), CALLS.fetch_add(1, Ordering::Relaxed)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replaced_file_is_new_and_leaves_nothing_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        for text in ["one", "two"] {
            replace_bytes(&path, text.as_bytes()).unwrap();
            assert_eq!(read(&path, 10).unwrap(), text.as_bytes());
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_write_that_fails_leaves_the_old_file_and_nothing_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        replace_bytes(&path, b"old").unwrap();
        let failed = replace(&path, |file| {
            file.write_all(b"ne").unwrap();
            Err(unwritten(&path)(io::Error::other("disk full")))
        });
        assert_eq!(failed.unwrap_err().exit(), Exit::Internal);
        assert_eq!((read(&path, 10).unwrap(), fs::read_dir(dir.path()).unwrap().count()), (b"old".to_vec(), 1));
    }

    #[test]
    fn what_cannot_be_read_says_which_file_and_why() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("big"), [0; 9]).unwrap();
        for (name, why) in
            [("none", "none: missing"), ("big", "9 bytes, and the limit is 8"), ("", "not a regular file")]
        {
            let e = read(&dir.path().join(name), 8).unwrap_err();
            assert!(e.to_string().ends_with(why), "{e}");
            assert_eq!(e.exit(), Exit::Unreadable);
        }
    }
}
