//! `history.arrow` as a source of the judge: walked batch by batch, as often as it likes, never whole in memory.
//!
//! **Invariant:** a walk that meets an error stops, and [`ArrowSource::failed`] tells the first of them: whoever judges asks
//! it before believing the judgement. Memory is one batch a walk.

use super::history::Reader;
use crate::file::FileError;
use checker::source::{Batch, Source};
use history::{Kind, LogId, Names};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// See the module.
#[derive(Debug)]
pub struct ArrowSource {
    path: PathBuf,
    names: Names,
    kinds: Option<Vec<Kind>>,
    error: Mutex<Option<FileError>>,
}

impl ArrowSource {
    /// Opens a history and reads what it says of itself.
    ///
    /// # Errors
    /// A file that cannot be read or is no history.
    pub fn open(path: &Path) -> Result<ArrowSource, FileError> {
        let Reader { names, present, .. } = Reader::open(path)?;
        Ok(ArrowSource { path: path.to_owned(), names, kinds: present, error: Mutex::new(None) })
    }

    /// The first error that a walk met.
    ///
    /// # Errors
    /// That one.
    pub fn failed(&self) -> Result<(), FileError> {
        let mut error = self.error.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        error.take().map_or(Ok(()), Err)
    }

    fn try_walk(
        &self,
        mine: Option<&dyn Fn(LogId) -> bool>,
        visit: &mut dyn FnMut(Batch<'_>),
    ) -> Result<(), FileError> {
        let (mut reader, mut ops, mut records) = (Reader::open(&self.path)?, Vec::new(), Vec::new());
        while reader.read_ops(mine, &mut ops, &mut records)? {
            visit(Batch { ops: &ops, records: &records, first_record: 0 });
            ops.clear();
            records.clear();
        }
        Ok(())
    }
}

impl ArrowSource {
    /// Keeps the first error.
    fn keep(&self, walked: Result<(), FileError>) {
        if let Err(error) = walked {
            let mut first = self.error.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            first.get_or_insert(error);
        }
    }
}

impl Source for ArrowSource {
    fn names(&self) -> &Names {
        &self.names
    }

    fn walk(&self, visit: &mut dyn FnMut(Batch<'_>)) {
        self.keep(self.try_walk(None, visit));
    }

    fn walk_logs(&self, mine: &dyn Fn(LogId) -> bool, visit: &mut dyn FnMut(Batch<'_>)) {
        self.keep(self.try_walk(Some(mine), visit));
    }

    fn kinds(&self) -> Vec<Kind> {
        self.kinds.clone().unwrap_or_else(|| checker::source::kinds_met(self))
    }
}
