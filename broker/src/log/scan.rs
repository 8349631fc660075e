//! Finding out what a log's segment files hold: by their indexes where they can be trusted, batch by batch elsewhere.
//!
//! **Invariant:** a segment that was synced and is not the last is never cut, whatever is wrong with it: what follows
//! it was synced too.

use crate::bugs::Bug;

use super::index::{Index, OffsetEntry, TimeEntry};
use super::reader::{SCAN_BYTES, WALK_BYTES, WalkError};
use super::recovery::{Cut, Damage, Finding, Opening, Recovery, Stop};
use super::segment::{Segment, file_path};
use super::segments::Segments;
use super::transactions::AbortedTransaction;
use super::{LogConfig, LogError, Offset};
use std::collections::BTreeSet;
use std::path::Path;

/// What is wrong with an index, or with the batches that it leads to.
type Unfit = &'static str;

/// The opening of a log's segments, oldest first.
#[derive(Debug)]
pub(super) struct Scan<'a> {
    dir: &'a Path,
    config: &'a LogConfig,
    opening: Opening,
    segments: Vec<Segment>,
    rescanned_from: Option<Offset>,
    recovery: Recovery,
}

impl<'a> Scan<'a> {
    pub fn new(dir: &'a Path, config: &'a LogConfig, opening: Opening) -> Scan<'a> {
        let recovery = Recovery::default();
        Scan { dir, config, opening, segments: Vec::new(), rescanned_from: None, recovery }
    }

    /// Opens the segments with these bases. What comes after a cut is removed.
    pub fn segments(&mut self, bases: &BTreeSet<Offset>) -> Result<(), LogError> {
        let mut bases = bases.iter().copied().peekable();
        while let Some(base) = bases.next() {
            let next = bases.peek().copied();
            let segment = Segment::open(self.dir, base)?;
            let expected = self.segments.last().map_or(base, Segment::end);
            if base < expected {
                let why = Damage::Offset { expected, found: base };
                return self.cut_before(segment, expected, why, bases);
            }
            if base > expected {
                self.recovery.findings.push(Finding::Gap { from: expected, to: base });
            }
            let damage = self.segment(segment, next)?;
            if let Some((position, why)) = damage {
                return self.cut_at(position, why, bases);
            }
        }
        Ok(())
    }

    /// The segments, where the first of those lies that were read batch by batch, and the report.
    pub fn finish(mut self) -> Result<(Segments, Option<Offset>, Recovery), LogError> {
        let active = match self.segments.pop() {
            Some(last) => last,
            None => Segment::create(self.dir, self.opening.log_start)?,
        };
        Ok((Segments::new(self.dir, self.segments, active), self.rescanned_from, self.recovery))
    }

    /// Whether everything up to `next` was synced.
    fn trusted(&self, next: Option<Offset>) -> bool {
        self.opening.stop == Stop::Clean || next.is_some_and(|next| next <= self.opening.recovery_point)
    }

    /// Takes a segment in; damage that is to be cut off is returned.
    fn segment(&mut self, mut segment: Segment, next: Option<Offset>) -> Result<Option<(u64, Damage)>, LogError> {
        let base = segment.base();
        let trusted = self.trusted(next);
        if trusted {
            match trust(self.dir, &mut segment)? {
                Ok(()) => {
                    segment.trust_synced();
                    self.segments.push(segment);
                    return Ok(None);
                }
                Err(why) => self.recovery.findings.push(Finding::IndexRebuilt { segment: base, why }),
            }
            segment = Segment::open(self.dir, base)?;
        }
        self.rescanned_from.get_or_insert(base);
        let damage = if self.config.bugs.has(Bug::RecoveryKeepsTornBatch) {
            believe(&mut segment, self.config.index_interval_bytes)?
        } else {
            scan(&mut segment, self.config.index_interval_bytes)?
        };
        self.recovery.scanned_segments += 1;
        self.recovery.scanned_bytes += segment.size();
        let damage = match (damage, next) {
            (Some((position, why)), Some(next)) if trusted => {
                segment.set_end(next);
                self.recovery.findings.push(Finding::Damaged { segment: base, position, why });
                None
            }
            (damage, _) => damage,
        };
        self.segments.push(segment);
        Ok(damage)
    }

    /// Cuts the segment taken in last at `position`, and removes those after it.
    fn cut_at(&mut self, position: u64, why: Damage, later: impl Iterator<Item = Offset>) -> Result<(), LogError> {
        let later_bytes = remove(self.dir, later)?;
        let segment = self.segments.last_mut().expect("the segment that the damage is in was just pushed");
        let (end, from_bytes) = (segment.end(), segment.size());
        segment.cut(position, end)?;
        let segment = segment.base();
        self.recovery.cut = Some(Cut { end, segment, from_bytes, to_bytes: position, later_bytes, why });
        Ok(())
    }

    /// Removes a segment that begins below the end of the one before, and those after it.
    fn cut_before(
        &mut self,
        segment: Segment,
        end: Offset,
        why: Damage,
        later: impl Iterator<Item = Offset>,
    ) -> Result<(), LogError> {
        let (from_bytes, base) = (segment.size(), segment.base());
        segment.remove_files()?;
        let later_bytes = remove(self.dir, later)?;
        self.rescanned_from.get_or_insert(end);
        self.recovery.cut = Some(Cut { end, segment: base, from_bytes, to_bytes: 0, later_bytes, why });
        Ok(())
    }
}

