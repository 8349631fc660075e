//! What stands on the replicas' disks: Kafka's folder layout and record batch v2, read after the run.
//!
//! ```text
//! DATA/TOPIC-N/00000000000000000000.log …   batches          DATA/TOPIC-N/leader-epoch-checkpoint
//! DATA/replication-offset-checkpoint        high watermarks  DATA/log-start-offset-checkpoint
//! ```
//! Own code, shares nothing with the broker: a broker's mistake in writing must not be repeated in reading. **Invariant:**
//! what is torn, corrupt or out of order is a [`Finding`] with file and byte, never an error: a replica that died in the
//! middle of a write is ordinary evidence. Only a disk that cannot be read at all is an error.
//!
//! Beside the records, each other kind of file has its reader here: indexes, producer snapshots, checkpoints. The metadata
//! log's is [`crate::kraft`]. Source: Kafka's `DefaultRecordBatch`, KIP-98.

pub mod batch;
pub mod checkpoint;
mod expand;
pub mod index;
pub mod producers;
pub mod reader;
pub mod records;
mod segment;
#[cfg(test)]
mod tests;

use crate::file::{FileError, unread};
use history::{LogId, Names, NodeId, Offset, ReplicaLog, ReplicaRecord, SentBatch, Value};
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::{Path, PathBuf};

/// Most findings kept of one replica of one log; the rest is counted in the last of them.
pub const FINDINGS_PER_LOG_MAX: usize = 100;

/// Most batches kept of one replica of one log because their records stand in it more than once.
pub const REPEATS_PER_LOG_MAX: usize = 1000;

/// All replicas of a run.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Evidence {
    /// One entry for each log found on each node.
    pub replicas: Vec<ReplicaLog>,
    /// What is wrong with the files.
    pub findings: Vec<Finding>,
}

/// Something wrong with a replica's file.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Finding {
    /// Whose disk.
    pub node: NodeId,
    /// Which log, if one is concerned.
    pub log: Option<LogId>,
    /// The file, relative to the node's data folder.
    pub file: String,
    /// Where in it.
    pub byte: u64,
    /// What.
    pub flaw: Flaw,
}

/// What can be wrong with a replica's file.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "flaw", rename_all = "kebab-case")]
pub enum Flaw {
    /// A batch that the file ends in the middle of.
    TornBatch {
        /// Bytes of it that are there.
        bytes: u64,
    },
    /// Zeros to the end of the file where a batch should be: space that was allocated and whose data never arrived.
    Zeros {
        /// How many.
        bytes: u64,
    },
    /// A batch that fails its CRC-32C.
    BadCrc,
    /// Bytes that are no batch; nothing after them in this file is read.
    NotABatch {
        /// Bytes left unread.
        bytes: u64,
    },
    /// A batch whose CRC holds and whose records make no sense.
    BadRecords,
    /// A batch whose offsets begin at or below the end of the one before.
    OffsetsNotRising,
    /// A line of a checkpoint file that is none.
    BadCheckpoint,
    /// More of the kind in this log.
    More {
        /// How many.
        count: u64,
    },
}

impl Evidence {
    /// Adds what stands in one data folder of a node, for every log that has a name.
    pub fn add_node(&mut self, node: NodeId, data: &Path, names: &Names) -> Result<(), FileError> {
        fs::read_dir(data).map_err(unread(data))?;
        let mut notes = Notes { node, log: None, data: data.to_owned(), findings: Vec::new(), dropped: 0 };
        let watermarks = checkpoint::offsets(&data.join("replication-offset-checkpoint"), &mut notes)?;
        let starts = checkpoint::offsets(&data.join("log-start-offset-checkpoint"), &mut notes)?;
        self.findings.extend(notes.finish());
        for (log, name) in names.logs.iter().enumerate() {
            let folder = data.join(name);
            if !folder.is_dir() {
                continue;
            }
            let log = LogId(log as u32);
            let mut notes = Notes { node, log: Some(log), data: data.to_owned(), findings: Vec::new(), dropped: 0 };
            let mut replica = read_log(&folder, node, log, names.run, &mut notes)?;
            replica.high_watermark = watermarks.get(name).copied();
            replica.start = replica.start.max(starts.get(name).copied().unwrap_or(replica.start));
            self.replicas.push(replica);
            self.findings.extend(notes.finish());
        }
        Ok(())
    }
}

