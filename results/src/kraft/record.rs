//! The records of the metadata log that tell of topics, leaders, replicas, brokers, settings and features.
//!
//! A value is a frame: frame version 1, the record's kind, its version, its fields. Source: Kafka's `common/metadata`
//! schemas, KIP-631, KIP-858 (directories), KIP-966 (eligible leader replicas).

use super::wire::{i8, i16, i32, i64, nodes, nullable_string, skip_uuids, string, tagged, uuid, uvarint};

const FRAME_VERSION: u32 = 1;

/// A topic's id.
pub type TopicId = [u8; 16];

/// What a record says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum MetadataRecord {
    /// A topic was made.
    Topic {
        /// Its name.
        name: String,
        /// Its id.
        id: TopicId,
    },
    /// A topic was removed.
    RemoveTopic {
        /// Its id.
        id: TopicId,
    },
    /// A partition was made, or its whole state is told.
    Partition {
        /// Of which topic.
        topic: TopicId,
        /// Which.
        partition: i32,
        /// Its state.
        state: PartitionState,
    },
    /// A partition's state changed; what is absent did not.
    PartitionChange {
        /// Of which topic.
        topic: TopicId,
        /// Which.
        partition: i32,
        /// In-sync replicas.
        isr: Option<Vec<i32>>,
        /// The leader, −1 for none.
        leader: Option<i32>,
        /// The replicas.
        replicas: Option<Vec<i32>>,
        /// 1 after an unclean election.
        recovery: Option<i8>,
        /// Eligible leader replicas.
        elr: Option<Vec<i32>>,
    },
    /// A setting was changed, or with `None` removed.
    Config {
        /// 2 topic, 4 broker.
        resource_type: i8,
        /// Whose.
        resource: String,
        /// Which.
        name: String,
        /// To what.
        value: Option<String>,
    },
    /// A broker process introduced itself.
    RegisterBroker {
        /// Who.
        broker: i32,
        /// Its epoch.
        epoch: i64,
    },
    /// A broker may no longer lead, or may again.
    Fence {
        /// Who.
        broker: i32,
        /// Which life of it.
        epoch: i64,
        /// Whether it is shut out.
        fenced: bool,
    },
    /// A feature's level was set.
    Feature {
        /// Which.
        name: String,
        /// To what.
        level: i16,
    },
    /// Eligible leader replicas were forgotten; an empty topic is every topic.
    ClearElr {
        /// Of which topic.
        topic: String,
    },
    /// Something that does not concern logs.
    Other {
        /// The record's kind.
        kind: u32,
    },
}

/// A partition's whole state.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PartitionState {
    /// Who keeps it.
    pub replicas: Vec<i32>,
    /// Who of them is in sync.
    pub isr: Vec<i32>,
    /// Who could lead without being in sync.
    pub elr: Vec<i32>,
    /// Who leads, −1 nobody.
    pub leader: i32,
    /// 1 after an unclean election.
    pub recovery: i8,
    /// The leader's reign.
    pub leader_epoch: i32,
    /// Counts every change.
    pub partition_epoch: i32,
}

/// The record of a value; `None` if it is none.
pub fn parse(mut value: &[u8]) -> Option<MetadataRecord> {
    let bytes = &mut value;
    if uvarint(bytes)? != FRAME_VERSION {
        return None;
    }
    let (kind, version) = (uvarint(bytes)?, uvarint(bytes)?);
    match kind {
        0 => Some(MetadataRecord::RegisterBroker {
            broker: i32(bytes)?,
            epoch: {
                if version >= 2 {
                    i8(bytes)?;
                }
                uuid(bytes)?;
                i64(bytes)?
            },
        }),
        2 => Some(MetadataRecord::Topic { name: string(bytes)?, id: uuid(bytes)? }),
        3 => partition(bytes, version),
        4 => Some(MetadataRecord::Config {
            resource_type: i8(bytes)?,
            resource: string(bytes)?,
            name: string(bytes)?,
            value: nullable_string(bytes)?,
        }),
        5 => change(bytes),
        7 | 8 => Some(MetadataRecord::Fence { broker: i32(bytes)?, epoch: i64(bytes)?, fenced: kind == 7 }),
        9 => Some(MetadataRecord::RemoveTopic { id: uuid(bytes)? }),
        12 => Some(MetadataRecord::Feature { name: string(bytes)?, level: i16(bytes)? }),
        17 => registration(bytes),
        28 => Some(MetadataRecord::ClearElr { topic: string(bytes)? }),
        kind => Some(MetadataRecord::Other { kind }),
    }
}

