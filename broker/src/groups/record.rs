//! The records of `__consumer_offsets`, in Kafka's own format: any tool that reads Kafka's topic reads this one.
//!
//! ```text
//! key    version i16 | 0, 1: group, topic, partition i32 | 2: group
//! offset version i16 = 3 | offset i64 | leader epoch i32 | metadata | commit timestamp i64       (1: also expiry i64)
//! group  version i16 = 3 | protocol type | generation i32 | protocol? | leader? | timestamp i64 | members
//! member id | instance? | client id | client host | rebalance ms i32 | session ms i32 | subscription | assignment
//! ```
//!
//! Versions 0 to 3 of values are read, 3 is written (1 where a commit brings its own expiry, as Kafka does). Strings have
//! i16 lengths, bytes i32 lengths, -1 is none. Schemas: `OffsetCommitKey`, `OffsetCommitValue`, `GroupMetadataKey`,
//! `GroupMetadataValue` of Kafka 3.9.
//!
//! **Invariant:** no bytes panic or allocate more than they are; what cannot be read is an error with a reason.

use bytes::{BufMut, Bytes};

use crate::coordinator::{Fields, Malformed, PutFields, Stored};
use crate::ids::TopicPartition;

const OFFSET_KEY: i16 = 1;
const GROUP_KEY: i16 = 2;
const VALUE: i16 = 3;
const VALUE_THAT_EXPIRES: i16 = 1;

/// A stored position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OffsetValue {
    /// The next record to read.
    pub offset: i64,
    /// Leader epoch of the last record read, or -1.
    pub leader_epoch: i32,
    /// Whatever the committer wrote beside it.
    pub metadata: String,
    /// When it was committed, milliseconds since 1970.
    pub committed_ms: i64,
    /// When it expires, if the committer said so (OffsetCommit 2 to 4).
    pub expires_ms: Option<i64>,
}

/// A generation of a group; without members, an empty group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupValue {
    /// `consumer`, `connect`, …; empty if the group never had members.
    pub protocol_type: String,
    /// Number of the generation.
    pub generation: i32,
    /// The protocol it took.
    pub protocol: Option<String>,
    /// The member that shares out the work.
    pub leader: Option<String>,
    /// Since when the group is in this state, milliseconds since 1970; -1 if unknown.
    pub since_ms: i64,
    /// Its members.
    pub members: Vec<MemberValue>,
}

/// A member of a generation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemberValue {
    /// Member id.
    pub id: String,
    /// `group.instance.id`
    pub instance: Option<String>,
    /// `client.id`
    pub client: String,
    /// Address it was seen at.
    pub host: String,
    /// Milliseconds.
    pub rebalance_timeout_ms: i32,
    /// Milliseconds.
    pub session_timeout_ms: i32,
    /// What it subscribed to, for the protocol taken.
    pub subscription: Bytes,
    /// Its share.
    pub assignment: Bytes,
}

/// One record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// A position was stored.
    Offset(String, TopicPartition, OffsetValue),
    /// A position was forgotten.
    NoOffset(String, TopicPartition),
    /// A generation began.
    Group(String, GroupValue),
    /// A group ended.
    NoGroup(String),
}

impl Record {
    /// The group it is about.
    pub fn group(&self) -> &str {
        match self {
            Record::Offset(group, ..) | Record::NoOffset(group, _) => group,
            Record::Group(group, _) | Record::NoGroup(group) => group,
        }
    }

    /// As it goes into the log; a tombstone has no value.
    pub fn encode(&self) -> Stored {
        let (key, value) = match self {
            Record::Offset(group, partition, value) => (offset_key(group, partition), Some(offset_value(value))),
            Record::NoOffset(group, partition) => (offset_key(group, partition), None),
            Record::Group(group, value) => (group_key(group), Some(group_value(value))),
            Record::NoGroup(group) => (group_key(group), None),
        };
        Stored { key, value }
    }

