//! What a call to the groups brings about: answers for those who wait, and records to be appended.
//!
//! The caller appends the records in order. If they cannot be appended it says so to [`super::Groups::undo`]. What is
//! in `when_safe` is told when they are replicated; what is in `at_once` says nothing that they could take back.

use bytes::Bytes;
use kafka_protocol::ResponseError;

use super::member::Member;
use super::record::Record;

/// Somebody who waits for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Waiter(pub u64);

/// A member as its leader sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Member id.
    pub id: String,
    /// `group.instance.id`
    pub instance: Option<String>,
    /// What it said for the protocol taken.
    pub metadata: Bytes,
}

/// A generation, as told to one of its members.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Joined {
    /// Number of the generation.
    pub generation: i32,
    /// `consumer`, `connect`, …
    pub protocol_type: Option<String>,
    /// The protocol taken.
    pub protocol: Option<String>,
    /// Who shares out the work.
    pub leader: String,
    /// The member told.
    pub member: String,
    /// All members, for the leader.
    pub members: Vec<Peer>,
    /// The leader need not share out anything: all stays as it is (KIP-814).
    pub skip_assignment: bool,
}

/// A join that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotJoined {
    /// Why.
    pub error: ResponseError,
    /// The member id to come again with; empty if none.
    pub member: String,
}

/// A share of the work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Synced {
    /// `consumer`, `connect`, …
    pub protocol_type: Option<String>,
    /// The protocol taken.
    pub protocol: Option<String>,
    /// The member's share.
    pub assignment: Bytes,
}

/// What somebody waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Of JoinGroup.
    Join(Result<Joined, NotJoined>),
    /// Of SyncGroup.
    Sync(Result<Synced, ResponseError>),
}

impl Answer {
    /// The same answer, as it must be if what it says could not be made safe.
    pub fn unsafe_because(self, error: ResponseError) -> Answer {
        match self {
            Answer::Join(Ok(_)) => Answer::Join(Err(NotJoined { error, member: String::new() })),
            Answer::Sync(Ok(_)) => Answer::Sync(Err(error)),
            failed @ (Answer::Join(Err(_)) | Answer::Sync(Err(_))) => failed,
        }
    }
}

/// What was changed in the expectation that the records are appended.
#[derive(Debug)]
pub(super) enum Undo {
    /// A generation was to have its assignment.
    Assignment {
        /// Of this group.
        group: String,
    },
    /// A static member was to have a new id.
    Replacement {
        /// Of this group.
        group: String,
        /// As it was.
        old: Box<Member>,
        /// The id it was to have.
        new: String,
    },
}

/// See the module.
#[derive(Debug, Default)]
pub struct Effects {
    /// To be told now.
    pub at_once: Vec<(Waiter, Answer)>,
    /// To be told when the log is replicated up to its present end.
    pub when_safe: Vec<(Waiter, Answer)>,
    /// To be appended, all or none.
    pub records: Vec<Record>,
    pub(super) undo: Vec<Undo>,
}

impl Effects {
    pub(super) fn joined(&mut self, waiter: Waiter, joined: Joined) {
        self.at_once.push((waiter, Answer::Join(Ok(joined))));
    }

    pub(super) fn not_joined(&mut self, waiter: Waiter, error: ResponseError, member: &str) {
        let member = member.to_owned();
        self.at_once.push((waiter, Answer::Join(Err(NotJoined { error, member }))));
    }

    pub(super) fn synced(&mut self, waiter: Waiter, synced: Synced) {
        self.when_safe.push((waiter, Answer::Sync(Ok(synced))));
    }

    pub(super) fn not_synced(&mut self, waiter: Waiter, error: ResponseError) {
        self.at_once.push((waiter, Answer::Sync(Err(error))));
    }
}
