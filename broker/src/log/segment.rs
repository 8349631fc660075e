//! One segment: a file of batches with its indexes.
//!
//! **Invariants.** A segment's file holds whole batches from 0 to `size`, offsets growing, none below `base`. The
//! file is written only at `size`, in one write per append. An index entry names the last offset of a batch and where
//! that batch begins, as in Kafka.

use super::batch::Header;
use super::index::{Entry, Index, OffsetEntry, TimeEntry, remove_if_there};
use super::reader::{Reader, WALK_BYTES, WalkError};
use super::transactions::AbortedTransaction;
use super::{LogError, Offset};
use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where a batch begins, and its header.
#[derive(Clone, Copy, Debug)]
pub(super) struct Located {
    pub position: u64,
    pub header: Header,
}

/// The largest timestamp of a segment and the last offset of the first batch that has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Largest {
    pub timestamp_ms: i64,
    pub offset: Offset,
}

#[derive(Debug)]
pub(super) struct Segment {
    base: Offset,
    end: Offset,
    path: PathBuf,
    file: Arc<File>,
    size: u64,
    pub offsets: Index<OffsetEntry>,
    pub times: Index<TimeEntry>,
    pub aborted: Index<AbortedTransaction>,
    largest: Option<Largest>,
    first_timestamp_ms: Option<i64>,
    unindexed_bytes: u64,
    /// Counts what was written to the segment's files.
    writes: u64,
    /// The count at which they were last synced.
    synced_writes: u64,
}

/// The name of a segment's file, with an extension and without a dot.
pub(super) fn file_path(dir: &Path, base: Offset, extension: &str) -> PathBuf {
    dir.join(format!("{:020}.{extension}", base.0))
}

impl Segment {
    /// A new, empty segment in `dir`; files of that name lose their content.
    pub fn create(dir: &Path, base: Offset) -> Result<Segment, LogError> {
        let segment = Segment::open(dir, base)?;
        segment.file.set_len(0).map_err(LogError::io("truncate", &segment.path))?;
        Ok(Segment { size: 0, ..segment })
    }

    /// The segment as its file is, with empty indexes and nothing known of its content yet.
    pub fn open(dir: &Path, base: Offset) -> Result<Segment, LogError> {
        let path = file_path(dir, base, "log");
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(LogError::io("open", &path))?;
        let size = file.metadata().map_err(LogError::io("examine", &path))?.len();
        Ok(Segment {
            base,
            end: base,
            path,
            file: Arc::new(file),
            size,
            offsets: Index::empty(file_path(dir, base, "index")),
            times: Index::empty(file_path(dir, base, "timeindex")),
            aborted: Index::empty(file_path(dir, base, "txnindex")),
            largest: None,
            first_timestamp_ms: None,
            unindexed_bytes: 0,
            writes: 1,
            synced_writes: 0,
        })
    }

    pub fn base(&self) -> Offset {
        self.base
    }

    /// Offset after the last record.
    pub fn end(&self) -> Offset {
        self.end
    }

    pub fn size(&self) -> u64 {
        self.size
    }

    /// Bytes of the larger one of the offset and the time index, as on disk.
    pub fn index_bytes(&self) -> u64 {
        let (offsets, times) = (self.offsets.len() * OffsetEntry::BYTES, self.times.len() * TimeEntry::BYTES);
        offsets.max(times) as u64
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn file(&self) -> &Arc<File> {
        &self.file
    }

    pub fn largest(&self) -> Option<Largest> {
        self.largest
    }

    /// Timestamp of the first batch: the segment's age counts from it.
    pub fn first_timestamp_ms(&self) -> Option<i64> {
        self.first_timestamp_ms
    }

    /// The number of writes that a sync beginning now covers, if there are any that none has covered.
    pub fn unsynced_writes(&self) -> Option<u64> {
        (self.writes != self.synced_writes).then_some(self.writes)
    }

    /// A sync has covered the first `writes` writes.
    pub fn set_synced(&mut self, writes: u64) {
        self.synced_writes = self.synced_writes.max(writes);
    }

    /// The files are as they were when they were last synced.
    pub fn trust_synced(&mut self) {
        self.synced_writes = self.writes;
    }

    /// A cursor over the segment's batches from `position` on.
    pub fn reader(&self, position: u64, chunk_bytes_max: usize) -> Reader<'_> {
        Reader::new(&self.file, &self.path, position..self.size, chunk_bytes_max)
    }

    /// Writes batches at the end of the file, in one write, and indexes them.
    pub fn append(&mut self, bytes: &[u8], headers: &[Header], index_interval_bytes: u32) -> Result<(), LogError> {
        if let Err(source) = self.file.write_all_at(bytes, self.size) {
            // Whatever part was written lies behind the end; removing it is for the reader of the files only.
            let _ = self.file.set_len(self.size);
            return Err(LogError::io("append to", &self.path)(source));
        }
        self.writes += 1;
        for header in headers {
            let position = self.size;
            self.size += header.size() as u64;
            self.note(header, position, index_interval_bytes)?;
        }
        Ok(())
    }

