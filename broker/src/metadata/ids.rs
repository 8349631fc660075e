//! The ids and versions of the cluster's metadata, beside those of [`crate::ids`].
//!
//! **Invariant:** epochs only grow. [`BrokerEpoch`] grows with every new incarnation of any broker, [`LeaderEpoch`] with every change of
//! a partition's leader, [`PartitionEpoch`] with every change of a partition's state, [`Version`] with every committed batch of records.

use std::{
    fmt,
    hash::{BuildHasher, Hasher, RandomState},
};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use uuid::Uuid;

pub use crate::ids::{BrokerEpoch, LeaderEpoch, PartitionEpoch, TopicPartition};
#[doc(inline)]
pub use crate::ids::{NodeId as BrokerId, NodeId as ControllerId};

/// The index in the metadata log of the last batch that changed the image; 0 before the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Version(pub u64);

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl LeaderEpoch {
    /// The epoch of the next leader; stays at the largest one.
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl PartitionEpoch {
    /// The epoch of the next state; stays at the largest one.
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

macro_rules! unique {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = String::deserialize(from)?;
                Uuid::try_parse(&text).map(Self).map_err(D::Error::custom)
            }
        }
    };
}

unique! {
    /// A topic's id: a topic created again under its old name has another one (KIP-516).
    TopicId
}
unique! {
    /// One start of a broker process.
    Incarnation
}

impl TopicId {
    /// An id never drawn before.
    pub fn random() -> Self {
        Self(random())
    }
}

impl Incarnation {
    /// An id never drawn before.
    pub fn random() -> Self {
        Self(random())
    }
}

/// 128 bits from the standard library's hash keys, which come from the kernel; every hasher has keys of its own.
fn random() -> Uuid {
    let draw = || RandomState::new().build_hasher().finish();
    let bits = (u128::from(draw()) << 64) | u128::from(draw());
    uuid::Builder::from_random_bytes(bits.to_be_bytes()).into_uuid()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn ids_read_back_as_they_were_written() {
        let map = BTreeMap::from([(BrokerId(3), TopicId(Uuid::from_u128(7)))]);
        let text = serde_json::to_string(&map).unwrap();
        assert_eq!(text, r#"{"3":"00000000-0000-0000-0000-000000000007"}"#);
        assert_eq!(serde_json::from_str::<BTreeMap<BrokerId, TopicId>>(&text).unwrap(), map);
    }

    #[test]
    fn drawn_ids_differ() {
        let drawn: std::collections::BTreeSet<_> = (0..1000).map(|_| TopicId::random()).collect();
        assert_eq!(drawn.len(), 1000);
    }

    #[test]
    fn a_malformed_id_is_an_error_and_no_panic() {
        assert!(serde_json::from_str::<TopicId>("\"7\"").is_err());
        assert!(serde_json::from_str::<Incarnation>("7").is_err());
    }
}
