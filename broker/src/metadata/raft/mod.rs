//! [`MetadataQuorum`](super::quorum::MetadataQuorum) by openraft: one or three voters, fixed by `controller.quorum.voters`.
//!
//! ```text
//! journal   pure: the lines of the log file and what they add up to
//! files     the folder: segments, recovery
//! writer    the thread that writes and syncs
//! store     openraft's log storage upon the two
//! snapshot  the image in a file
//! machine   openraft's state machine: the image, its watchers, its events
//! network   how voters talk; message is what they say
//! quorum    all of it together
//! ```
//!
//! **Invariants:** nothing is answered to a peer before it is on the disk (an entry, a vote). A folder that does not add up is refused with
//! file and byte; only the torn end of the last segment is cut off. A failed write or sync ends the voter: it is never retried.
//!
//! Consensus itself is openraft's. Membership never changes.

pub mod files;
pub mod journal;
pub mod machine;
pub mod message;
pub mod network;
pub mod quorum;
pub mod snapshot;
pub mod store;
pub mod writer;

use std::io::Cursor;

use serde::{Deserialize, Serialize};

use super::{
    ids::{ControllerId, Version},
    record::Proposal,
};

pub use quorum::{RaftConfig, RaftQuorum};

openraft::declare_raft_types!(
    /// Our types in openraft's places.
    pub Types:
        D = Proposal,
        R = Outcome,
        NodeId = ControllerId,
        Node = openraft::BasicNode,
        SnapshotData = Cursor<Vec<u8>>,
);

/// A place in the log.
pub type LogId = openraft::LogId<ControllerId>;
/// Whom a voter has voted for.
pub type Vote = openraft::Vote<ControllerId>;
/// One entry of the log.
pub type Entry = openraft::Entry<Types>;
/// Who votes, and since which entry.
pub type Membership = openraft::StoredMembership<ControllerId, openraft::BasicNode>;
/// What a snapshot holds.
pub type SnapshotMeta = openraft::SnapshotMeta<ControllerId, openraft::BasicNode>;
/// Why the voter must end.
pub type StorageError = openraft::StorageError<ControllerId>;

/// What became of an entry when it was applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// The image has this version now.
    Applied(Version),
    /// It was decided upon another image than this one: no effect.
    Conflict(Version),
    /// An entry of openraft's own.
    Nothing,
}
