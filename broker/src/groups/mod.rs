//! Consumer groups by the classic protocol: who is a member, who works on what, how far each group has read.
//!
//! ```text
//! group      one group's state and the way from one generation to the next
//! join, sync, live, commit     what a member may ask of it
//! offsets    stored positions, also those of open transactions
//! record     Kafka's format of all of it in `__consumer_offsets`
//! shard      all groups of one partition of that topic
//! desk       the shell around: who waits, time, the coordinator's log
//! ```
//!
//! **Invariants.** Everything but `desk` is pure: time is data, no I/O, no lock. What survives a move of the coordinator
//! is a function of the log alone. Which partitions a member works on is opaque here, so eager and cooperative
//! rebalancing look the same.
//!
//! Not here: KIP-848 (`group.protocol=consumer`), share groups, sockets.

mod commit;
pub mod desk;
mod effects;
mod group;
mod join;
mod live;
mod member;
mod offsets;
mod protocols;
mod record;
mod settings;
mod shard;
mod sync;

#[cfg(test)]
mod tests;

pub use commit::Committer;
pub use effects::{Answer, Effects, Joined, NotJoined, Peer, Synced, Waiter};
pub use group::Group;
pub use join::{Join, Manners};
pub use live::Leaver;
pub use member::{Identity, Offer, Protocol};
pub use record::{OffsetValue, Record};
pub use settings::{Now, Settings};
pub use shard::{Described, DescribedMember, Groups, Listed};
pub use sync::Sync;
