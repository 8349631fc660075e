//! A sink outside the system under test: an SQLite file that applications write the effects of records to.
//!
//! What a consumer's effect is worth depends on how it goes together with its position: [`SinkStyle`]. Every row keeps the
//! order in which rows came. **Invariant:** a write is one transaction of the file; it is there whole or not at all, whatever
//! becomes of the process.

use history::{LogId, Offset, Record, Value};
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::time::Duration;

const BUSY: Duration = Duration::from_secs(10);

/// How an effect and the position behind it go together.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SinkStyle {
    /// The position is stored with the effects, in one transaction of the sink; the group's own is not used.
    PositionInside,
    /// A row a record, whatever there is already of it: doing it again changes nothing.
    Upsert,
    /// A row an effect: doing it again adds one.
    Append,
}

/// A sink's file.
#[derive(Debug)]
pub struct Sink {
    file: Connection,
}

const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS effects (log INTEGER, at INTEGER, value INTEGER, once INTEGER UNIQUE);
    CREATE INDEX IF NOT EXISTS by_log ON effects (log);
    CREATE TABLE IF NOT EXISTS positions (log INTEGER PRIMARY KEY, next INTEGER);
";

impl Sink {
    /// Opens a sink, an empty one if it is not there. Several processes may have it open.
    pub fn open(path: &Path) -> rusqlite::Result<Sink> {
        let file = Connection::open(path)?;
        file.busy_timeout(BUSY)?;
        // Survives the process, not the machine: as everything a client keeps.
        file.pragma_update(None, "synchronous", "OFF")?;
        file.execute_batch(TABLES)?;
        Ok(Sink { file })
    }

    /// Writes the effects of a log's records, and with [`SinkStyle::PositionInside`] the position after them. Records that a
    /// stored position has passed already are somebody else's by then, and are left out.
    pub fn write(&mut self, style: SinkStyle, log: LogId, records: &[Record]) -> rusqlite::Result<()> {
        let transaction = self.file.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let passed = match style {
            SinkStyle::PositionInside => position(&transaction, log)?.unwrap_or(Offset(0)),
            SinkStyle::Upsert | SinkStyle::Append => Offset(0),
        };
        for record in records.iter().filter(|record| record.offset >= passed) {
            let once = (style == SinkStyle::Upsert).then(|| i64::from(log.0) << 48 | record.offset.0);
            let row = params![log.0, record.offset.0, record.value.0 as i64, once];
            transaction.execute("INSERT OR REPLACE INTO effects VALUES (?1, ?2, ?3, ?4)", row)?;
        }
        if let (SinkStyle::PositionInside, Some(last)) = (style, records.last()) {
            let row = params![log.0, passed.0.max(last.offset.0 + 1)];
            transaction.execute("INSERT OR REPLACE INTO positions VALUES (?1, ?2)", row)?;
        }
        transaction.commit()
    }

    /// The position stored for a log, if one was.
    pub fn position(&self, log: LogId) -> rusqlite::Result<Option<Offset>> {
        position(&self.file, log)
    }

    /// Every effect of a log's records, in the order they came.
    pub fn rows(&self, log: LogId) -> rusqlite::Result<Vec<Record>> {
        let mut rows = self.file.prepare("SELECT at, value FROM effects WHERE log = ?1 ORDER BY rowid")?;
        let record = |row: &rusqlite::Row<'_>| {
            Ok(Record { offset: Offset(row.get(0)?), value: Value(row.get::<_, i64>(1)? as u64) })
        };
        rows.query_map([log.0], record)?.collect()
    }
}

fn position(file: &Connection, log: LogId) -> rusqlite::Result<Option<Offset>> {
    let next = file.query_row("SELECT next FROM positions WHERE log = ?1", [log.0], |row| row.get(0));
    Ok(next.optional()?.map(Offset))
}

#[cfg(test)]
mod tests {
    use super::*;
    use history::WriterId;

    fn records(offsets: &[i64]) -> Vec<Record> {
        let record = |offset: &i64| Record { offset: Offset(*offset), value: Value::new(WriterId(1), *offset as u64) };
        offsets.iter().map(record).collect()
    }

    fn written_twice(style: SinkStyle) -> Vec<i64> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sink");
        for offsets in [[0, 1, 2], [1, 2, 3]] {
            Sink::open(&path).unwrap().write(style, LogId(2), &records(&offsets)).unwrap();
        }
        let sink = Sink::open(&path).unwrap();
        assert!(sink.rows(LogId(0)).unwrap().is_empty());
        let mut offsets: Vec<i64> = sink.rows(LogId(2)).unwrap().iter().map(|row| row.offset.0).collect();
        offsets.sort_unstable();
        offsets
    }

    #[test]
    fn a_record_done_again_is_there_twice_only_where_nothing_tells() {
        assert_eq!(written_twice(SinkStyle::Append), [0, 1, 1, 2, 2, 3]);
        assert_eq!(written_twice(SinkStyle::Upsert), [0, 1, 2, 3]);
        assert_eq!(written_twice(SinkStyle::PositionInside), [0, 1, 2, 3]);
    }

    #[test]
    fn a_position_is_the_next_record_and_belongs_to_its_log() {
        let folder = tempfile::tempdir().unwrap();
        let mut sink = Sink::open(&folder.path().join("sink")).unwrap();
        assert_eq!(sink.position(LogId(1)).unwrap(), None);
        sink.write(SinkStyle::PositionInside, LogId(1), &records(&[4, 5])).unwrap();
        assert_eq!((sink.position(LogId(1)).unwrap(), sink.position(LogId(2)).unwrap()), (Some(Offset(6)), None));
    }
}
