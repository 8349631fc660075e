//! JSON files and JSON Lines: bounded, replaced atomically or appended line by line.
//!
//! **Invariants:** a line is one `write` call, so that what a killed process left is whole lines and at most one torn
//! one at the end; a reader reports the torn end beside what it read, and refuses a broken line anywhere else.

use crate::file::{self, FileError, Place, Problem, unread, unwritten};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

/// Largest JSON file read.
pub const FILE_BYTES_MAX: u64 = 64 << 20;
/// Longest line of a JSON Lines file read.
pub const LINE_BYTES_MAX: u64 = 64 << 20;

/// Reads a JSON file.
pub fn read<T: DeserializeOwned>(path: &Path) -> Result<T, FileError> {
    let bytes = file::read(path, FILE_BYTES_MAX)?;
    serde_json::from_slice(&bytes).map_err(|e| {
        let place = Place::Line { line: e.line() as u64, byte: byte_of(&bytes, e.line(), e.column()) };
        let problem = if e.is_eof() { Problem::Truncated(e.to_string()) } else { Problem::Malformed(e.to_string()) };
        FileError::new(path, place, problem)
    })
}

/// Replaces a JSON file, indented, with a newline at its end.
pub fn write<T: Serialize>(path: &Path, value: &T) -> Result<(), FileError> {
    let mut bytes = serde_json::to_vec_pretty(value).map_err(|e| unwritten(path)(e.into()))?;
    bytes.push(b'\n');
    file::replace_bytes(path, &bytes)
}

fn byte_of(bytes: &[u8], line: usize, column: usize) -> u64 {
    let start: usize = bytes.split_inclusive(|b| *b == b'\n').take(line.saturating_sub(1)).map(<[u8]>::len).sum();
    (start + column.saturating_sub(1)).min(bytes.len()) as u64
}

/// Replaces a JSON Lines file by these items.
pub fn write_lines<T: Serialize>(path: &Path, items: impl IntoIterator<Item = T>) -> Result<(), FileError> {
    file::replace(path, |file| {
        let mut out = BufWriter::new(file);
        for item in items {
            serde_json::to_writer(&mut out, &item).map_err(|e| unwritten(path)(e.into()))?;
            out.write_all(b"\n").map_err(unwritten(path))?;
        }
        out.flush().map_err(unwritten(path))
    })
}

/// Appends items to a JSON Lines file, each by one `write`.
#[derive(Debug)]
pub struct Appender {
    path: PathBuf,
    file: File,
}

impl Appender {
    /// Opens a file for appending; creates it if it is not there.
    pub fn open(path: &Path) -> Result<Appender, FileError> {
        let file = OpenOptions::new().append(true).create(true).open(path).map_err(unwritten(path))?;
        Ok(Appender { path: path.to_owned(), file })
    }

    /// Appends one line.
    pub fn append<T: Serialize>(&mut self, item: &T) -> Result<(), FileError> {
        let mut line = serde_json::to_vec(item).map_err(|e| unwritten(&self.path)(e.into()))?;
        line.push(b'\n');
        self.file.write_all(&line).map_err(unwritten(&self.path))
    }
}

/// What a JSON Lines file held.
#[derive(Debug)]
pub struct Lines<T> {
    /// The whole lines.
    pub items: Vec<T>,
    /// The last line, if its writer was killed in the middle of it.
    pub torn: Option<FileError>,
}

/// Reads all of a JSON Lines file.
pub fn read_lines<T: DeserializeOwned>(path: &Path) -> Result<Lines<T>, FileError> {
    let mut reader = LineReader::open(path)?;
    let mut items = Vec::new();
    for item in reader.by_ref() {
        items.push(item?);
    }
    Ok(Lines { items, torn: reader.torn })
}

/// Reads a JSON Lines file item by item. After the last item, [`LineReader::torn`] tells of a torn end.
#[derive(Debug)]
pub struct LineReader<T> {
    path: PathBuf,
    file: BufReader<File>,
    line: u64,
    byte: u64,
    buffer: Vec<u8>,
    /// The last line, if its writer was killed in the middle of it.
    pub torn: Option<FileError>,
    item: PhantomData<T>,
}

