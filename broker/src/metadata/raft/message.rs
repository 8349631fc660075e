//! What voters say to each other.

use openraft::{
    error::{Fatal, RaftError},
    raft::{AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, VoteRequest, VoteResponse},
};
use serde::{Deserialize, Serialize};

use super::{SnapshotMeta, Types, Vote};
use crate::metadata::ids::ControllerId;

/// A voter asks.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(bound = "")]
pub enum RaftRequest {
    /// Take these entries; also the leader's heartbeat.
    Append(AppendEntriesRequest<Types>),
    /// Vote for me.
    Vote(VoteRequest<ControllerId>),
    /// Take this image, for you lag behind the log.
    Snapshot {
        /// The leader's.
        vote: Vote,
        /// What the image holds.
        meta: SnapshotMeta,
        /// The image, as JSON.
        image: String,
    },
}

/// A voter answers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(bound = "")]
pub enum RaftReply {
    /// To [`RaftRequest::Append`].
    Append(Result<AppendEntriesResponse<ControllerId>, RaftError<ControllerId>>),
    /// To [`RaftRequest::Vote`].
    Vote(Result<VoteResponse<ControllerId>, RaftError<ControllerId>>),
    /// To [`RaftRequest::Snapshot`].
    Snapshot(Result<SnapshotResponse<ControllerId>, Fatal<ControllerId>>),
}
