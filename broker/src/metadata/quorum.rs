//! The agreement on metadata, as the controller uses it: propose, learn who leads, watch what is committed.
//!
//! **Invariants** of every implementation:
//! - a proposal takes effect only on the image it was decided upon ([`Proposal::base`]), so what a deposed or delayed controller decided
//!   upon an old image never takes effect, wherever it ended up in the log;
//! - [`Committed`] only moves forward, and what it holds is on the disks of a majority;
//! - a member that has not heard from a majority for the fetch timeout does not claim to lead.

use std::{collections::BTreeMap, collections::VecDeque, future::Future, sync::Arc};

use thiserror::Error;
use tokio::sync::watch;

use super::{
    ids::{ControllerId, Version},
    image::ClusterImage,
    record::{CommittedBatch, Proposal},
};

/// Batches kept for brokers that are a little behind.
pub const RECENT_BATCHES_MAX: usize = 512;

/// Why a proposal is not (known to be) committed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ProposeError {
    /// It was decided on another image than the last committed one: it has no effect.
    #[error("decided upon version {base}, but version {found} was the last")]
    Conflict {
        /// The proposal's.
        base: Version,
        /// The image's.
        found: Version,
    },
    /// This member does not lead: it has no effect.
    #[error("not the leader of the quorum (leader: {0:?})")]
    NotLeader(Option<ControllerId>),
    /// Leadership or patience ended first: nobody can tell whether it takes effect.
    #[error("not committed in time")]
    Unknown,
}

/// Who leads, as this member sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leadership {
    /// This member leads and hears from a majority.
    Here {
        /// Raft's term.
        term: u64,
    },
    /// Another one, or nobody it knows of.
    Elsewhere {
        /// Who, if known.
        leader: Option<ControllerId>,
        /// Raft's term.
        term: u64,
    },
}

impl Leadership {
    /// Raft's term.
    pub fn term(self) -> u64 {
        match self {
            Self::Here { term } | Self::Elsewhere { term, .. } => term,
        }
    }
}

/// The committed image and the last batches that led to it.
#[derive(Clone, Debug, Default)]
pub struct Committed {
    /// As of the last committed batch.
    pub image: Arc<ClusterImage>,
    /// At most [`RECENT_BATCHES_MAX`], each following upon the one before it.
    pub recent: VecDeque<Arc<CommittedBatch>>,
}

impl Committed {
    /// The batches after `from`; `None` if they are no longer all here.
    pub fn since(&self, from: Version) -> Option<Vec<CommittedBatch>> {
        if from >= self.image.version {
            return Some(Vec::new());
        }
        let first = self.recent.iter().position(|batch| batch.base == from)?;
        Some(self.recent.range(first..).map(|batch| CommittedBatch::clone(batch)).collect())
    }
}

/// See the module.
pub trait MetadataQuorum: Send + Sync + 'static {
    /// Returns once the proposal is committed and applied here; the version it made.
    ///
    /// # Errors
    /// [`ProposeError`].
    fn propose(&self, proposal: Proposal) -> impl Future<Output = Result<Version, ProposeError>> + Send;

    /// Returns once a majority has said, after this was asked, that this member still leads.
    ///
    /// # Errors
    /// [`ProposeError::Unknown`].
    fn confirm(&self) -> impl Future<Output = Result<(), ProposeError>> + Send;

    /// Who leads, as far as this member knows: another one may have been elected meanwhile.
    fn leadership(&self) -> watch::Receiver<Leadership>;

    /// What is committed.
    fn committed(&self) -> watch::Receiver<Committed>;

    /// All voters and their addresses.
    fn voters(&self) -> &BTreeMap<ControllerId, String>;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::stamp::Stamp;

    fn committed(pairs: &[(u64, u64)]) -> Committed {
        let batch = |(base, version): &(u64, u64)| {
            let (base, version) = (Version(*base), Version(*version));
            Arc::new(CommittedBatch { version, base, stamp: Stamp::default(), records: Vec::new() })
        };
        let version = Version(pairs.last().map_or(0, |pair| pair.1));
        let image = ClusterImage { version, ..ClusterImage::default() };
        Committed { image: Arc::new(image), recent: pairs.iter().map(batch).collect() }
    }

    #[test]
    fn who_is_little_behind_gets_batches_and_who_is_far_behind_does_not() {
        let committed = committed(&[(3, 5), (5, 6), (6, 9)]);
        let since = |from| committed.since(Version(from)).map(|batches| batches.len());
        assert_eq!([since(3), since(5), since(6), since(9), since(12)], [Some(3), Some(2), Some(1), Some(0), Some(0)]);
        assert_eq!([since(0), since(4)], [None, None]);
    }
}
