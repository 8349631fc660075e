//! Opening a log: trusting what was synced, validating the rest, and saying what was found.

use super::batch::{BatchError, Header};
use super::checkpoint::{self, LEADER_EPOCH_FILE};
use super::compact;
use super::epochs::EpochCache;
use super::index::remove_if_there;
use super::producers::Producers;
use super::reader::{WALK_BYTES, WalkError};
use super::scan::Scan;
use super::{Log, LogConfig, LogError, Offset};
use crate::bugs::Bug;
use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::path::Path;

/// How the broker that last wrote the log stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// In order: `.kafka_cleanshutdown` was there.
    Clean,
    /// By a kill, a crash or a power cut.
    Unclean,
}

/// What is known of a log from the checkpoints of its folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opening {
    /// How it was left.
    pub stop: Stop,
    /// Everything below has been synced; `Offset(0)` if nothing is known.
    pub recovery_point: Offset,
    /// Records below have been deleted; `Offset(0)` if nothing is known.
    pub log_start: Offset,
    /// Records below are replicated; `Offset(0)` if nothing is known. Transactions decided above it are not yet final.
    pub high_watermark: Offset,
    /// The clock, milliseconds since 1970.
    pub now_ms: i64,
}

/// A tail removed on opening.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// End of the log after the cut.
    pub end: Offset,
    /// Base offset of the segment cut.
    pub segment: Offset,
    /// Size of that segment's file before.
    pub from_bytes: u64,
    /// Size of that segment's file after.
    pub to_bytes: u64,
    /// Bytes removed with the segments after it.
    pub later_bytes: u64,
    /// What was wrong with the first batch cut off.
    pub why: Damage,
}

/// What makes a batch on disk unacceptable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// No valid batch.
    #[error(transparent)]
    Batch(#[from] BatchError),
    /// A valid batch whose offsets do not follow.
    #[error("batch starts at {found} where {expected} or more must follow")]
    Offset {
        /// Offset after the batch before it.
        expected: Offset,
        /// Its base offset.
        found: Offset,
    },
    /// A batch further into its file than an index can say.
    #[error("batch at byte {position}, beyond the largest segment")]
    TooFar {
        /// Where it begins.
        position: u64,
    },
}

/// Something worth knowing about a log that was opened, other than a cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// The indexes of a segment below the recovery point were missing or unfit and have been rebuilt.
    IndexRebuilt {
        /// Base offset.
        segment: Offset,
        /// What was wrong.
        why: &'static str,
    },
    /// A segment that is not the last has a batch that cannot be read; it was synced once and is left as it is, and
    /// reads that come to it are refused.
    Damaged {
        /// Base offset.
        segment: Offset,
        /// Where in its file.
        position: u64,
        /// What is wrong there.
        why: Damage,
    },
    /// Offsets that no segment holds: a segment is gone, or compaction emptied its end.
    Gap {
        /// End of the segment before.
        from: Offset,
        /// Base of the segment after.
        to: Offset,
    },
    /// The leader epochs were rebuilt from the batches.
    EpochsRebuilt {
        /// What was wrong with the checkpoint.
        why: String,
    },
    /// The log ended before the start it should have: it was emptied and begins there.
    Restarted {
        /// End of the log found.
        end: Offset,
        /// Where it begins now.
        start: Offset,
    },
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Finding::IndexRebuilt { segment, why } => write!(f, "segment {segment} indexed anew: {why}"),
            Finding::Damaged { segment, position, why } => {
                write!(f, "segment {segment} damaged at byte {position}: {why}")
            }
            Finding::Gap { from, to } => write!(f, "no segment holds offsets {from} to {to}"),
            Finding::EpochsRebuilt { why } => write!(f, "leader epochs read off the batches: {why}"),
            Finding::Restarted { end, start } => write!(f, "emptied to begin at {start}: the log ended at {end}"),
        }
    }
}

/// What opening a log found and did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Segments read batch by batch.
    pub scanned_segments: u32,
    /// Their bytes.
    pub scanned_bytes: u64,
    /// The tail removed, if one was.
    pub cut: Option<Cut>,
    /// Anything else.
    pub findings: Vec<Finding>,
}

impl Log {
    /// Opens the log in `dir`, which is created if it is not there.
    ///
    /// After a clean stop everything is trusted that fits together. After an unclean one every segment that reaches
    /// above the recovery point is validated batch by batch, cut at the first bad one, and indexed anew.
    ///
    /// # Errors
    /// [`LogError`] if the disk fails; damage is never an error, it is cut, rebuilt or reported.
    pub fn open(dir: &Path, config: LogConfig, opening: Opening) -> Result<(Log, Recovery), LogError> {
        fs::create_dir_all(dir).map_err(LogError::io("create", dir))?;
        compact::finish(dir)?;
        let mut scan = Scan::new(dir, &config, opening);
        let found = files(dir)?;
        scan.segments(&found.bases)?;
        let (segments, rescanned_from, recovery) = scan.finish()?;
        let mut log = Log {
            start: opening.log_start.max(segments.first_base()),
            recovery_point: opening.recovery_point,
            high_watermark: opening.high_watermark,
            config,
            segments,
            epochs: EpochCache::default(),
            producers: Producers::default(),
            snapshots: found.snapshots,
            flushed_ms: opening.now_ms,
            clean_until: Offset(0),
            truncations: 0,
            dir_changes: 1,
            dir_synced: 0,
            failed: false,
        };
        let recovery = log.settle(opening, rescanned_from, recovery)?;
        Ok((log, recovery))
    }

