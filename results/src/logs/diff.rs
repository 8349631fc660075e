//! Where replicas of one log differ. Healthy replicas of a batch are byte for byte the same, so a batch is known by its
//! offsets, its epoch and its checksum, which is checked.
//!
//! A replica that ends earlier is behind, not different. What differs below every replica's high watermark was committed.

use crate::file::FileError;
use crate::replicas::reader::{Next, SegmentReader};
use crate::replicas::{Notes, checkpoint, segments};
use history::{EpochStart, Offset};
use std::path::Path;

/// A batch as it is compared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Batch {
    /// Its first offset.
    pub base: i64,
    /// One past its last.
    pub end: i64,
    /// The reign it was appended in.
    pub epoch: i32,
    /// Its checksum.
    pub crc: u32,
    /// False if the checksum does not hold.
    pub valid: bool,
}

/// One replica of a log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Replica {
    /// As the user calls it.
    pub name: String,
    /// First offset kept.
    pub start: i64,
    /// One past the last offset.
    pub end: i64,
    /// The checkpointed high watermark.
    pub high_watermark: Option<Offset>,
    /// The epoch file's lines.
    pub epochs: Vec<EpochStart>,
    /// Its batches, in the order of the files.
    pub batches: Vec<Batch>,
    /// Places that are no whole batch.
    pub flaws: u64,
}

/// The first offset at which a replica differs from another.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Difference {
    /// Whose.
    pub replica: String,
    /// From whom.
    pub from: String,
    /// Where.
    pub offset: i64,
    /// What stands there on each.
    pub has: [Option<Batch>; 2],
}

/// Replicas of one log, compared.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Comparison {
    /// `TOPIC-PARTITION`.
    pub log: String,
    /// Every replica, in the order given.
    pub replicas: Vec<Replica>,
    /// For each replica but the longest: its first difference from that one, if there is any.
    pub differences: Vec<Difference>,
}

/// Compares the replicas of `log` in these data folders, by name; one without the log is left out.
pub fn compare(log: &str, replicas: &[(String, &Path)]) -> Result<Comparison, FileError> {
    let mut read = Vec::new();
    for (name, data) in replicas {
        if data.join(log).is_dir() {
            read.push(replica(log, name, data)?);
        }
    }
    let longest = read.iter().max_by_key(|r| r.end);
    let others = read.iter().filter(|r| longest.is_some_and(|l| l.name != r.name));
    let differences = longest.map_or_else(Vec::new, |l| others.filter_map(|r| difference(r, l)).collect());
    Ok(Comparison { log: log.to_owned(), replicas: read, differences })
}

impl Comparison {
    /// The offset below which every replica that tells says that it is committed.
    pub fn committed(&self) -> Option<i64> {
        self.replicas.iter().filter_map(|r| r.high_watermark).map(|hw| hw.0).min()
    }

    /// The first offset at which committed records differ; any offset, where no high watermark is told.
    pub fn diverged(&self) -> Option<i64> {
        let first = self.differences.iter().map(|d| d.offset).min()?;
        self.committed().is_none_or(|committed| first < committed).then_some(first)
    }
}

fn replica(log: &str, name: &str, data: &Path) -> Result<Replica, FileError> {
    let mut notes = Notes::of(data);
    let folder = data.join(log);
    let watermarks = checkpoint::offsets(&data.join("replication-offset-checkpoint"), &mut notes)?;
    let epochs = checkpoint::epochs(&folder.join("leader-epoch-checkpoint"), &mut notes)?;
    let segments = segments(&folder)?;
    let start = segments.first().map_or(0, |(base, _)| *base);
    let high_watermark = watermarks.get(log).copied();
    let (name, flaws) = (name.to_owned(), 0);
    let mut replica = Replica { name, start, end: start, high_watermark, epochs, batches: Vec::new(), flaws };
    for (base, path) in segments {
        replica.end = replica.end.max(base);
        let mut reader = SegmentReader::open(&path)?;
        while let Some(next) = reader.step()? {
            match next {
                Next::Batch(_, header, bytes) => {
                    let (epoch, crc, valid) = (header.epoch.0, header.crc, header.holds(bytes));
                    let end = header.end().0;
                    replica.flaws += u64::from(!valid);
                    replica.end = replica.end.max(end);
                    replica.batches.push(Batch { base: header.base, end, epoch, crc, valid });
                }
                Next::Flaw(..) => replica.flaws += 1,
            }
        }
    }
    Ok(replica)
}

impl Replica {
    /// The batch that holds an offset.
    pub fn at(&self, offset: i64) -> Option<Batch> {
        let next = self.batches.partition_point(|b| b.base <= offset);
        self.batches.get(next.checked_sub(1)?).copied().filter(|b| offset < b.end)
    }
}

/// The first offset that both should have and where they do not have the same.
fn difference(replica: &Replica, from: &Replica) -> Option<Difference> {
    let (start, end) = (replica.start.max(from.start), replica.end.min(from.end));
    let mut edges: Vec<i64> = replica.batches.iter().chain(&from.batches).flat_map(|b| [b.base, b.end]).collect();
    edges.push(start);
    edges.retain(|edge| (start..end).contains(edge));
    edges.sort_unstable();
    edges.dedup();
    let offset = edges.into_iter().find(|edge| replica.at(*edge) != from.at(*edge))?;
    let has = [replica.at(offset), from.at(offset)];
    Some(Difference { replica: replica.name.clone(), from: from.name.clone(), offset, has })
}
