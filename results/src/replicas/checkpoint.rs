//! Checkpoint files: text, line 1 a version, line 2 a count, then one entry a line.
//!
//! Deliberately lenient: the count is not believed, a line that makes no sense is a finding and the others are kept.

use super::{Flaw, Notes};
use crate::file::{self, FileError, Problem};
use history::{EpochStart, LeaderEpoch, Offset};
use std::collections::HashMap;
use std::path::Path;

/// Largest checkpoint file read.
pub const CHECKPOINT_BYTES_MAX: u64 = 16 << 20;
const HEADER_LINES: usize = 2;

/// `topic partition offset`, by `topic-partition`; empty if there is no such file.
pub fn offsets(path: &Path, notes: &mut Notes) -> Result<HashMap<String, Offset>, FileError> {
    let mut offsets = HashMap::new();
    lines(path, notes, |words| {
        let [topic, partition, offset] = words[..] else { return None };
        let (partition, offset) = (partition.parse::<u32>().ok()?, offset.parse().ok()?);
        offsets.insert(format!("{topic}-{partition}"), Offset(offset));
        Some(())
    })?;
    Ok(offsets)
}

/// `epoch start`; empty if there is no such file.
pub fn epochs(path: &Path, notes: &mut Notes) -> Result<Vec<EpochStart>, FileError> {
    let mut epochs = Vec::new();
    lines(path, notes, |words| {
        let [epoch, start] = words[..] else { return None };
        epochs.push(EpochStart { epoch: LeaderEpoch(epoch.parse().ok()?), start: Offset(start.parse().ok()?) });
        Some(())
    })?;
    Ok(epochs)
}

fn lines(path: &Path, notes: &mut Notes, mut entry: impl FnMut(&[&str]) -> Option<()>) -> Result<(), FileError> {
    let bytes = match file::read(path, CHECKPOINT_BYTES_MAX) {
        Err(FileError { problem: Problem::Missing, .. }) => return Ok(()),
        bytes => bytes?,
    };
    let text = String::from_utf8_lossy(&bytes);
    let mut byte = 0;
    for (line, text) in text.split_inclusive('\n').enumerate() {
        let words: Vec<&str> = text.split_whitespace().collect();
        if line >= HEADER_LINES && !words.is_empty() && entry(&words).is_none() {
            notes.add(path, byte, Flaw::BadCheckpoint);
        }
        byte += text.len() as u64;
    }
    Ok(())
}