    /// Takes note of the batch at `position`, which is the next one: the end, the timestamps, the indexes.
    pub fn note(&mut self, header: &Header, position: u64, index_interval_bytes: u32) -> Result<(), LogError> {
        self.observe(header);
        if self.unindexed_bytes > u64::from(index_interval_bytes) {
            if let (Some(relative), Ok(position)) = (self.relative(header.last_offset()), u32::try_from(position)) {
                self.offsets.push(OffsetEntry { relative, position })?;
            }
            self.index_largest()?;
            self.unindexed_bytes = 0;
        }
        self.unindexed_bytes += header.size() as u64;
        Ok(())
    }

    /// Takes note of the next batch without indexing it.
    pub fn observe(&mut self, header: &Header) {
        self.end = header.next_offset();
        self.first_timestamp_ms.get_or_insert(header.max_timestamp);
        let timestamp_ms = header.max_timestamp;
        if timestamp_ms >= 0 && self.largest.is_none_or(|largest| timestamp_ms > largest.timestamp_ms) {
            self.largest = Some(Largest { timestamp_ms, offset: header.last_offset() });
        }
    }

    fn index_largest(&mut self) -> Result<(), LogError> {
        let Some(largest) = self.largest else { return Ok(()) };
        let newer = self.times.last()?.is_none_or(|last| last.timestamp_ms < largest.timestamp_ms);
        match self.relative(largest.offset) {
            Some(relative) if newer => self.times.push(TimeEntry { timestamp_ms: largest.timestamp_ms, relative }),
            _ => Ok(()),
        }
    }

    fn relative(&self, offset: Offset) -> Option<u32> {
        u32::try_from(offset.0 - self.base.0).ok()
    }

    fn absolute(&self, relative: u32) -> Offset {
        self.base.plus(i64::from(relative))
    }

    /// Whether a batch ending at `last` can be indexed here: relative offsets have 31 bits.
    pub fn can_hold(&self, last: Offset) -> bool {
        last.0 - self.base.0 <= i64::from(i32::MAX)
    }

    /// Starts from what the indexes say, without reading the batches they cover. The caller reads on from the
    /// position returned, which is that of the last batch indexed.
    pub fn resume(&mut self, offsets: Index<OffsetEntry>, times: Index<TimeEntry>) -> Result<u64, LogError> {
        let position = offsets.last()?.map_or(0, |entry| u64::from(entry.position));
        self.largest =
            times.last()?.map(|last| Largest { timestamp_ms: last.timestamp_ms, offset: self.absolute(last.relative) });
        (self.offsets, self.times) = (offsets, times);
        self.unindexed_bytes = self.size - position.min(self.size);
        Ok(position)
    }

    /// Sets the timestamp the segment's age counts from, if it is not known.
    pub fn set_first_timestamp(&mut self, first_timestamp_ms: i64) {
        self.first_timestamp_ms = Some(first_timestamp_ms);
    }

    /// The segment ends at `end` whatever its batches say: it is damaged, and the next one begins there.
    pub fn set_end(&mut self, end: Offset) {
        self.end = end;
    }

    /// The first batch whose last offset is at or above `target`.
    pub fn locate(&self, target: Offset) -> Result<Option<Located>, WalkError> {
        if target >= self.end {
            return Ok(None);
        }
        let relative = self.relative(target).unwrap_or(0);
        let above = self.offsets.partition_point(|entry| entry.relative < relative)?;
        if let Some(entry) = self.offsets.get(above)? {
            let position = u64::from(entry.position);
            if let Ok(Some(header)) = self.reader(position, WALK_BYTES).header()
                && header.base_offset <= target
                && header.last_offset() >= target
            {
                return Ok(Some(Located { position, header }));
            }
        }
        let below = above.checked_sub(1).map_or(Ok(None), |at| self.offsets.get(at))?;
        let from = below.map_or(0, |entry| u64::from(entry.position));
        match self.walk_to(target, from) {
            Ok(Some(found)) if found.position == from && found.header.base_offset > target => self.walk_to(target, 0),
            Err(WalkError::Batch(_)) if from > 0 => self.walk_to(target, 0),
            result => result,
        }
    }

    fn walk_to(&self, target: Offset, position: u64) -> Result<Option<Located>, WalkError> {
        let mut reader = self.reader(position, WALK_BYTES);
        while let Some(header) = reader.header()? {
            if header.last_offset() >= target {
                return Ok(Some(Located { position: reader.position(), header }));
            }
            reader.skip(&header);
        }
        Ok(None)
    }

    /// A position behind which no batch with an offset below `bound` begins.
    pub fn position_bound(&self, bound: Offset) -> Result<u64, LogError> {
        let Some(relative) = self.relative(bound) else { return Ok(self.size) };
        let at = self.offsets.partition_point(|entry| entry.relative < relative)?;
        match self.offsets.get(at)? {
            Some(entry) => Ok(self.size.min(u64::from(entry.position))),
            None => Ok(self.size),
        }
    }

