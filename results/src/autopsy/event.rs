//! What somebody wrote down during the run, with the place where it stands.

use crate::file::FileError;
use crate::json;
use crate::wall::Wall;
use history::{LeaderEpoch, LogId, NodeId, Offset};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::Path;

/// Most events kept of a run; the rest is counted.
pub const EVENTS_MAX: usize = 200_000;

/// A line of a file, or an offset of a log.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Place {
    /// The file, relative to the run's folder.
    pub file: String,
    /// A line counted from 1, or an offset.
    pub at: u64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.at)
    }
}

/// Something that happened.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Event {
    /// When, by the clock of whoever wrote it down.
    pub wall: Wall,
    /// Who wrote it down, and to whom it happened.
    pub node: NodeId,
    /// The log it concerns, if one.
    pub log: Option<LogId>,
    /// Where it stands.
    pub place: Place,
    /// What.
    #[serde(flatten)]
    pub what: What,
}

/// What can have happened.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum What {
    /// The controllers decided who leads and who is in sync.
    Decided {
        /// Nobody, if absent.
        leader: Option<NodeId>,
        /// The reign.
        epoch: LeaderEpoch,
        /// In-sync replicas.
        isr: Vec<NodeId>,
        /// Those who could lead without being in sync.
        elr: Vec<NodeId>,
        /// True if the leader was taken from outside all of them.
        unclean: bool,
    },
    /// The node took a role, its log ending there.
    Role {
        /// True if it leads.
        leads: bool,
        /// The reign.
        epoch: LeaderEpoch,
        /// Its log's end.
        end: Offset,
        /// The high watermark it knows.
        high_watermark: Offset,
    },
    /// The node's log was found to end there after it was opened.
    Opened {
        /// Its log's end.
        end: Offset,
        /// False after an unclean stop.
        clean: bool,
    },
    /// The node cut its log.
    Truncated {
        /// Where it ended before, if that was told.
        from: Option<Offset>,
        /// Where it ends now.
        to: Offset,
        /// Why, in the node's words.
        why: String,
    },
    /// The node read un-synced parts of its log again after an unclean stop.
    Recovered {
        /// In its words.
        told: String,
    },
    /// The node removed records that later ones of their key replaced.
    Compacted {
        /// Below this offset; absent where that was not told.
        until: Option<Offset>,
        /// In its words.
        told: String,
    },
    /// The node's log begins later.
    StartMoved {
        /// Where.
        to: Offset,
        /// Why, in the node's words.
        why: String,
    },
}

/// All of it, by time.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Testimony {
    /// Every event.
    pub events: Vec<Event>,
}

impl Testimony {
    /// Replaces `path` by these events.
    pub fn write(&self, path: &Path) -> Result<(), FileError> {
        json::write_lines(path, &self.events)
    }

    /// Reads what was written.
    pub fn read(path: &Path) -> Result<Testimony, FileError> {
        Ok(Testimony { events: json::read_lines(path)?.items })
    }

    /// Sorted by time and bounded.
    pub fn of(mut events: Vec<Event>) -> Testimony {
        events.sort_by_key(|event| event.wall);
        events.truncate(EVENTS_MAX);
        Testimony { events }
    }
}