fn remove(dir: &Path, bases: impl Iterator<Item = Offset>) -> Result<u64, LogError> {
    let mut bytes = 0;
    for base in bases {
        let segment = Segment::open(dir, base)?;
        bytes += segment.size();
        segment.remove_files()?;
    }
    Ok(bytes)
}

/// Takes the segment's indexes at their word and reads only the batches behind them.
pub(super) fn trust(dir: &Path, segment: &mut Segment) -> Result<Result<(), Unfit>, LogError> {
    let base = segment.base();
    let offsets: Option<Index<OffsetEntry>> = Index::open(file_path(dir, base, "index"))?;
    let times: Option<Index<TimeEntry>> = Index::open(file_path(dir, base, "timeindex"))?;
    let aborted: Option<Index<AbortedTransaction>> = Index::open(segment.aborted.path().to_path_buf())?;
    let (Some(offsets), Some(times)) = (offsets, times) else { return Ok(Err("an index is missing or torn")) };
    if let Some(aborted) = aborted {
        if aborted.last()?.is_some_and(|last| last.last < base || last.first > last.last) {
            return Ok(Err("the index of aborted transactions does not fit"));
        }
        segment.aborted = aborted;
    }
    let last = offsets.last()?;
    let indexed = last.map(|last| base.plus(i64::from(last.relative)));
    if last.is_some_and(|last| last.position == 0 || u64::from(last.position) >= segment.size()) {
        return Ok(Err("the last index entry leads nowhere"));
    }
    if times.len() == 0 && offsets.len() > 0 {
        return Ok(Err("the time index is empty"));
    }
    if times.last()?.is_some_and(|last| last.timestamp_ms <= 0 && offsets.len() == 0) {
        return Ok(Err("the time index is blank"));
    }
    let position = segment.resume(offsets, times)?;
    walk(segment, position, indexed)
}

/// Reads the headers from `position` on, where a batch should begin that ends with the record `indexed`.
fn walk(segment: &mut Segment, position: u64, indexed: Option<Offset>) -> Result<Result<(), Unfit>, LogError> {
    let mut headers = Vec::new();
    let mut reader = segment.reader(position, WALK_BYTES);
    let mut expected = segment.base();
    loop {
        match reader.header() {
            Ok(None) => break,
            Ok(Some(header)) if header.base_offset >= expected => {
                expected = header.next_offset();
                reader.skip(&header);
                headers.push(header);
            }
            Ok(Some(_)) | Err(WalkError::Batch(_)) => return Ok(Err("the batches behind the index cannot be read")),
            Err(WalkError::Storage(error)) => return Err(error),
        }
    }
    if indexed.is_some_and(|last| headers.first().is_none_or(|first| first.last_offset() != last)) {
        return Ok(Err("the last index entry leads to another batch"));
    }
    let first = segment.reader(0, WALK_BYTES).header_before_damage()?;
    headers.iter().for_each(|header| segment.observe(header));
    if let Some(first) = first {
        segment.set_first_timestamp(first.max_timestamp);
    }
    Ok(Ok(()))
}

/// Validates every batch and indexes it; where and why it stopped before the end of the file.
pub(super) fn scan(segment: &mut Segment, index_interval_bytes: u32) -> Result<Option<(u64, Damage)>, LogError> {
    let (file, path) = (segment.file().clone(), segment.path().to_path_buf());
    let mut reader = super::reader::Reader::new(&file, &path, 0..segment.size(), SCAN_BYTES);
    loop {
        let position = reader.position();
        let checked = match reader.header() {
            Ok(None) => return Ok(None),
            Ok(Some(header)) => fits(segment, position, &header).map(|()| header),
            Err(error) => Err(damage(error)?),
        };
        let header = match checked {
            Ok(header) => header,
            Err(why) => return Ok(Some((position, why))),
        };
        if let Err(error) = reader.check(&header) {
            return Ok(Some((position, damage(error)?)));
        }
        segment.note(&header, position, index_interval_bytes)?;
    }
}

/// As [`scan`], but the headers are believed and no checksum is looked at: only for the planted bug.
fn believe(segment: &mut Segment, index_interval_bytes: u32) -> Result<Option<(u64, Damage)>, LogError> {
    let (file, path) = (segment.file().clone(), segment.path().to_path_buf());
    let mut reader = super::reader::Reader::new(&file, &path, 0..segment.size(), SCAN_BYTES);
    loop {
        let position = reader.position();
        match reader.header() {
            Ok(None) => return Ok(None),
            Ok(Some(header)) if fits(segment, position, &header).is_ok() => {
                reader.skip(&header);
                segment.note(&header, position, index_interval_bytes)?;
            }
            Ok(Some(header)) => {
                return Ok(Some((position, Damage::Offset { expected: segment.end(), found: header.base_offset })));
            }
            Err(error) => return Ok(Some((position, damage(error)?))),
        }
    }
}

/// Whether a batch can stand at `position`: its offsets follow, and both can be indexed.
fn fits(segment: &Segment, position: u64, header: &super::batch::Header) -> Result<(), Damage> {
    let (expected, found) = (segment.end(), header.base_offset);
    if found < expected || !segment.can_hold(header.last_offset()) {
        return Err(Damage::Offset { expected, found });
    }
    if position > u64::from(u32::MAX >> 1) { Err(Damage::TooFar { position }) } else { Ok(()) }
}

fn damage(error: WalkError) -> Result<Damage, LogError> {
    match error {
        WalkError::Batch(error) => Ok(Damage::Batch(error)),
        WalkError::Storage(error) => Err(error),
    }
}