fn read_log(folder: &Path, node: NodeId, log: LogId, run: u64, notes: &mut Notes) -> Result<ReplicaLog, FileError> {
    let segments = segments(folder)?;
    let start = Offset(segments.first().map_or(0, |segment| segment.0));
    let epochs = checkpoint::epochs(&folder.join("leader-epoch-checkpoint"), notes)?;
    let (records, repeats, mut batches) = (Vec::new(), Vec::new(), Vec::new());
    let mut replica = ReplicaLog { node, log, start, end: start, high_watermark: None, epochs, records, repeats };
    for (base, path) in segments {
        replica.end = replica.end.max(Offset(base));
        segment::read(&path, run, &mut replica, &mut batches, notes)?;
    }
    if !replica.records.is_sorted_by_key(|record| record.offset) {
        replica.records.sort_by_key(|record: &ReplicaRecord| record.offset);
    }
    replica.repeats = repeating(&replica.records, batches);
    Ok(replica)
}

/// Those of the batches in which a record stands that stands in the log more than once.
fn repeating(records: &[ReplicaRecord], mut batches: Vec<SentBatch>) -> Vec<SentBatch> {
    let mut values: Vec<Value> = records.iter().map(|record| record.value).collect();
    values.sort_unstable();
    let twice = |pair: &[Value]| pair[0] == pair[1] && pair[0].is_ordinary();
    let mut repeated: Vec<Value> = values.windows(2).filter(|pair| twice(pair)).map(|pair| pair[0]).collect();
    repeated.dedup();
    if repeated.is_empty() {
        return Vec::new();
    }
    batches.retain(|batch| {
        let from = records.partition_point(|record| record.offset < batch.first);
        let mut its = records[from..].iter().take_while(|record| record.offset <= batch.last);
        its.any(|record| repeated.binary_search(&record.value).is_ok())
    });
    batches.sort_by_key(|batch| batch.first);
    batches.truncate(REPEATS_PER_LOG_MAX);
    batches
}

/// A log's segments by base offset.
pub fn segments(folder: &Path) -> Result<Vec<(i64, PathBuf)>, FileError> {
    let mut segments = Vec::new();
    for entry in fs::read_dir(folder).map_err(unread(folder))? {
        let path = entry.map_err(unread(folder))?.path();
        let base = path.file_stem().and_then(|stem| stem.to_str()?.parse::<i64>().ok());
        match base {
            Some(base) if base >= 0 && path.extension().is_some_and(|e| e == "log") => segments.push((base, path)),
            _ => {}
        }
    }
    segments.sort();
    Ok(segments)
}

/// Gathers the findings of one log.
pub struct Notes {
    node: NodeId,
    log: Option<LogId>,
    data: PathBuf,
    findings: Vec<Finding>,
    dropped: u64,
}

impl Notes {
    /// For files below `data`, of nobody in particular.
    pub fn of(data: &Path) -> Notes {
        Notes { node: NodeId(-1), log: None, data: data.to_owned(), findings: Vec::new(), dropped: 0 }
    }

    fn add(&mut self, path: &Path, byte: u64, flaw: Flaw) {
        if self.findings.len() >= FINDINGS_PER_LOG_MAX {
            self.dropped += 1;
            return;
        }
        let file = path.strip_prefix(&self.data).unwrap_or(path).to_string_lossy().into_owned();
        self.findings.push(Finding { node: self.node, log: self.log, file, byte, flaw });
    }

    /// What was found.
    pub fn finish(mut self) -> Vec<Finding> {
        if let (Some(last), 1..) = (self.findings.last().cloned(), self.dropped) {
            self.findings.push(Finding { flaw: Flaw::More { count: self.dropped }, ..last });
        }
        self.findings
    }
}
