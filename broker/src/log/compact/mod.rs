//! Compaction: of all records with one key the last stays (`cleanup.policy=compact`).
//!
//! ```text
//! plan   under the log's lock    which closed segments, from where they are dirty
//! run    without it              the dirty part's keys, then every segment written anew into a folder beside
//! swap   under it again          new files for old ones, if those are still there
//! ```
//!
//! **Invariants.** The active segment, what is above the last stable offset, and what is younger than
//! `min.compaction.lag.ms` stay as they are. A crash at any moment leaves either the old files or the new ones: a file
//! named `.swap` is the promise that the old ones may go, and opening the log makes it good. Segments are joined only as
//! far as `segment.bytes` allows.

mod clean;
mod keys;

use super::batch::Batch;
use super::checkpoint::sync_dir;
use super::index::remove_if_there;
use super::reader::{Reader, SCAN_BYTES, WalkError};
use super::scan;
use super::segment::{Segment, file_path};
use super::{AbortedTransaction, AppendError, Log, LogConfig, LogError, Offset};
use clean::{Cleaner, Rules};
use keys::Keys;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use thiserror::Error;

/// The folder, in the log's, in which new segments are made.
const WORKSHOP: &str = "compacting";
const SWAP: &str = "swap";

/// Why a compaction was given up; the log is as it was.
#[derive(Debug, Error)]
pub enum CompactionError {
    /// A batch cannot be read.
    #[error("segment {segment}: {problem}")]
    Unreadable {
        /// Base offset.
        segment: Offset,
        /// What is wrong.
        problem: String,
    },
    /// The disk failed.
    #[error(transparent)]
    Storage(#[from] LogError),
}

/// A closed segment to be compacted.
#[derive(Clone, Debug)]
struct Source {
    base: Offset,
    end: Offset,
    size: u64,
    path: PathBuf,
    file: Arc<File>,
}

/// What is to be done. Needs no access to the log.
#[derive(Debug)]
pub struct Compaction {
    dir: PathBuf,
    sources: Vec<Source>,
    dirty_from: Offset,
    rules: Rules,
    config: LogConfig,
    truncations: u64,
}

/// Segments written anew, waiting to take the place of the old ones.
#[derive(Debug)]
pub struct Compacted {
    groups: Vec<Group>,
    clean_until: Offset,
    truncations: u64,
}

#[derive(Debug)]
struct Group {
    bases: Vec<Offset>,
    end: Offset,
}

/// What compactions of a log have done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compactions {
    /// From here on the log is dirty.
    pub clean_until: Offset,
    /// Bytes before.
    pub bytes_before: u64,
    /// Bytes after.
    pub bytes_after: u64,
}

impl Log {
    /// First offset that no compaction has seen (`cleaner-offset-checkpoint`).
    #[must_use]
    pub fn clean_until(&self) -> Offset {
        self.clean_until.max(self.start).min(self.end_offset())
    }

    /// Takes over from the checkpoint what compactions before the start have seen.
    pub fn set_clean_until(&mut self, clean_until: Offset) {
        self.clean_until = clean_until;
    }

    /// A compaction, if the topic wants it and enough of the log below `stable` is dirty.
    ///
    /// # Errors
    /// [`LogError`] if an index of aborted transactions cannot be read.
    pub fn compaction_due(&self, now_ms: i64, stable: Offset) -> Result<Option<Compaction>, LogError> {
        let settings = self.config.compaction;
        let dirty_from = self.clean_until();
        let closed = self.segments.closed().iter();
        let sources: Vec<&Segment> = closed.take_while(|segment| self.is_cleanable(segment, now_ms, stable)).collect();
        let dirty = sources.iter().filter(|segment| segment.end() > dirty_from);
        let dirty_bytes: u64 = dirty.clone().map(|segment| segment.size()).sum();
        let all_bytes: u64 = sources.iter().map(|segment| segment.size()).sum();
        let enough = u128::from(dirty_bytes) * 1_000_000 > u128::from(all_bytes) * u128::from(settings.dirty_ppm_min);
        let overdue = dirty.filter_map(|segment| segment.first_timestamp_ms()).min();
        let overdue = overdue.is_some_and(|first| now_ms.saturating_sub(first) > settings.lag_ms_max);
        if !self.config.cleanup.compact || dirty_bytes == 0 || !(enough || overdue) {
            return Ok(None);
        }
        let rules = self.cleaning_rules(now_ms, sources.last().map_or(dirty_from, |last| last.end()))?;
        let sources = sources.into_iter().map(Source::of).collect();
        let (dir, config, truncations) = (self.dir().to_path_buf(), self.config.clone(), self.truncations);
        Ok(Some(Compaction { dir, sources, dirty_from, rules, config, truncations }))
    }

    fn is_cleanable(&self, segment: &Segment, now_ms: i64, stable: Offset) -> bool {
        let lag_ms = self.config.compaction.lag_ms_min;
        let youngest_ms = segment.largest().map(|largest| largest.timestamp_ms);
        let young = lag_ms > 0 && youngest_ms.is_some_and(|time| time > now_ms.saturating_sub(lag_ms));
        segment.end() <= stable && !young
    }