    /// Brings everything beside the segments in step with them.
    fn settle(
        &mut self,
        opening: Opening,
        rescanned_from: Option<Offset>,
        mut recovery: Recovery,
    ) -> Result<Recovery, LogError> {
        let end = self.end_offset();
        if self.start > end {
            recovery.findings.push(Finding::Restarted { end, start: self.start });
            self.truncate_fully_and_start_at(self.start)?;
            return Ok(recovery);
        }
        let trusted = opening.stop == Stop::Clean && recovery.cut.is_none() && rescanned_from.is_none();
        self.recovery_point = if trusted { end } else { opening.recovery_point.min(end) };
        recovery.findings.extend(self.load_epochs()?);
        let known_until = rescanned_from.unwrap_or(end).min(end);
        self.drop_snapshots_above(known_until)?;
        self.load_producers(known_until)?;
        if self.config.bugs.has(Bug::DedupLostOnRestart) {
            self.producers.expire(i64::MAX, 0);
        }
        self.producers.expire(opening.now_ms, self.config.producer_id_expiration_ms);
        self.drop_stray_snapshots()?;
        self.segments.seal_closed()?;
        Ok(recovery)
    }

    /// Reads the epoch checkpoint, or the epochs off the batches if it is unfit or contradicts them.
    fn load_epochs(&mut self) -> Result<Option<Finding>, LogError> {
        let path = self.dir().join(LEADER_EPOCH_FILE);
        let written = checkpoint::read_epochs(&path);
        let entries = written.as_ref().ok().and_then(Option::as_deref).unwrap_or_default();
        self.epochs = EpochCache::new(entries.iter().copied());
        let mut changed = self.epochs.truncate_end(self.end_offset());
        changed |= self.epochs.truncate_start(self.start);
        let why = match written {
            Err(error) => Some(error.to_string()),
            Ok(None) if self.segments.size() > 0 => Some("no leader-epoch-checkpoint".to_owned()),
            Ok(_) => self.contradiction()?.map(str::to_owned),
        };
        if why.is_some() {
            self.rebuild_epochs()?;
        }
        if changed || why.is_some() {
            self.write_epochs()?;
        }
        Ok(why.map(|why| Finding::EpochsRebuilt { why }))
    }

    /// Whether the epochs of the first and the last batch are not those of the checkpoint.
    fn contradiction(&self) -> Result<Option<&'static str>, LogError> {
        let fits = |batch: Header| {
            let visible_from = batch.base_offset.max(self.start);
            visible_from > batch.last_offset() || batch.leader_epoch() == self.epochs.epoch_at(visible_from)
        };
        if !self.header_at(self.start)?.is_none_or(fits) {
            return Ok(Some("the first batch is of another epoch"));
        }
        let last = self.header_at(self.end_offset().plus(-1))?;
        Ok((!last.is_none_or(fits)).then_some("the last batch is of another epoch"))
    }

    fn header_at(&self, offset: Offset) -> Result<Option<Header>, LogError> {
        for segment in self.segments.from(offset) {
            match segment.locate(offset) {
                Ok(Some(found)) => return Ok(Some(found.header)),
                Ok(None) | Err(WalkError::Batch(_)) => {}
                Err(WalkError::Storage(error)) => return Err(error),
            }
        }
        Ok(None)
    }

    fn rebuild_epochs(&mut self) -> Result<(), LogError> {
        self.epochs.clear();
        for segment in self.segments.from(self.start) {
            let mut reader = segment.reader(0, WALK_BYTES);
            while let Some(header) = reader.header_before_damage()? {
                if let Some(epoch) = header.leader_epoch() {
                    self.epochs.assign(epoch, header.base_offset);
                }
                reader.skip(&header);
            }
        }
        self.epochs.truncate_start(self.start);
        Ok(())
    }
}

/// The files of a log's folder that have an offset for a name.
#[derive(Debug, Default)]
struct Files {
    bases: BTreeSet<Offset>,
    snapshots: BTreeSet<Offset>,
}

/// Lists the folder. Indexes without a log are left behind by a deletion that a crash interrupted, and go; files of
/// any other name are not ours.
fn files(dir: &Path) -> Result<Files, LogError> {
    let mut files = Files::default();
    let mut indexes = Vec::new();
    for entry in fs::read_dir(dir).map_err(LogError::io("list", dir))? {
        let path = entry.map_err(LogError::io("list", dir))?.path();
        let Some((offset, extension)) = parse_name(&path) else { continue };
        match extension {
            "log" => drop(files.bases.insert(offset)),
            "snapshot" => drop(files.snapshots.insert(offset)),
            "index" | "timeindex" | "txnindex" => indexes.push((offset, path)),
            _ => {}
        }
    }
    let orphans = indexes.iter().filter(|(offset, _)| !files.bases.contains(offset));
    orphans.into_iter().try_for_each(|(_, path)| remove_if_there(path))?;
    Ok(files)
}

fn parse_name(path: &Path) -> Option<(Offset, &str)> {
    let (stem, extension) = (path.file_stem()?.to_str()?, path.extension()?.to_str()?);
    let digits = stem.len() == 20 && stem.bytes().all(|byte| byte.is_ascii_digit());
    let offset = stem.parse().ok().filter(|_| digits)?;
    Some((Offset(offset), extension))
}