impl<T: DeserializeOwned> LineReader<T> {
    /// Opens a file for reading.
    pub fn open(path: &Path) -> Result<LineReader<T>, FileError> {
        let file = BufReader::new(file::open(path)?);
        Ok(LineReader {
            path: path.to_owned(),
            file,
            line: 0,
            byte: 0,
            buffer: Vec::new(),
            torn: None,
            item: PhantomData,
        })
    }

    fn next_line(&mut self) -> Result<bool, FileError> {
        self.byte += self.buffer.len() as u64;
        self.line += 1;
        self.buffer.clear();
        let mut limited = (&mut self.file).take(LINE_BYTES_MAX);
        let bytes = limited.read_until(b'\n', &mut self.buffer).map_err(unread(&self.path))? as u64;
        if bytes == LINE_BYTES_MAX && self.buffer.last() != Some(&b'\n') {
            let problem = Problem::TooLarge { bytes, bytes_max: LINE_BYTES_MAX };
            return Err(FileError::new(&self.path, Place::Line { line: self.line, byte: self.byte }, problem));
        }
        Ok(bytes > 0)
    }

    fn parse(&mut self) -> Option<Result<T, FileError>> {
        let error = match serde_json::from_slice(&self.buffer) {
            Ok(item) => return Some(Ok(item)),
            Err(error) => error,
        };
        let place = |byte| Place::Line { line: self.line, byte };
        if self.buffer.last() != Some(&b'\n') {
            let problem = Problem::Truncated("the last line is not whole".into());
            self.torn = Some(FileError::new(&self.path, place(self.byte), problem));
            return None;
        }
        let byte = self.byte + error.column().saturating_sub(1) as u64;
        Some(Err(FileError::new(&self.path, place(byte), Problem::Malformed(error.to_string()))))
    }
}

impl<T: DeserializeOwned> Iterator for LineReader<T> {
    type Item = Result<T, FileError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.next_line() {
            Ok(true) => self.parse(),
            Ok(false) => None,
            Err(error) => Some(Err(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn temp() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        (dir, path)
    }

    #[test]
    fn lines_appended_and_lines_replaced_are_read_back() {
        let (_dir, path) = temp();
        write_lines(&path, [1, 2]).unwrap();
        Appender::open(&path).unwrap().append(&3).unwrap();
        let lines = read_lines::<u32>(&path).unwrap();
        assert_eq!((lines.items, lines.torn.is_none()), (vec![1, 2, 3], true));
    }

    #[test]
    fn a_file_cut_anywhere_gives_its_whole_lines_and_a_torn_end() {
        let (_dir, path) = temp();
        let text = b"[\"a\"]\n[\"bb\"]\n";
        for cut in 0..=text.len() {
            fs::write(&path, &text[..cut]).unwrap();
            let lines = read_lines::<Vec<String>>(&path).unwrap();
            let place = match cut {
                1..=4 => Some(Place::Line { line: 1, byte: 0 }),
                7..=11 => Some(Place::Line { line: 2, byte: 6 }),
                _ => None,
            };
            assert_eq!(lines.items.len(), [5, 12].iter().filter(|end| cut >= **end).count(), "cut {cut}");
            assert_eq!(lines.torn.map(|torn| torn.place), place, "cut {cut}");
        }
    }

    #[test]
    fn a_broken_line_in_the_middle_is_an_error_with_its_place() {
        let (_dir, path) = temp();
        fs::write(&path, "1\n2x\n3\n").unwrap();
        let error = read_lines::<u32>(&path).unwrap_err();
        assert!(error.to_string().contains("f, line 2, byte 3: malformed"), "{error}");
    }

    #[test]
    fn a_json_file_cut_anywhere_is_truncated_and_says_where() {
        let (_dir, path) = temp();
        write(&path, &vec![("a", 1), ("b", 2)]).unwrap();
        let whole = fs::read(&path).unwrap();
        for cut in 0..whole.len() - 1 {
            fs::write(&path, &whole[..cut]).unwrap();
            let error = read::<Vec<(String, u32)>>(&path).unwrap_err();
            assert!(matches!(error.problem, Problem::Truncated(_)), "{error}");
            assert!(matches!(error.place, Place::Line { byte, .. } if byte <= cut as u64));
        }
    }
}
