//! The segments of a log in order, of which the last is the active one.
//!
//! **Invariant:** there is always an active segment; closed ones have their indexes on disk; bases grow.

use super::segment::Segment;
use super::{LogError, Offset};
use std::path::{Path, PathBuf};

#[derive(Debug)]
pub(super) struct Segments {
    dir: PathBuf,
    closed: Vec<Segment>,
    active: Segment,
}

impl Segments {
    /// The segments found, the last of them to be appended to.
    pub fn new(dir: &Path, closed: Vec<Segment>, active: Segment) -> Segments {
        Segments { dir: dir.to_path_buf(), closed, active }
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    pub fn closed(&self) -> &[Segment] {
        &self.closed
    }

    pub fn active(&self) -> &Segment {
        &self.active
    }

    pub fn active_mut(&mut self) -> &mut Segment {
        &mut self.active
    }

    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Segment> {
        self.closed.iter().chain(std::iter::once(&self.active))
    }

    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Segment> {
        self.closed.iter_mut().chain(std::iter::once(&mut self.active))
    }

    /// The segments from the one that holds `offset`, or would, on.
    pub fn from(&self, offset: Offset) -> impl Iterator<Item = &Segment> {
        let skip = self.bases_at_most(offset).saturating_sub(1);
        self.iter().skip(skip)
    }

    fn bases_at_most(&self, offset: Offset) -> usize {
        let closed = self.closed.partition_point(|segment| segment.base() <= offset);
        closed + usize::from(self.active.base() <= offset)
    }

    pub fn first_base(&self) -> Offset {
        self.closed.first().unwrap_or(&self.active).base()
    }

    pub fn size(&self) -> u64 {
        self.iter().map(Segment::size).sum()
    }

    /// Puts the indexes of closed segments that are in memory on disk.
    pub fn seal_closed(&mut self) -> Result<(), LogError> {
        self.closed.iter_mut().filter(|segment| !segment.is_sealed()).try_for_each(Segment::seal)
    }

    /// Closes the active segment and begins a new one at `base`, at or after its end. An empty one gives way to it.
    pub fn roll(&mut self, base: Offset) -> Result<(), LogError> {
        if self.active.size() == 0 {
            self.active.remove_files()?;
            self.active = Segment::create(&self.dir, base)?;
            return Ok(());
        }
        self.active.seal()?;
        let next = Segment::create(&self.dir, base)?;
        self.closed.push(std::mem::replace(&mut self.active, next));
        Ok(())
    }

    /// Removes whole segments from the end for as long as they begin at or after `offset`, newest first; the first
    /// segment stays. Says how many bytes went.
    pub fn drop_from(&mut self, offset: Offset) -> Result<u64, LogError> {
        let mut bytes = 0;
        while self.active.base() >= offset {
            let Some(below) = self.closed.pop() else { break };
            let gone = std::mem::replace(&mut self.active, below);
            bytes += gone.size();
            gone.remove_files()?;
        }
        Ok(bytes)
    }

    /// Removes the first `count` closed segments, oldest first. Says how many bytes went.
    pub fn drop_oldest(&mut self, count: usize) -> Result<u64, LogError> {
        let mut bytes = 0;
        for segment in self.closed.drain(..count.min(self.closed.len())) {
            bytes += segment.size();
            segment.remove_files()?;
        }
        Ok(bytes)
    }

    /// Takes the closed segments with these bases, which follow one another, out and puts one in their place.
    pub fn replace(&mut self, bases: &[Offset], segment: Segment) {
        let at = self.closed.partition_point(|closed| closed.base() < segment.base());
        self.closed.retain(|closed| !bases.contains(&closed.base()));
        self.closed.insert(at, segment);
    }

    /// Removes everything and begins again at `offset`. Says how many bytes went.
    pub fn restart(&mut self, offset: Offset) -> Result<u64, LogError> {
        let bytes = self.size();
        while let Some(below) = self.closed.pop() {
            std::mem::replace(&mut self.active, below).remove_files()?;
        }
        self.active.remove_files()?;
        self.active = Segment::create(&self.dir, offset)?;
        Ok(bytes)
    }
}
