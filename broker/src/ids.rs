//! The numbers a Kafka cluster speaks in, each its own type so that an epoch is never compared with an offset.
//!
//! Pure values: no parsing, no protocol types. Sentinels of the wire (-1) stay at the wire: inside the broker an absent
//! value is an `Option`.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! number {
    ($(#[$doc:meta])* $name:ident, $inner:ty) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number!(
    /// `node.id` of a broker or controller.
    NodeId, i32);
number!(
    /// Position of a record in a partition's log.
    Offset, i64);
number!(
    /// Grows by one with every leader elected for a partition (KIP-101).
    LeaderEpoch, i32);
number!(
    /// Grows by one with every change of a partition's leader, ISR or replicas (KIP-497).
    PartitionEpoch, i32);
number!(
    /// Identifies one incarnation of a broker process, given at registration (KIP-631, KIP-903).
    BrokerEpoch, i64);

impl Offset {
    /// The offset `count` records further on.
    pub fn plus(self, count: i64) -> Offset {
        Offset(self.0 + count)
    }
}

/// One partition of one topic by name; its directory on disk is `topic-index`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TopicPartition {
    /// Topic name.
    pub topic: String,
    /// Partition index, from 0.
    pub index: i32,
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.topic, self.index)
    }
}
