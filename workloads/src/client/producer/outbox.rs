//! Records written down before they are sent: a file of what was wanted and a file of what was acknowledged, or a table in
//! SQLite out of which an acknowledged one is taken.
//!
//! **Invariant:** a record is in the outbox before the client library hears of it, so what an earlier life left there without
//! an acknowledgement is everything that may be missing. At least once: one acknowledged just before a kill is sent again.
//! Deliberately absent: fsync (it survives its process, not the machine) and forgetting.

use super::super::generator::Draft;
use super::super::{ClientError, failed};
use crate::spec::LogPlace;
use history::{LogId, Value};
use rusqlite::{Connection, params};
use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

const WANTED_BYTES: usize = 12;
const DONE_BYTES: usize = 8;

/// An outbox open for one process.
#[derive(Debug)]
pub(super) enum Outbox {
    /// A file of what was wanted and a file of what was acknowledged.
    Files {
        /// What was wanted.
        wanted: File,
        /// What was acknowledged.
        done: Mutex<File>,
    },
    /// A table.
    Table(Mutex<Connection>),
}

const TABLE: &str = "CREATE TABLE IF NOT EXISTS outbox (n INTEGER PRIMARY KEY, log INTEGER, value INTEGER UNIQUE)";
const BUSY: Duration = Duration::from_secs(10);

impl Outbox {
    /// Opens the outbox at `path` and says what an earlier life left in it, in order.
    pub(super) fn open(path: &Path, logs: &[LogPlace]) -> Result<(Outbox, Vec<Draft>), ClientError> {
        let (outbox, left) = match path.extension().is_some_and(|e| e == "sqlite") {
            true => Outbox::open_table(path)?,
            false => Outbox::open_files(path)?,
        };
        let draft = |(log, value): (u32, u64)| {
            let log = logs.iter().position(|place| place.id == LogId(log))?;
            Some(Draft { log, key: None, value: Value(value) })
        };
        Ok((outbox, left.into_iter().filter_map(draft).collect()))
    }

    fn open_files(path: &Path) -> Result<(Outbox, Vec<(u32, u64)>), ClientError> {
        let done_path = path.with_extension("done");
        let done = read(&done_path)?;
        let done: HashSet<u64> = done.as_chunks().0.iter().map(|bytes| u64::from_le_bytes(*bytes)).collect();
        let entries = read(path)?;
        let entries = entries.as_chunks::<WANTED_BYTES>().0.iter();
        let entries = entries.map(|e| (u32::from_le_bytes([e[0], e[1], e[2], e[3]]), word(&e[4..])));
        let left = entries.filter(|(_, value)| !done.contains(value)).collect();
        let append = |path: &Path| OpenOptions::new().create(true).append(true).open(path);
        let wanted = append(path).map_err(|e| failed("open", path, e))?;
        let done = append(&done_path).map_err(|e| failed("open", &done_path, e))?;
        Ok((Outbox::Files { wanted, done: Mutex::new(done) }, left))
    }

    fn open_table(path: &Path) -> Result<(Outbox, Vec<(u32, u64)>), ClientError> {
        let table = Connection::open(path)?;
        table.busy_timeout(BUSY)?;
        // Survives the process, not the machine: as everything a client keeps.
        table.pragma_update(None, "synchronous", "OFF")?;
        table.pragma_update(None, "journal_mode", "WAL")?;
        table.execute_batch(TABLE)?;
        let mut left = table.prepare("SELECT log, value FROM outbox ORDER BY n")?;
        let rows = left.query_map([], |row| Ok((row.get::<_, u32>(0)?, row.get::<_, i64>(1)? as u64)))?;
        let rows = rows.collect::<Result<_, _>>()?;
        drop(left);
        Ok((Outbox::Table(Mutex::new(table)), rows))
    }

    /// Writes a record down.
    pub(super) fn want(&self, log: LogId, value: Value) -> Result<(), ClientError> {
        match self {
            Outbox::Files { wanted, .. } => {
                let mut entry = [0; WANTED_BYTES];
                entry[..4].copy_from_slice(&log.0.to_le_bytes());
                entry[4..].copy_from_slice(&value.0.to_le_bytes());
                let mut wanted: &File = wanted;
                wanted.write_all(&entry).map_err(|source| ClientError::Io { what: "outbox".into(), source })
            }
            Outbox::Table(table) => {
                let table = table.lock().unwrap_or_else(PoisonError::into_inner);
                let row = params![log.0, value.0 as i64];
                // A record of an earlier life stands there already.
                table.execute("INSERT OR IGNORE INTO outbox (log, value) VALUES (?1, ?2)", row)?;
                Ok(())
            }
        }
    }

    /// Crosses a record off. One that cannot be is sent again by the next life, which is allowed.
    pub(super) fn acknowledged(&self, value: Value) {
        match self {
            Outbox::Files { done, .. } => {
                let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
                let _ = done.write_all(&value.0.to_le_bytes());
            }
            Outbox::Table(table) => {
                let table = table.lock().unwrap_or_else(PoisonError::into_inner);
                let _ = table.execute("DELETE FROM outbox WHERE value = ?1", params![value.0 as i64]);
            }
        }
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
    fn a_table_keeps_what_was_not_acknowledged_and_nothing_twice() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("outbox.sqlite");
        let logs = [LogPlace { id: LogId(5), topic: "t".into(), partition: 0 }];
        let value = |n| Value::new(WriterId(history::Value::WRITER_MAX), n);
        let (outbox, _) = Outbox::open(&path, &logs).unwrap();
        (0..4).for_each(|n| outbox.want(LogId(5), value(n)).unwrap());
        outbox.acknowledged(value(1));
        outbox.want(LogId(9), value(8)).unwrap();
        drop(outbox);
        let (outbox, left) = Outbox::open(&path, &logs).unwrap();
        left.iter().for_each(|draft| outbox.want(LogId(5), draft.value).unwrap());
        drop(outbox);
        let (_, left) = Outbox::open(&path, &logs).unwrap();
        let left: Vec<_> = left.into_iter().map(|draft| draft.value).collect();
        assert_eq!(left, [value(0), value(2), value(3)], "8 lies in a log that nobody knows");
    }

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
