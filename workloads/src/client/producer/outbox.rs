//! Records written down before they are sent: a file of what was wanted and a file of what was acknowledged.
//!
//! **Invariant:** a record is in the outbox before the client library hears of it, so what an earlier life left there without
//! an acknowledgement is everything that may be missing. At least once: one acknowledged just before a kill is sent again.
//! Deliberately absent: fsync (it survives its process, not the machine) and forgetting.

use super::super::generator::Draft;
use super::super::{ClientError, failed};
use crate::spec::LogPlace;
use history::{LogId, Value};
use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

const WANTED_BYTES: usize = 12;
const DONE_BYTES: usize = 8;

/// An outbox open for one process.
#[derive(Debug)]
pub(super) struct Outbox {
    wanted: File,
    done: Mutex<File>,
}

impl Outbox {
    /// Opens the outbox at `path` and says what an earlier life left in it, in order.
    pub(super) fn open(path: &Path, logs: &[LogPlace]) -> Result<(Outbox, Vec<Draft>), ClientError> {
        let done_path = path.with_extension("done");
        let done = read(&done_path)?;
        let done: HashSet<u64> = done.as_chunks().0.iter().map(|bytes| u64::from_le_bytes(*bytes)).collect();
        let mut left = Vec::new();
        for entry in read(path)?.as_chunks::<WANTED_BYTES>().0 {
            let (log, value) = (u32::from_le_bytes([entry[0], entry[1], entry[2], entry[3]]), word(&entry[4..]));
            let place = logs.iter().position(|place| place.id == LogId(log));
            left.extend(place.filter(|_| !done.contains(&value)).map(|log| Draft {
                log,
                key: None,
                value: Value(value),
            }));
        }
        let append = |path: &Path| OpenOptions::new().create(true).append(true).open(path);
        let wanted = append(path).map_err(|e| failed("open", path, e))?;
        let done = append(&done_path).map_err(|e| failed("open", &done_path, e))?;
        Ok((Outbox { wanted, done: Mutex::new(done) }, left))
    }

    /// Writes a record down.
    pub(super) fn want(&self, log: LogId, value: Value) -> std::io::Result<()> {
        let mut entry = [0; WANTED_BYTES];
        entry[..4].copy_from_slice(&log.0.to_le_bytes());
        entry[4..].copy_from_slice(&value.0.to_le_bytes());
        (&self.wanted).write_all(&entry)
    }

    /// Crosses a record off. One that cannot be is sent again by the next life, which is allowed.
    pub(super) fn acknowledged(&self, value: Value) {
        let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = done.write_all(&value.0.to_le_bytes());
    }
}

fn word(bytes: &[u8]) -> u64 {
    bytes.try_into().map_or(0, u64::from_le_bytes)
}

fn read(path: &Path) -> Result<Vec<u8>, ClientError> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(bytes),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(e) => Err(failed("read", path, e)),
    }
}

const _: () = assert!(DONE_BYTES == size_of::<u64>() && WANTED_BYTES == size_of::<u32>() + size_of::<u64>());

#[cfg(test)]
mod tests {
    use super::*;
    use history::WriterId;

    #[test]
    fn what_was_not_acknowledged_is_what_the_next_life_finds_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("outbox");
        let logs: Vec<_> = (0..2).map(|n| LogPlace { id: LogId(n), topic: "t".into(), partition: n as i32 }).collect();
        let value = |n| Value::new(WriterId(3), n);
        let (outbox, left) = Outbox::open(&path, &logs).unwrap();
        assert!(left.is_empty());
        (0..5).for_each(|n| outbox.want(LogId(n as u32 % 2), value(n)).unwrap());
        [0, 3].into_iter().for_each(|n| outbox.acknowledged(value(n)));
        drop(outbox);
        let mut bytes = std::fs::read(&path).unwrap();
        bytes.extend([1, 2, 3]);
        std::fs::write(&path, bytes).unwrap();
        let (_, left) = Outbox::open(&path, &logs).unwrap();
        let left: Vec<_> = left.into_iter().map(|draft| (draft.log, draft.value)).collect();
        assert_eq!(left, [(1, value(1)), (0, value(2)), (0, value(4))], "half an entry at the end is none");
    }
}
