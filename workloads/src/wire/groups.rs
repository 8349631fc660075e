//! A group's positions, asked of its coordinator.

use super::cluster::Cluster;
use super::connection::Connection;
use super::data::topic_name;
use super::error::WireError;
use super::producer_id::CoordinatorOf;
use crate::clock::{self, Deadline};
use history::Offset;
use kafka_protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use kafka_protocol::messages::offset_fetch_request::OffsetFetchRequestTopic;
use kafka_protocol::messages::{GroupId, OffsetCommitRequest, OffsetFetchRequest};
use kafka_protocol::protocol::StrBytes;

const BETWEEN_ATTEMPTS_MS: u64 = 50;

/// Who stores a position, as it says itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Claimant<'a> {
    /// The group.
    pub group: &'a str,
    /// Its member id.
    pub member: &'a str,
    /// The generation it believes in.
    pub generation: i32,
}

impl Connection {
    /// Stores a position. Not to be repeated blindly: a lost answer may have been a yes.
    pub fn commit(
        &mut self,
        by: Claimant<'_>,
        (topic, partition): (&str, i32),
        position: Offset,
        deadline: Deadline,
    ) -> Result<(), WireError> {
        let text = |text: &str| StrBytes::from_string(text.to_owned());
        let part = OffsetCommitRequestPartition::default()
            .with_partition_index(partition)
            .with_committed_offset(position.0)
            .with_committed_metadata(Some(text("")));
        let topics = vec![OffsetCommitRequestTopic::default().with_name(topic_name(topic)).with_partitions(vec![part])];
        let request = OffsetCommitRequest::default()
            .with_group_id(GroupId(text(by.group)))
            .with_generation_id_or_member_epoch(by.generation)
            .with_member_id(text(by.member))
            .with_topics(topics);
        let answer = self.call(&request, deadline)?;
        let told = answer.topics.iter().flat_map(|t| &t.partitions).find(|p| p.partition_index == partition);
        let told = told.ok_or_else(|| self.protocol(format!("no answer about {topic}-{partition}")))?;
        WireError::check("OffsetCommit", told.error_code)
    }

    /// The position a group has stored for a partition, −1 if none; positions of transactions still open are waited for
    /// where the broker can (KIP-447).
    pub fn committed(
        &mut self,
        group: &str,
        topic: &str,
        partition: i32,
        deadline: Deadline,
    ) -> Result<Offset, WireError> {
        let asked =
            OffsetFetchRequestTopic::default().with_name(topic_name(topic)).with_partition_indexes(vec![partition]);
        let stable = self.version::<OffsetFetchRequest>()? >= 7;
        let request = OffsetFetchRequest::default()
            .with_group_id(GroupId(StrBytes::from_string(group.to_owned())))
            .with_topics(Some(vec![asked]))
            .with_require_stable(stable);
        let answer = self.call(&request, deadline)?;
        WireError::check("OffsetFetch", answer.error_code)?;
        let told = answer.topics.iter().flat_map(|t| &t.partitions).find(|p| p.partition_index == partition);
        let told = told.ok_or_else(|| self.protocol(format!("no answer about {topic}-{partition}")))?;
        WireError::check("OffsetFetch", told.error_code)?;
        Ok(Offset(told.committed_offset))
    }
}

impl Cluster {
    /// As [`Connection::commit`], once, at whoever coordinates the group by now.
    pub fn commit_once(
        &mut self,
        by: Claimant<'_>,
        place: (&str, i32),
        position: Offset,
        deadline: Deadline,
    ) -> Result<(), WireError> {
        let (_, address) = self.anybody(deadline, |c, d| c.find_coordinator(CoordinatorOf::Group, by.group, d))?;
        self.at(&address, deadline, |c: &mut Connection, d| c.commit(by, place, position, d))
    }

    /// As [`Connection::committed`], from whoever coordinates the group by then.
    pub fn committed(
        &mut self,
        group: &str,
        topic: &str,
        partition: i32,
        deadline: Deadline,
    ) -> Result<Offset, WireError> {
        loop {
            let coordinator = self.anybody(deadline, |c, d| c.find_coordinator(CoordinatorOf::Group, group, d));
            let attempt = match coordinator {
                Ok((_, address)) => {
                    let ask = |c: &mut Connection, d| c.committed(group, topic, partition, d);
                    self.at(&address, deadline, ask)
                }
                Err(error) => Err(error),
            };
            match attempt {
                Err(error) if error.may_pass() && clock::between_attempts(BETWEEN_ATTEMPTS_MS, deadline) => {}
                other => return other,
            }
        }
    }
}
