//! What a disk may do wrong, and what it counted: words only, for [`crate::Cluster`] and for the evidence.
//!
//! A [`DiskFault`] goes on until it is mended; a [`Wreck`] is done once, to the disk of a node that is down. Deliberately
//! absent: how a disk is reached (a preloaded library, a file system of our own), which is the cluster's affair.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::{Add, Sub};

/// What a disk does wrong from now on, until it is mended. A later one takes the place of an earlier one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "kebab-case")]
pub enum DiskFault {
    /// fsync answers at once that it was done, and nothing becomes durable.
    FsyncLies,
    /// fsync fails with EIO; as on Linux, what it was to write counts as clean afterwards and is never written.
    FsyncFails,
    /// Each fsync takes this much longer, milliseconds.
    FsyncSlow {
        /// How much.
        ms: u64,
    },
    /// fsync does not come back until the disk is mended.
    FsyncHangs,
    /// This share of reads fails with EIO, in millionths.
    ReadsFail {
        /// 1 to 1 000 000.
        ppm: u32,
    },
    /// This share of writes fails with EIO, in millionths.
    WritesFail {
        /// 1 to 1 000 000.
        ppm: u32,
    },
    /// Each read and write takes this much longer, microseconds.
    Slow {
        /// How much.
        us: u64,
    },
    /// So much more can be written; then a short write, then ENOSPC.
    Full {
        /// Bytes left.
        bytes_left: u64,
    },
}

/// What is done once to the disk of a node that is down.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "kebab-case")]
pub enum Wreck {
    /// What was not synced vanishes, data and names.
    PowerLoss {
        /// How much of it.
        loss: Loss,
    },
    /// Bits are flipped in a segment.
    BitRot {
        /// In which.
        segment: Segment,
    },
    /// A segment loses its end.
    Truncate {
        /// Which.
        segment: Segment,
    },
    /// Nothing is left.
    Wipe,
}

/// What remains of un-synced data after a power loss.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Loss {
    /// Nothing.
    All,
    /// The writes up to a random one, of all files together.
    Prefix,
    /// Random blocks of 4 KiB.
    Blocks,
    /// The writes up to a random one, and of that one the first sectors of 512 bytes.
    Torn,
}

impl Loss {
    /// All of them.
    pub const ALL: [Loss; 4] = [Loss::All, Loss::Prefix, Loss::Blocks, Loss::Torn];
}

/// Which segment of a log.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Segment {
    /// The one that is appended to.
    Open,
    /// An earlier one.
    Closed,
}

/// What a disk has done since its node was first started; each number only ever grows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct DiskCounts {
    /// Reads asked for.
    pub reads: u64,
    /// Writes asked for.
    pub writes: u64,
    /// Syncs asked for.
    pub fsyncs: u64,
    /// Syncs that were said to be done and were not.
    pub fsyncs_lied: u64,
    /// Syncs that failed.
    pub fsyncs_failed: u64,
    /// Syncs that were held up.
    pub fsyncs_slowed: u64,
    /// Reads that failed.
    pub reads_failed: u64,
    /// Writes that failed.
    pub writes_failed: u64,
    /// Reads and writes that were held up.
    pub slowed: u64,
    /// Writes that were cut short or refused for lack of space.
    pub writes_full: u64,
}

impl DiskCounts {
    fn with(self, other: DiskCounts, f: fn(u64, u64) -> u64) -> DiskCounts {
        DiskCounts {
            reads: f(self.reads, other.reads),
            writes: f(self.writes, other.writes),
            fsyncs: f(self.fsyncs, other.fsyncs),
            fsyncs_lied: f(self.fsyncs_lied, other.fsyncs_lied),
            fsyncs_failed: f(self.fsyncs_failed, other.fsyncs_failed),
            fsyncs_slowed: f(self.fsyncs_slowed, other.fsyncs_slowed),
            reads_failed: f(self.reads_failed, other.reads_failed),
            writes_failed: f(self.writes_failed, other.writes_failed),
            slowed: f(self.slowed, other.slowed),
            writes_full: f(self.writes_full, other.writes_full),
        }
    }

    /// How often the fault was felt.
    pub fn of(&self, fault: DiskFault) -> u64 {
        match fault {
            DiskFault::FsyncLies => self.fsyncs_lied,
            DiskFault::FsyncFails => self.fsyncs_failed,
            DiskFault::FsyncSlow { .. } | DiskFault::FsyncHangs => self.fsyncs_slowed,
            DiskFault::ReadsFail { .. } => self.reads_failed,
            DiskFault::WritesFail { .. } => self.writes_failed,
            DiskFault::Slow { .. } => self.slowed,
            DiskFault::Full { .. } => self.writes_full,
        }
    }
}

impl Add for DiskCounts {
    type Output = DiskCounts;

    fn add(self, other: DiskCounts) -> DiskCounts {
        self.with(other, u64::saturating_add)
    }
}

impl Sub for DiskCounts {
    type Output = DiskCounts;

    fn sub(self, earlier: DiskCounts) -> DiskCounts {
        self.with(earlier, u64::saturating_sub)
    }
}

/// What a wreck did, counted by whoever did it.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Damage {
    /// Bytes that were there and are not, or are others.
    pub bytes: u64,
    /// Files they were in.
    pub files: u64,
    /// Names that came, went or changed back.
    pub names: u64,
    /// Changes that were not durable when the power went, whether some of them remained or not.
    pub unsynced: u64,
    /// Syncs that the disk had really done by then.
    pub syncs: u64,
    /// The files with the most, a few of them.
    pub worst: Vec<String>,
}

impl Damage {
    /// True if nothing was harmed.
    pub fn is_none(&self) -> bool {
        self.bytes == 0 && self.names == 0
    }

    /// True if a power loss had something to decide: changes that were not durable, or changes that had been made so and stayed.
    /// Neither is there if the disk is not the one that the node writes to, or nothing was done to it.
    pub fn shows_cut(&self) -> bool {
        self.unsynced > 0 || self.syncs > 0
    }
}

impl fmt::Display for DiskFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DiskFault::FsyncLies => f.write_str("fsync lies"),
            DiskFault::FsyncFails => f.write_str("fsync fails with EIO"),
            DiskFault::FsyncSlow { ms } => write!(f, "fsync takes {ms} ms more"),
            DiskFault::FsyncHangs => f.write_str("fsync hangs"),
            DiskFault::ReadsFail { ppm } => write!(f, "{ppm} of a million reads fail with EIO"),
            DiskFault::WritesFail { ppm } => write!(f, "{ppm} of a million writes fail with EIO"),
            DiskFault::Slow { us } => write!(f, "reads and writes take {us} us more"),
            DiskFault::Full { bytes_left } => write!(f, "{bytes_left} bytes are left"),
        }
    }
}
