//! `replicas.arrow`: one row a record on a replica's disk, so that judging needs no broker's data.
//!
//! ```text
//! node i32 | log u32 | offset i64 | value u64 | epoch i32
//! ```
//! Rows stand replica by replica, in the order of the list in the schema's metadata under [`KEY`] (JSON): where each
//! replica starts and ends, its checkpointed high watermark, its epochs, the batches whose records repeat, how many rows it has; and the
//! findings.

use super::table::Table;
use super::{BATCH_ROWS_MAX, write};
use crate::file::{FileError, Place, Problem};
use crate::replicas::{Evidence, Finding};
use arrow_array::{ArrayRef, Int32Array, Int64Array, RecordBatch, UInt32Array, UInt64Array};
use arrow_schema::{ArrowError, DataType, Field, Fields, Schema};
use history::{EpochStart, LeaderEpoch, LogId, NodeId, Offset, ReplicaLog, ReplicaRecord, SentBatch, Value};
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::sync::Arc;

/// The metadata's key.
pub const KEY: &str = "stormglass.replicas";
const FORMAT: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Metadata {
    format: u32,
    replicas: Vec<Head>,
    findings: Vec<Finding>,
}

/// A replica without its records.
#[derive(Serialize, Deserialize)]
struct Head {
    node: NodeId,
    log: LogId,
    start: Offset,
    end: Offset,
    high_watermark: Option<Offset>,
    epochs: Vec<EpochStart>,
    #[serde(default)]
    repeats: Vec<SentBatch>,
    rows: u64,
}

impl Head {
    fn of(replica: &ReplicaLog) -> Head {
        let ReplicaLog { node, log, start, end, high_watermark, ref epochs, ref records, ref repeats } = *replica;
        let (epochs, repeats, rows) = (epochs.clone(), repeats.clone(), records.len() as u64);
        Head { node, log, start, end, high_watermark, epochs, repeats, rows }
    }

    fn into_replica(self) -> ReplicaLog {
        let Head { node, log, start, end, high_watermark, epochs, repeats, .. } = self;
        ReplicaLog { node, log, start, end, high_watermark, epochs, records: Vec::new(), repeats }
    }
}

/// The columns.
pub fn shape() -> Fields {
    use DataType::{Int32, Int64, UInt32, UInt64};
    let columns = [("node", Int32), ("log", UInt32), ("offset", Int64), ("value", UInt64), ("epoch", Int32)];
    columns.into_iter().map(|(name, kind)| Field::new(name, kind, false)).collect()
}

/// Replaces `path` by this evidence.
pub fn write_replicas(path: &Path, evidence: &Evidence) -> Result<(), FileError> {
    let replicas = evidence.replicas.iter().map(Head::of).collect();
    let metadata = Metadata { format: FORMAT, replicas, findings: evidence.findings.clone() };
    let metadata = serde_json::to_string(&metadata);
    let metadata = metadata.map_err(|e| FileError::new(path, Place::Whole, Problem::Unwritable(e.into())))?;
    let schema = Arc::new(Schema::new_with_metadata(shape(), [(KEY.to_owned(), metadata)].into()));
    let chunks = evidence.replicas.iter().flat_map(|r| r.records.chunks(BATCH_ROWS_MAX).map(move |chunk| (r, chunk)));
    write(path, &schema, chunks.map(|(replica, records)| batch(replica, records, &schema)))
}

fn batch(replica: &ReplicaLog, records: &[ReplicaRecord], schema: &Arc<Schema>) -> Result<RecordBatch, ArrowError> {
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int32Array::from_value(replica.node.0, records.len())),
        Arc::new(UInt32Array::from_value(replica.log.0, records.len())),
        Arc::new(Int64Array::from_iter_values(records.iter().map(|record| record.offset.0))),
        Arc::new(UInt64Array::from_iter_values(records.iter().map(|record| record.value.0))),
        Arc::new(Int32Array::from_iter_values(records.iter().map(|record| record.epoch.0))),
    ];
    RecordBatch::try_new(schema.clone(), columns)
}