    fn cleaning_rules(&self, now_ms: i64, end: Offset) -> Result<Rules, LogError> {
        let last = |(id, producer): (_, &super::producers::Producer)| {
            Some((id, producer.recent.as_slice().last()?.last_offset))
        };
        Ok(Rules {
            now_ms,
            delete_retention_ms: self.config.compaction.delete_retention_ms,
            aborted: self.aborted_transactions(self.segments.first_base(), end)?,
            last_of_producers: self.producers().filter_map(last).collect(),
            bugs: self.config.bugs,
        })
    }

    /// Puts the new segments in the place of the old ones; nothing if the log was cut or shortened meanwhile.
    ///
    /// # Errors
    /// [`LogError`]: fatal for the folder.
    pub fn compacted(&mut self, done: &Compacted) -> Result<Option<Compactions>, LogError> {
        let bytes_before = self.size_bytes();
        let closed: BTreeSet<Offset> = self.segments.closed().iter().map(Segment::base).collect();
        let all_there = done.groups.iter().flat_map(|group| &group.bases).all(|base| closed.contains(base));
        if done.truncations != self.truncations || !all_there {
            remove_workshop(self.dir())?;
            return Ok(None);
        }
        for group in &done.groups {
            let segment = swap(self.dir(), group)?;
            self.segments.replace(&group.bases, segment);
        }
        self.dir_changes += 1;
        self.clean_until = done.clean_until;
        self.drop_stray_snapshots()?;
        remove_workshop(self.dir())?;
        let (clean_until, bytes_after) = (self.clean_until, self.size_bytes());
        Ok(Some(Compactions { clean_until, bytes_before, bytes_after }))
    }
}

impl Source {
    fn of(segment: &Segment) -> Source {
        Source {
            base: segment.base(),
            end: segment.end(),
            size: segment.size(),
            path: segment.path().to_path_buf(),
            file: Arc::clone(segment.file()),
        }
    }

