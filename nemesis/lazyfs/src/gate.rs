//! What the disk does wrong at this moment, and how often it did: between every request and the tree.

use nemesis::disk::{DiskCounts, DiskFault};
use nix::errno::Errno;
use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;
use std::time::Duration;

/// How an answer is given.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum When {
    /// At once.
    Now,
    /// After so long.
    After(Duration),
    /// When the disk is mended.
    Mended,
}

/// What a sync does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sync {
    /// It makes durable, and answers then.
    Real(When),
    /// It answers that it was done.
    Lie,
    /// It fails, and what it was to write counts as clean.
    Fail,
}

const MILLION: u32 = 1_000_000;

/// The disk's fault and its counters.
#[derive(Debug)]
pub struct Gate {
    fault: Option<DiskFault>,
    left: u64,
    counts: DiskCounts,
    rng: Pcg64Mcg,
}

impl Gate {
    /// A sound disk; whether a read or write fails is drawn from `seed`.
    pub fn new(seed: u64) -> Gate {
        Gate { fault: None, left: u64::MAX, counts: DiskCounts::default(), rng: Pcg64Mcg::seed_from_u64(seed) }
    }

    /// It does wrong from now on, or no more.
    pub fn set(&mut self, fault: Option<DiskFault>) {
        self.fault = fault;
        self.left = match fault {
            Some(DiskFault::Full { bytes_left }) => bytes_left,
            _ => u64::MAX,
        };
    }

    /// What was counted so far.
    pub fn counts(&self) -> DiskCounts {
        self.counts
    }

    /// Syncs that were answered and done.
    pub fn syncs_done(&self) -> u64 {
        self.counts.fsyncs - self.counts.fsyncs_lied - self.counts.fsyncs_failed
    }

    /// Bytes that can still be written.
    pub fn left(&self) -> u64 {
        self.left
    }

    fn strikes(&mut self, ppm: u32) -> bool {
        self.rng.random_range(0..MILLION) < ppm
    }

    fn slowed(&mut self) -> When {
        match self.fault {
            Some(DiskFault::Slow { us }) => {
                self.counts.slowed += 1;
                When::After(Duration::from_micros(us))
            }
            _ => When::Now,
        }
    }

    /// A read.
    pub fn read(&mut self) -> Result<When, Errno> {
        self.counts.reads += 1;
        if let Some(DiskFault::ReadsFail { ppm }) = self.fault
            && self.strikes(ppm)
        {
            self.counts.reads_failed += 1;
            return Err(Errno::EIO);
        }
        Ok(self.slowed())
    }

    /// A write of `len` bytes that makes its file longer by `growth`: how many of them may be written, and when.
    pub fn write(&mut self, len: usize, growth: u64) -> Result<(usize, When), Errno> {
        self.counts.writes += 1;
        if let Some(DiskFault::WritesFail { ppm }) = self.fault
            && self.strikes(ppm)
        {
            self.counts.writes_failed += 1;
            return Err(Errno::EIO);
        }
        let short = self.space(growth)?;
        Ok((len.saturating_sub(usize::try_from(short).unwrap_or(usize::MAX)), self.slowed()))
            .and_then(|(len, when)| if len == 0 && short > 0 { Err(Errno::ENOSPC) } else { Ok((len, when)) })
    }

    /// Takes `bytes` of what is left; says how many were missing. ENOSPC if there are none.
    pub fn space(&mut self, bytes: u64) -> Result<u64, Errno> {
        let short = bytes.saturating_sub(self.left);
        if short > 0 {
            self.counts.writes_full += 1;
        }
        if short == bytes && bytes > 0 {
            return Err(Errno::ENOSPC);
        }
        if self.left < u64::MAX {
            self.left -= bytes - short;
        }
        Ok(short)
    }

    /// A new name: needs space, though none is counted. ENOSPC if there is none.
    pub fn name(&mut self) -> Result<(), Errno> {
        if self.left > 0 {
            return Ok(());
        }
        self.counts.writes_full += 1;
        Err(Errno::ENOSPC)
    }

    /// A sync.
    pub fn sync(&mut self) -> Sync {
        self.counts.fsyncs += 1;
        match self.fault {
            Some(DiskFault::FsyncLies) => {
                self.counts.fsyncs_lied += 1;
                Sync::Lie
            }
            Some(DiskFault::FsyncFails) => {
                self.counts.fsyncs_failed += 1;
                Sync::Fail
            }
            Some(DiskFault::FsyncSlow { ms }) => {
                self.counts.fsyncs_slowed += 1;
                Sync::Real(When::After(Duration::from_millis(ms)))
            }
            Some(DiskFault::FsyncHangs) => {
                self.counts.fsyncs_slowed += 1;
                Sync::Real(When::Mended)
            }
            _ => Sync::Real(When::Now),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_fills_up_writes_short_once_and_then_not_at_all() {
        let mut gate = Gate::new(1);
        gate.set(Some(DiskFault::Full { bytes_left: 150 }));
        assert_eq!(gate.write(100, 100), Ok((100, When::Now)));
        assert_eq!(gate.write(100, 0), Ok((100, When::Now)), "an overwrite needs no space");
        assert_eq!(gate.write(100, 100), Ok((50, When::Now)));
        assert_eq!(gate.write(100, 100), Err(Errno::ENOSPC));
        assert_eq!(gate.name(), Err(Errno::ENOSPC));
        assert_eq!(gate.counts().writes_full, 3);
        gate.set(None);
        assert_eq!((gate.write(100, 100), gate.name()), (Ok((100, When::Now)), Ok(())));
    }

    #[test]
    fn a_share_of_writes_fails_and_a_sound_disk_fails_none() {
        let mut gate = Gate::new(1);
        let failed = |gate: &mut Gate| (0..1000).filter(|_| gate.write(1, 1).is_err()).count();
        assert_eq!(failed(&mut gate), 0);
        gate.set(Some(DiskFault::WritesFail { ppm: 500_000 }));
        let some = failed(&mut gate);
        assert!((300..700).contains(&some) && gate.counts().writes_failed == some as u64);
        gate.set(Some(DiskFault::WritesFail { ppm: MILLION }));
        assert_eq!(failed(&mut gate), 1000);
    }

    #[test]
    fn a_sync_does_what_the_fault_says_and_is_counted() {
        let mut gate = Gate::new(1);
        assert_eq!(gate.sync(), Sync::Real(When::Now));
        for (fault, sync) in [
            (DiskFault::FsyncLies, Sync::Lie),
            (DiskFault::FsyncFails, Sync::Fail),
            (DiskFault::FsyncSlow { ms: 5 }, Sync::Real(When::After(Duration::from_millis(5)))),
            (DiskFault::FsyncHangs, Sync::Real(When::Mended)),
        ] {
            gate.set(Some(fault));
            let before = gate.counts().of(fault);
            assert_eq!((gate.sync(), gate.counts().of(fault) - before), (sync, 1));
        }
        assert_eq!((gate.counts().fsyncs, gate.syncs_done()), (5, 3), "a lie and a failure are none");
    }
}
