//! Kafka's metadata log: who led what, which replicas were in sync, which settings held, since when.
//!
//! ```text
//! DATA/__cluster_metadata-0/00000000000000000000.log …     batches whose values are framed records (KIP-631)
//! DATA/__cluster_metadata-0/OFFSET-EPOCH.checkpoint        the whole state as of an offset, in the same form
//! ```
//! The folder is on controllers and on brokers. **Invariant:** a record of a kind or version that is not known here is counted
//! and passed over; bytes that are no record are a flaw, never an error; no length allocates.
//!
//! Deliberately absent: what has not been committed yet is not told from what has; at the end of a run all of it has.

mod change;
mod record;
mod wire;

pub use change::{Change, History, Led, changes};
pub use record::{MetadataRecord, PartitionState};

use crate::file::{FileError, unread};
use crate::replicas::reader::{Next, SegmentReader};
use crate::replicas::{Flaw, batch, records, segments};
use std::fs;
use std::path::{Path, PathBuf};

/// The metadata log's folder in a data folder.
pub const FOLDER: &str = "__cluster_metadata-0";

/// A record of the log, and where it stands.
#[derive(Clone, PartialEq, Debug)]
pub struct Logged {
    /// Its offset.
    pub offset: i64,
    /// The reign of the controller that wrote it.
    pub epoch: i32,
    /// Milliseconds since 1970, by that controller's clock.
    pub wall_ms: i64,
    /// The file's name.
    pub file: String,
    /// What it says.
    pub record: MetadataRecord,
}

/// Everything in a metadata log.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct MetadataLog {
    /// Its records, the newest snapshot's first if the log does not begin at 0.
    pub records: Vec<Logged>,
    /// Records of kinds that are not known here.
    pub unknown: u64,
    /// What is wrong with its files: file, byte, flaw.
    pub flaws: Vec<(String, u64, Flaw)>,
}

/// Reads a metadata log's folder.
pub fn read(folder: &Path) -> Result<MetadataLog, FileError> {
    let segments = segments(folder)?;
    let mut log = MetadataLog::default();
    if segments.first().is_none_or(|(base, _)| *base > 0)
        && let Some(snapshot) = newest_snapshot(folder)?
    {
        log.add(&snapshot)?;
    }
    for (_, path) in &segments {
        log.add(path)?;
    }
    Ok(log)
}

fn newest_snapshot(folder: &Path) -> Result<Option<PathBuf>, FileError> {
    let mut newest: Option<((u64, u64), PathBuf)> = None;
    for entry in fs::read_dir(folder).map_err(unread(folder))? {
        let path = entry.map_err(unread(folder))?.path();
        let name = path.file_name().and_then(|n| n.to_str()).and_then(|n| n.strip_suffix(".checkpoint"));
        let numbers = name.and_then(|n| n.split_once('-')).and_then(|(o, e)| Some((o.parse().ok()?, e.parse().ok()?)));
        if let Some(numbers) = numbers.filter(|n| newest.as_ref().is_none_or(|(old, _)| old < n)) {
            newest = Some((numbers, path));
        }
    }
    Ok(newest.map(|(_, path)| path))
}

impl MetadataLog {
    fn add(&mut self, path: &Path) -> Result<(), FileError> {
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut segment = SegmentReader::open(path)?;
        while let Some(next) = segment.step()? {
            let (at, header, bytes) = match next {
                Next::Batch(at, header, bytes) => (at, header, bytes),
                Next::Flaw(at, flaw) => {
                    self.flaws.push((file.clone(), at, flaw));
                    break;
                }
            };
            if !header.holds(bytes) {
                self.flaws.push((file.clone(), at, Flaw::BadCrc));
            } else if !header.is_control() && self.batch(&file, &header, bytes).is_none() {
                self.flaws.push((file.clone(), at, Flaw::BadRecords));
            }
        }
        Ok(())
    }

    fn batch(&mut self, file: &str, header: &batch::Header, bytes: &[u8]) -> Option<()> {
        let body = &bytes[batch::HEADER_BYTES..];
        records::each(body, header.codec(), header.count, |one| match record::parse(one.value) {
            Some(record) => self.records.push(Logged {
                offset: header.base + i64::from(one.offset_delta),
                epoch: header.epoch.0,
                wall_ms: header.base_timestamp.saturating_add(one.timestamp_delta),
                file: file.to_owned(),
                record,
            }),
            None => self.unknown += 1,
        })
    }
}