/// Reads the evidence of a run.
pub fn read_replicas(path: &Path) -> Result<Evidence, FileError> {
    let mut table = Table::open(path, &shape(), KEY)?;
    let metadata: Metadata = table.metadata()?;
    let foreign = |why| FileError::new(path, Place::Whole, Problem::Foreign(why));
    if metadata.format != FORMAT {
        return Err(foreign(format!("format {}, and this program reads format {FORMAT}", metadata.format)));
    }
    let mut left: Vec<u64> = metadata.replicas.iter().map(|head| head.rows).collect();
    let mut evidence = Evidence {
        replicas: metadata.replicas.into_iter().map(Head::into_replica).collect(),
        findings: metadata.findings,
    };
    let mut current = 0;
    while let Some(batch) = table.next_batch()? {
        let mut columns = batch.columns();
        let (node, log) = (columns.required::<4>()?, columns.required::<4>()?);
        let (offset, value, epoch) = (columns.required::<8>()?, columns.required::<8>()?, columns.required::<4>()?);
        for row in 0..batch.rows {
            current += left[current..].iter().take_while(|left| **left == 0).count();
            let place = (NodeId(i32::from_le_bytes(node[row])), LogId(u32::from_le_bytes(log[row])));
            let replica = evidence.replicas.get_mut(current).filter(|r| (r.node, r.log) == place);
            let replica = replica.ok_or_else(|| batch.malformed(row, "a row of a replica that is not listed here"))?;
            replica.records.push(ReplicaRecord {
                offset: Offset(i64::from_le_bytes(offset[row])),
                value: Value(u64::from_le_bytes(value[row])),
                epoch: LeaderEpoch(i32::from_le_bytes(epoch[row])),
            });
            left[current] -= 1;
        }
    }
    match left.iter().all(|left| *left == 0) {
        true => Ok(evidence),
        false => Err(FileError::new(path, Place::Whole, Problem::Truncated("rows are missing".into()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replicas::Flaw;
    use std::fs;

    fn sample() -> Evidence {
        let record = |offset| ReplicaRecord { offset: Offset(offset), value: Value(7), epoch: LeaderEpoch(-1) };
        let replica = |node, log, records: std::ops::Range<i64>| ReplicaLog {
            repeats: vec![SentBatch { first: Offset(2), last: Offset(3), producer: 7, producer_epoch: 1, sequence: 0 }],
            node: NodeId(node),
            log: LogId(log),
            start: Offset(0),
            end: Offset(records.end),
            high_watermark: (log == 1).then_some(Offset(3)),
            epochs: vec![EpochStart { epoch: LeaderEpoch(0), start: Offset(0) }],
            records: records.map(record).collect(),
        };
        let flaw = Flaw::TornBatch { bytes: 3 };
        let finding = Finding { node: NodeId(1), log: Some(LogId(1)), file: "x-0/0.log".into(), byte: 9, flaw };
        let many = BATCH_ROWS_MAX as i64 + 1;
        let replicas = vec![replica(1, 0, 0..0), replica(1, 1, 0..5), replica(2, 0, 5..9), replica(2, 1, 0..many)];
        Evidence { replicas, findings: vec![finding] }
    }

    #[test]
    fn evidence_is_read_as_it_was_written() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("replicas.arrow");
        for evidence in [Evidence::default(), sample()] {
            write_replicas(&path, &evidence).unwrap();
            assert!(read_replicas(&path).unwrap() == evidence);
        }
    }

    #[test]
    fn evidence_cut_or_changed_anywhere_is_read_or_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("replicas.arrow");
        let mut evidence = sample();
        evidence.replicas.truncate(3);
        write_replicas(&path, &evidence).unwrap();
        let whole = fs::read(&path).unwrap();
        for at in 0..whole.len() {
            fs::write(&path, &whole[..at]).unwrap();
            assert!(read_replicas(&path).is_err(), "cut at {at}");
            let mut bad = whole.clone();
            bad[at] ^= 0x81;
            fs::write(&path, bad).unwrap();
            let _ = read_replicas(&path);
        }
    }
}
