//! A consumer group's side of the protocol, request by request.

use std::collections::BTreeMap;

use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use kafka_protocol::messages::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::*;
use kafka_protocol::protocol::StrBytes;

use super::wire::{Wire, name};
use super::{Cluster, until};

pub const JOIN: i16 = 9;
pub const SYNC: i16 = 5;
pub const HEARTBEAT: i16 = 4;
pub const LEAVE: i16 = 5;
pub const COMMIT: i16 = 8;
pub const FETCH: i16 = 8;

pub fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

/// A subscription to topic `t` as consumers write it.
pub fn subscription() -> Bytes {
    Bytes::from_static(b"\0\0\0\0\0\x01\0\x01t\xff\xff\xff\xff")
}

pub fn join(group: &str, member: &str) -> JoinGroupRequest {
    let protocol = JoinGroupRequestProtocol::default().with_name(text("range")).with_metadata(subscription());
    JoinGroupRequest::default()
        .with_group_id(text(group).into())
        .with_session_timeout_ms(10_000)
        .with_rebalance_timeout_ms(20_000)
        .with_member_id(text(member))
        .with_protocol_type(text("consumer"))
        .with_protocols(vec![protocol])
}

pub fn sync(group: &str, member: &str, generation: i32, shares: &BTreeMap<String, Bytes>) -> SyncGroupRequest {
    let share = |(member, share): (&String, &Bytes)| {
        SyncGroupRequestAssignment::default().with_member_id(text(member)).with_assignment(share.clone())
    };
    SyncGroupRequest::default()
        .with_group_id(text(group).into())
        .with_generation_id(generation)
        .with_member_id(text(member))
        .with_protocol_type(Some(text("consumer")))
        .with_protocol_name(Some(text("range")))
        .with_assignments(shares.iter().map(share).collect())
}

pub fn heartbeat(group: &str, member: &str, generation: i32) -> HeartbeatRequest {
    let request = HeartbeatRequest::default().with_group_id(text(group).into()).with_member_id(text(member));
    request.with_generation_id(generation)
}

pub fn leave(group: &str, members: &[&str]) -> LeaveGroupRequest {
    let member = |member: &&str| MemberIdentity::default().with_member_id(text(member));
    LeaveGroupRequest::default().with_group_id(text(group).into()).with_members(members.iter().map(member).collect())
}

/// A commit of one position in `t`; an empty member is a consumer without group.
pub fn commit(group: &str, (member, generation): (&str, i32), offset: i64) -> OffsetCommitRequest {
    let part = OffsetCommitRequestPartition::default().with_partition_index(0).with_committed_offset(offset);
    let part = part.with_committed_leader_epoch(-1).with_committed_metadata(Some(text("note")));
    let topic = OffsetCommitRequestTopic::default().with_name(name("t")).with_partitions(vec![part]);
    OffsetCommitRequest::default()
        .with_group_id(text(group).into())
        .with_member_id(text(member))
        .with_generation_id_or_member_epoch(generation)
        .with_topics(vec![topic])
}

impl Wire {
    /// Commits and gives the error of the partition.
    pub fn commit(&mut self, group: &str, by: (&str, i32), offset: i64) -> i16 {
        self.call(&commit(group, by, offset), COMMIT).topics[0].partitions[0].error_code
    }

    /// The position of a group in partition 0 of `t`, or the error.
    pub fn position(&mut self, group: &str) -> Result<i64, i16> {
        let topic = OffsetFetchRequestTopics::default().with_name(name("t")).with_partition_indexes(vec![0]);
        let group = OffsetFetchRequestGroup::default().with_group_id(text(group).into());
        let request = OffsetFetchRequest::default().with_groups(vec![group.with_topics(Some(vec![topic]))]);
        let group = self.call(&request, FETCH).groups.remove(0);
        match group.error_code {
            0 => Ok(group.topics[0].partitions[0].committed_offset),
            error => Err(error),
        }
    }

    /// Joins as a newcomer that takes the id it is told; does not wait for the generation.
    pub fn send_join(&mut self, group: &str) -> String {
        let told = self.call(&join(group, ""), JOIN);
        assert_eq!(told.error_code, ResponseError::MemberIdRequired.code());
        let member = told.member_id.to_string();
        self.send(&join(group, &member), JOIN);
        member
    }

    pub fn joined(&mut self) -> JoinGroupResponse {
        self.try_receive::<JoinGroupRequest>(JOIN).expect("an answer to a join").1
    }

    /// The only member of a group, at work: its id and generation.
    pub fn alone(&mut self, group: &str) -> (String, i32) {
        let member = self.send_join(group);
        let joined = self.joined();
        assert_eq!((joined.error_code, &*joined.leader), (0, &*member));
        let shares = BTreeMap::from([(member.clone(), Bytes::from_static(b"all"))]);
        let synced = self.call(&sync(group, &member, joined.generation_id, &shares), SYNC);
        assert_eq!((synced.error_code, &synced.assignment[..]), (0, &b"all"[..]));
        (member, joined.generation_id)
    }
}

impl Cluster {
    /// Who coordinates a group, by the word of a broker not in `not`; waits until it is somebody else and serves.
    pub fn coordinator(&self, group: &str, not: &[i32]) -> i32 {
        let ask = self.brokers().into_iter().find(|id| !not.contains(id)).unwrap();
        until("a coordinator that serves", || {
            let request = FindCoordinatorRequest::default().with_coordinator_keys(vec![text(group)]);
            let found = self.wire(ask).call(&request, 4).coordinators.remove(0);
            let id = Some(found.node_id.0).filter(|id| found.error_code == 0 && !not.contains(id))?;
            self.wire(id).position(group).ok().map(|_| id)
        })
    }
}