    /// A record of the log.
    ///
    /// # Errors
    /// [`Malformed`], also for what later versions of Kafka keep here beside.
    pub fn decode(key: &[u8], value: Option<&[u8]>) -> Result<Record, Malformed> {
        let mut key = Fields::of(key);
        match key.short()? {
            0 | OFFSET_KEY => {
                let (group, topic) = (key.text()?, key.text()?);
                let partition = TopicPartition { topic, index: key.int()? };
                Ok(match value {
                    Some(value) => Record::Offset(group, partition, decode_offset(Fields::of(value))?),
                    None => Record::NoOffset(group, partition),
                })
            }
            GROUP_KEY => {
                let group = key.text()?;
                Ok(match value {
                    Some(value) => Record::Group(group, decode_group(Fields::of(value))?),
                    None => Record::NoGroup(group),
                })
            }
            version => Err(Malformed::Version(version)),
        }
    }
}

fn offset_key(group: &str, partition: &TopicPartition) -> Vec<u8> {
    let mut to = Vec::new();
    to.put_i16(OFFSET_KEY);
    to.put_text(group);
    to.put_text(&partition.topic);
    to.put_i32(partition.index);
    to
}

fn group_key(group: &str) -> Vec<u8> {
    let mut to = Vec::new();
    to.put_i16(GROUP_KEY);
    to.put_text(group);
    to
}

fn offset_value(value: &OffsetValue) -> Vec<u8> {
    let mut to = Vec::new();
    to.put_i16(if value.expires_ms.is_some() { VALUE_THAT_EXPIRES } else { VALUE });
    to.put_i64(value.offset);
    if value.expires_ms.is_none() {
        to.put_i32(value.leader_epoch);
    }
    to.put_text(&value.metadata);
    to.put_i64(value.committed_ms);
    if let Some(expires_ms) = value.expires_ms {
        to.put_i64(expires_ms);
    }
    to
}

fn group_value(value: &GroupValue) -> Vec<u8> {
    let mut to = Vec::new();
    to.put_i16(VALUE);
    to.put_text(&value.protocol_type);
    to.put_i32(value.generation);
    to.put_text_or_none(value.protocol.as_deref());
    to.put_text_or_none(value.leader.as_deref());
    to.put_i64(value.since_ms);
    to.put_count(value.members.len());
    for member in &value.members {
        to.put_text(&member.id);
        to.put_text_or_none(member.instance.as_deref());
        to.put_text(&member.client);
        to.put_text(&member.host);
        to.put_i32(member.rebalance_timeout_ms);
        to.put_i32(member.session_timeout_ms);
        to.put_bytes_field(&member.subscription);
        to.put_bytes_field(&member.assignment);
    }
    to
}

fn decode_offset(mut from: Fields<'_>) -> Result<OffsetValue, Malformed> {
    let version = version(&mut from)?;
    let offset = from.long()?;
    let leader_epoch = if version >= 3 { from.int()? } else { -1 };
    let (metadata, committed_ms) = (from.text()?, from.long()?);
    let expires_ms = if version == VALUE_THAT_EXPIRES { Some(from.long()?).filter(|ms| *ms >= 0) } else { None };
    Ok(OffsetValue { offset, leader_epoch, metadata, committed_ms, expires_ms })
}

fn decode_group(mut from: Fields<'_>) -> Result<GroupValue, Malformed> {
    let version = version(&mut from)?;
    Ok(GroupValue {
        protocol_type: from.text()?,
        generation: from.int()?,
        protocol: from.text_or_none()?,
        leader: from.text_or_none()?,
        since_ms: if version >= 2 { from.long()? } else { -1 },
        members: from.list(|from| decode_member(from, version))?,
    })
}