    /// Where the last whole batch ends that begins at or behind `first`, ends at or before `before` and has no offset at or past
    /// `bound`. The batches in between that the index knows are not looked at; damage is the end.
    pub fn whole_before(&self, first: &Located, before: u64, bound: Offset) -> Result<u64, LogError> {
        let below = |entry: OffsetEntry| u64::from(entry.position) <= before && self.absolute(entry.relative) < bound;
        let known = self.offsets.partition_point(|entry| below(*entry))?;
        let known = known.checked_sub(1).map_or(Ok(None), |at| self.offsets.get(at))?;
        let from = known.map_or(first.position, |entry| u64::from(entry.position).max(first.position));
        let mut reader = self.reader(from, WALK_BYTES);
        while let Some(header) = reader.header_before_damage()? {
            if header.last_offset() >= bound || reader.position() + header.size() as u64 > before {
                break;
            }
            reader.skip(&header);
        }
        Ok(reader.position())
    }

    /// Where to start looking for timestamps from `timestamp_ms` on: every batch before is older.
    pub fn position_of_timestamp(&self, timestamp_ms: i64) -> Result<u64, LogError> {
        let above = self.times.partition_point(|entry| entry.timestamp_ms < timestamp_ms)?;
        let Some(entry) = above.checked_sub(1).map_or(Ok(None), |at| self.times.get(at))? else { return Ok(0) };
        let above = self.offsets.partition_point(|offset| offset.relative <= entry.relative)?;
        let offset = above.checked_sub(1).map_or(Ok(None), |at| self.offsets.get(at))?;
        Ok(offset.map_or(0, |offset| u64::from(offset.position)))
    }

    /// Bytes from `position` on, exactly `len` of them.
    pub fn read_exact(&self, position: u64, len: usize) -> Result<Vec<u8>, LogError> {
        let mut bytes = vec![0; len];
        self.file.read_exact_at(&mut bytes, position).map_err(LogError::io("read", &self.path))?;
        Ok(bytes)
    }

    /// Cuts the file at `position`, where a batch begins (or a bad one did), and the indexes with it. `end` is the
    /// new end.
    pub fn cut(&mut self, position: u64, end: Offset) -> Result<(), LogError> {
        self.file.set_len(position).map_err(LogError::io("truncate", &self.path))?;
        self.writes += 1;
        self.size = position;
        self.end = end;
        let relative = self.relative(end).unwrap_or(0);
        let offsets =
            self.offsets.partition_point(|entry| entry.relative < relative && u64::from(entry.position) < position)?;
        let times = self.times.partition_point(|entry| entry.relative < relative)?;
        let aborted = self.aborted.partition_point(|entry| entry.last < end)?;
        self.offsets.truncate(offsets)?;
        self.times.truncate(times)?;
        self.aborted.truncate(aborted)?;
        self.recount()
    }

    /// Cuts where the batches cease to make sense, at the latest before the one that holds `target`.
    pub fn cut_at_damage(&mut self, target: Offset) -> Result<(), LogError> {
        let mut end = self.base;
        let mut reader = self.reader(0, WALK_BYTES);
        while let Some(header) = reader.header_before_damage()?.filter(|header| header.last_offset() < target) {
            end = header.next_offset();
            reader.skip(&header);
        }
        let position = reader.position();
        self.cut(position, end)
    }

    /// Derives what is kept in memory from the indexes and the batches behind them.
    fn recount(&mut self) -> Result<(), LogError> {
        self.largest = self
            .times
            .last()?
            .map(|last| Largest { timestamp_ms: last.timestamp_ms, offset: self.absolute(last.relative) });
        let position = self.offsets.last()?.map_or(0, |entry| u64::from(entry.position));
        self.unindexed_bytes = self.size - position;
        let (mut seen, mut reader) = (Vec::new(), self.reader(position, WALK_BYTES));
        while let Some(header) = reader.header_before_damage()? {
            seen.push(header);
            reader.skip(&header);
        }
        let end = self.end;
        seen.iter().for_each(|header| self.observe(header));
        self.end = end;
        if self.size == 0 {
            self.first_timestamp_ms = None;
        }
        Ok(())
    }

    /// Closes the segment for appending: the indexes go to disk and out of memory.
    pub fn seal(&mut self) -> Result<(), LogError> {
        self.writes += 1;
        self.index_largest()?;
        self.offsets.store()?;
        self.times.store()?;
        if self.aborted.len() == 0 { self.aborted.remove() } else { self.aborted.store() }
    }

    /// Whether the indexes are on disk.
    pub fn is_sealed(&self) -> bool {
        self.offsets.file().is_some()
    }

    /// The files to sync, with their paths.
    pub fn files(&self) -> impl Iterator<Item = (&Path, &Arc<File>)> {
        let indexes = [self.offsets.file(), self.times.file(), self.aborted.file()];
        std::iter::once((self.path(), &self.file)).chain(indexes.into_iter().flatten())
    }

    /// Removes the segment's files.
    pub fn remove_files(&self) -> Result<(), LogError> {
        remove_if_there(&self.path)?;
        self.offsets.remove()?;
        self.times.remove()?;
        self.aborted.remove()
    }
}