fn partition(bytes: &mut &[u8], version: u32) -> Option<MetadataRecord> {
    let (partition, topic) = (i32(bytes)?, uuid(bytes)?);
    let (replicas, isr) = (nodes(bytes)?, nodes(bytes)?);
    nodes(bytes)?;
    nodes(bytes)?;
    let (leader, leader_epoch, partition_epoch) = (i32(bytes)?, i32(bytes)?, i32(bytes)?);
    if version >= 1 {
        skip_uuids(bytes)?;
    }
    let mut state =
        PartitionState { replicas, isr, leader, leader_epoch, partition_epoch, ..PartitionState::default() };
    tagged(bytes, |tag, field| {
        match tag {
            0 => state.recovery = i8(field)?,
            1 => state.elr = nodes(field)?,
            _ => {}
        }
        Some(())
    })?;
    Some(MetadataRecord::Partition { topic, partition, state })
}

fn change(bytes: &mut &[u8]) -> Option<MetadataRecord> {
    let (partition, topic) = (i32(bytes)?, uuid(bytes)?);
    let (mut isr, mut leader, mut replicas, mut recovery, mut elr) = (None, None, None, None, None);
    tagged(bytes, |tag, field| {
        match tag {
            0 => isr = Some(nodes(field)?),
            1 => leader = Some(i32(field)?),
            2 => replicas = Some(nodes(field)?),
            5 => recovery = Some(i8(field)?),
            6 => elr = Some(nodes(field)?),
            _ => {}
        }
        Some(())
    })?;
    Some(MetadataRecord::PartitionChange { topic, partition, isr, leader, replicas, recovery, elr })
}

/// 1 in tag 0 fences, −1 unfences; nothing of interest otherwise.
fn registration(bytes: &mut &[u8]) -> Option<MetadataRecord> {
    let (broker, epoch, mut fenced) = (i32(bytes)?, i64(bytes)?, 0);
    tagged(bytes, |tag, field| {
        if tag == 0 {
            fenced = i8(field)?;
        }
        Some(())
    })?;
    Some(match fenced {
        0 => MetadataRecord::Other { kind: 17 },
        fenced => MetadataRecord::Fence { broker, epoch, fenced: fenced > 0 },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_tells_what_changed_and_nothing_else() {
        let mut bytes = vec![1, 5, 2, 0, 0, 0, 3];
        bytes.extend([7; 16]);
        bytes.extend([3, 0, 5, 2, 0, 0, 0, 1, 1, 4, 0, 0, 0, 1, 5, 1, 1]);
        let told = parse(&bytes).unwrap();
        let expected = MetadataRecord::PartitionChange {
            topic: [7; 16],
            partition: 3,
            isr: Some(vec![1]),
            leader: Some(1),
            replicas: None,
            recovery: Some(1),
            elr: None,
        };
        assert_eq!(told, expected);
        assert!((0..bytes.len()).all(|cut| parse(&bytes[..cut]).is_none()), "no part of a record is one");
    }

    #[test]
    fn a_frame_of_another_version_is_none_and_an_unknown_kind_is_other() {
        assert_eq!(parse(&[2, 5, 0]), None);
        assert_eq!(parse(&[1, 99, 0]), Some(MetadataRecord::Other { kind: 99 }));
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_a_record_or_none(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200), kind in 0u8..30) {
            let _ = parse(&bytes);
            let _ = parse(&[&[1, kind, bytes.first().copied().unwrap_or(0) % 4], bytes.as_slice()].concat());
        }
    }
}