fn decode_member(from: &mut Fields<'_>, version: i16) -> Result<MemberValue, Malformed> {
    let id = from.text()?;
    let instance = if version >= 3 { from.text_or_none()? } else { None };
    let (client, host) = (from.text()?, from.text()?);
    let rebalance_timeout_ms = if version >= 1 { Some(from.int()?) } else { None };
    let session_timeout_ms = from.int()?;
    let rebalance_timeout_ms = rebalance_timeout_ms.unwrap_or(session_timeout_ms);
    let subscription = Bytes::copy_from_slice(from.bytes()?);
    let assignment = Bytes::copy_from_slice(from.bytes()?);
    Ok(MemberValue { id, instance, client, host, rebalance_timeout_ms, session_timeout_ms, subscription, assignment })
}

fn version(from: &mut Fields<'_>) -> Result<i16, Malformed> {
    let version = from.short()?;
    if (0..=VALUE).contains(&version) { Ok(version) } else { Err(Malformed::Version(version)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partition() -> TopicPartition {
        TopicPartition { topic: "t".to_owned(), index: 7 }
    }

    fn both_ways(record: &Record) -> Stored {
        let stored = record.encode();
        assert_eq!(Record::decode(&stored.key, stored.value.as_deref()).as_ref(), Ok(record));
        stored
    }

    #[test]
    fn a_position_is_written_as_kafka_writes_it() {
        let value = OffsetValue { offset: 5, leader_epoch: 2, metadata: "m".into(), committed_ms: 9, expires_ms: None };
        let stored = both_ways(&Record::Offset("g".to_owned(), partition(), value));
        assert_eq!(stored.key, b"\0\x01\0\x01g\0\x01t\0\0\0\x07");
        let expected = b"\0\x03\0\0\0\0\0\0\0\x05\0\0\0\x02\0\x01m\0\0\0\0\0\0\0\x09";
        assert_eq!(stored.value.unwrap(), expected);
    }

    #[test]
    fn a_position_with_its_own_expiry_is_written_in_the_version_that_has_one() {
        let value =
            OffsetValue { offset: 5, leader_epoch: -1, metadata: "".into(), committed_ms: 9, expires_ms: Some(8) };
        assert_eq!(both_ways(&Record::Offset("g".to_owned(), partition(), value)).value.unwrap()[..2], [0, 1]);
    }

    #[test]
    fn a_generation_and_tombstones_come_back_as_they_went() {
        let member = MemberValue {
            id: "c-1".to_owned(),
            instance: Some("i".to_owned()),
            session_timeout_ms: 10,
            rebalance_timeout_ms: 20,
            assignment: Bytes::from_static(b"share"),
            ..MemberValue::default()
        };
        let value = GroupValue {
            protocol_type: "consumer".to_owned(),
            generation: 3,
            protocol: Some("range".to_owned()),
            leader: Some("c-1".to_owned()),
            since_ms: 4,
            members: vec![member.clone(), MemberValue { instance: None, ..member }],
        };
        both_ways(&Record::Group("g".to_owned(), value.clone()));
        both_ways(&Record::Group("g".to_owned(), GroupValue { members: vec![], leader: None, ..value }));
        assert_eq!(both_ways(&Record::NoGroup("g".to_owned())).key, b"\0\x02\0\x01g");
        assert_eq!(both_ways(&Record::NoOffset("g".to_owned(), partition())).value, None);
    }

    #[test]
    fn no_prefix_of_a_record_and_no_later_kind_is_taken_for_one() {
        let value = GroupValue { members: vec![MemberValue::default(); 2], ..GroupValue::default() };
        let Stored { key, value } = Record::Group("g".to_owned(), value).encode();
        let value = value.unwrap();
        assert!((0..value.len()).all(|length| Record::decode(&key, Some(&value[..length])).is_err()));
        assert!((0..key.len()).all(|length| Record::decode(&key[..length], None).is_err()));
        assert_eq!(Record::decode(b"\0\x03\0\x01g", None), Err(Malformed::Version(3)));
        assert!(
            Record::decode(&key, Some(b"\0\x03\0\0\0\0\0\0\xff\xff\xff\xff\0\0\0\0\0\0\0\0\x7f\xff\xff\xff")).is_err()
        );
    }
}