    /// Hands every batch to `take` until it says that it has had enough.
    fn each(&self, mut take: impl FnMut(&Batch<'_>) -> Result<bool, CompactionError>) -> Result<bool, CompactionError> {
        let mut reader = Reader::new(&self.file, &self.path, 0..self.size, SCAN_BYTES);
        let mut bytes = Vec::new();
        while let Some(header) = reader.header().map_err(|error| self.unreadable(error))? {
            reader.read_batch(&header, &mut bytes)?;
            let batch = Batch::first(&bytes).map_err(|error| self.unreadable(error.into()))?;
            batch.check_crc().map_err(|error| self.unreadable(error.into()))?;
            if !take(&batch)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn unreadable(&self, error: WalkError) -> CompactionError {
        match error {
            WalkError::Storage(error) => CompactionError::Storage(error),
            WalkError::Batch(error) => CompactionError::Unreadable { segment: self.base, problem: error.to_string() },
        }
    }

    fn refused(&self, error: AppendError) -> CompactionError {
        CompactionError::Unreadable { segment: self.base, problem: error.to_string() }
    }
}

impl Compaction {
    /// Writes the new segments. Blocks; call it outside the lock.
    ///
    /// # Errors
    /// [`CompactionError`].
    pub fn run(&self) -> Result<Compacted, CompactionError> {
        let (keys, clean_until) = self.keys()?;
        let mut cleaner = Cleaner::new(&keys, &self.rules);
        let workshop = self.dir.join(WORKSHOP);
        remove_workshop(&self.dir)?;
        fs::create_dir(&workshop).map_err(LogError::io("create", &workshop))?;
        let mut groups = Vec::new();
        for sources in self.groups(clean_until) {
            groups.push(self.rewrite(&workshop, sources, &mut cleaner)?);
        }
        sync_dir(&workshop)?;
        Ok(Compacted { groups, clean_until, truncations: self.truncations })
    }

    /// The newest offsets of the keys in as much of the dirty part as memory is granted for, and where that ends.
    fn keys(&self) -> Result<(Keys, Offset), CompactionError> {
        let (mut keys, mut until) = (Keys::default(), self.dirty_from);
        for source in self.sources.iter().filter(|source| source.end > self.dirty_from) {
            let whole = source.each(|batch| {
                if batch.header.last_offset() >= self.dirty_from {
                    clean::learn(&mut keys, batch, &self.rules).map_err(|error| source.refused(error))?;
                }
                Ok(keys.bytes() <= self.config.compaction.keys_bytes_max)
            })?;
            if !whole && until > self.dirty_from {
                return Ok((keys, until));
            }
            until = source.end;
        }
        Ok((keys, until))
    }

    /// The segments below `clean_until`, joined as far as `segment.bytes` and the width of offsets allow.
    fn groups(&self, clean_until: Offset) -> Vec<&[Source]> {
        let count = self.sources.iter().take_while(|source| source.end <= clean_until).count();
        let (mut rest, mut groups) = (&self.sources[..count], Vec::new());
        while let Some(first) = rest.first() {
            let (mut bytes, mut joined) = (0, 0);
            for source in rest {
                bytes += source.size;
                let fits =
                    bytes <= u64::from(self.config.segment_bytes) && source.end.0 - first.base.0 <= i64::from(i32::MAX);
                if joined > 0 && !fits {
                    break;
                }
                joined += 1;
            }
            let (group, later) = rest.split_at(joined);
            groups.push(group);
            rest = later;
        }
        groups
    }

    fn rewrite(
        &self,
        workshop: &Path,
        sources: &[Source],
        cleaner: &mut Cleaner<'_>,
    ) -> Result<Group, CompactionError> {
        let (base, end) = (sources[0].base, sources[sources.len() - 1].end);
        let mut segment = Segment::create(workshop, base)?;
        for source in sources {
            source.each(|batch| {
                if let Some(bytes) = cleaner.clean(batch).map_err(|error| source.refused(error))? {
                    segment.append(&bytes, &clean::headers(&bytes), self.config.index_interval_bytes)?;
                }
                Ok(true)
            })?;
        }
        let within = |one: &&AbortedTransaction| (base..end).contains(&one.last);
        for aborted in self.rules.aborted.iter().filter(within) {
            segment.aborted.push(*aborted)?;
        }
        segment.seal()?;
        for (path, file) in segment.files() {
            file.sync_all().map_err(LogError::io("sync", path))?;
        }
        Ok(Group { bases: sources.iter().map(|source| source.base).collect(), end })
    }
}

/// Puts one new segment in the place of the old ones it holds.
fn swap(dir: &Path, group: &Group) -> Result<Segment, LogError> {
    let (base, workshop) = (group.bases[0], dir.join(WORKSHOP));
    let promise = file_path(dir, base, "log").with_added_extension(SWAP);
    rename(&file_path(&workshop, base, "log"), &promise)?;
    sync_dir(dir)?;
    for old in &group.bases {
        Segment::open(dir, *old)?.remove_files()?;
    }
    for extension in ["index", "timeindex", "txnindex"] {
        let made = file_path(&workshop, base, extension);
        if made.exists() {
            rename(&made, &file_path(dir, base, extension))?;
        }
    }
    rename(&promise, &file_path(dir, base, "log"))?;
    sync_dir(dir)?;
    let mut segment = Segment::open(dir, base)?;
    if scan::trust(dir, &mut segment)?.is_err() {
        segment = Segment::open(dir, base)?;
        scan::scan(&mut segment, LogConfig::default().index_interval_bytes)?;
        segment.seal()?;
    }
    segment.set_end(group.end);
    segment.trust_synced();
    Ok(segment)
}

/// Makes good what a crash interrupted: removes what was being made, and puts promised segments in place.
///
/// # Errors
/// [`LogError`].
pub(super) fn finish(dir: &Path) -> Result<(), LogError> {
    remove_workshop(dir)?;
    let (mut promised, mut bases) = (Vec::new(), Vec::new());
    for entry in fs::read_dir(dir).map_err(LogError::io("list", dir))? {
        let path = entry.map_err(LogError::io("list", dir))?.path();
        let base = |path: &Path| path.file_stem()?.to_str()?.parse().ok().map(Offset);
        match path.extension().and_then(|extension| extension.to_str()) {
            Some(SWAP) => promised.extend(base(&path.with_extension("")).map(|base| (base, path))),
            Some("log") => bases.extend(base(&path)),
            _ => {}
        }
    }
    for (base, promise) in promised {
        keep_promise(dir, base, &promise, &bases)?;
    }
    Ok(())
}

fn keep_promise(dir: &Path, base: Offset, promise: &Path, bases: &[Offset]) -> Result<(), LogError> {
    let file = File::open(promise).map_err(LogError::io("open", promise))?;
    let size = file.metadata().map_err(LogError::io("examine", promise))?.len();
    let (mut reader, mut end) = (Reader::new(&file, promise, 0..size, super::reader::WALK_BYTES), base.plus(1));
    while let Some(header) = reader.header_before_damage()? {
        end = header.next_offset();
        reader.skip(&header);
    }
    for old in bases.iter().filter(|old| (base..end).contains(old)) {
        Segment::open(dir, *old)?.remove_files()?;
    }
    for extension in ["index", "timeindex", "txnindex"] {
        remove_if_there(&file_path(dir, base, extension))?;
    }
    rename(promise, &file_path(dir, base, "log"))?;
    sync_dir(dir)
}

fn remove_workshop(dir: &Path) -> Result<(), LogError> {
    let workshop = dir.join(WORKSHOP);
    match fs::remove_dir_all(&workshop) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(LogError::io("remove", &workshop)(error)),
        _ => Ok(()),
    }
}

fn rename(from: &Path, to: &Path) -> Result<(), LogError> {
    fs::rename(from, to).map_err(LogError::io("rename", from))
}
