//! Asking a partition's leader for its offsets and epochs.

use super::connection::Connection;
use super::data::{Isolation, topic_name};
use super::error::WireError;
use crate::clock::Deadline;
use history::{LeaderEpoch, Offset};
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::offset_for_leader_epoch_request::{OffsetForLeaderPartition, OffsetForLeaderTopic};
use kafka_protocol::messages::{ListOffsetsRequest, OffsetForLeaderEpochRequest};

/// Which offset of a log is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OffsetAt {
    /// The readable end: the high watermark, or under [`Isolation::ReadCommitted`] the last stable offset.
    Latest(Isolation),
    /// The first retained.
    Earliest,
    /// The first whose timestamp is at or after this, ms since 1970; −1 if there is none.
    Time(i64),
}

impl OffsetAt {
    fn wire(self) -> (i64, Isolation) {
        match self {
            OffsetAt::Latest(isolation) => (-1, isolation),
            OffsetAt::Earliest => (-2, Isolation::ReadUncommitted),
            OffsetAt::Time(ms) => (ms.max(0), Isolation::ReadUncommitted),
        }
    }
}

impl Connection {
    /// One offset of a partition, with the epoch of the leader's reign that goes with it (−1 where not told).
    pub fn list_offset(
        &mut self,
        topic: &str,
        partition: i32,
        at: OffsetAt,
        deadline: Deadline,
    ) -> Result<(Offset, LeaderEpoch), WireError> {
        let (timestamp, isolation) = at.wire();
        let part = ListOffsetsPartition::default()
            .with_partition_index(partition)
            .with_current_leader_epoch(-1)
            .with_timestamp(timestamp);
        let topics = vec![ListOffsetsTopic::default().with_name(topic_name(topic)).with_partitions(vec![part])];
        let request = ListOffsetsRequest::default()
            .with_replica_id((-1).into())
            .with_isolation_level(if self.version::<ListOffsetsRequest>()? >= 2 { isolation as i8 } else { 0 })
            .with_topics(topics);
        let answer = self.call(&request, deadline)?;
        let told = answer.topics.iter().flat_map(|t| &t.partitions).find(|p| p.partition_index == partition);
        let told = told.ok_or_else(|| self.protocol(format!("no answer about {topic}-{partition}")))?;
        WireError::check("ListOffsets", told.error_code)?;
        Ok((Offset(told.offset), LeaderEpoch(told.leader_epoch)))
    }

    /// Where the reign `epoch`, or the last one before it, ends in the leader's log.
    pub fn epoch_end(
        &mut self,
        topic: &str,
        partition: i32,
        epoch: LeaderEpoch,
        deadline: Deadline,
    ) -> Result<(LeaderEpoch, Offset), WireError> {
        let part = OffsetForLeaderPartition::default()
            .with_partition(partition)
            .with_current_leader_epoch(-1)
            .with_leader_epoch(epoch.0);
        let topics = vec![OffsetForLeaderTopic::default().with_topic(topic_name(topic)).with_partitions(vec![part])];
        let replica = if self.version::<OffsetForLeaderEpochRequest>()? >= 3 { -1 } else { -2 };
        let request = OffsetForLeaderEpochRequest::default().with_replica_id(replica.into()).with_topics(topics);
        let answer = self.call(&request, deadline)?;
        let told = answer.topics.iter().flat_map(|t| &t.partitions).find(|p| p.partition == partition);
        let told = told.ok_or_else(|| self.protocol(format!("no answer about {topic}-{partition}")))?;
        WireError::check("OffsetForLeaderEpoch", told.error_code)?;
        Ok((LeaderEpoch(told.leader_epoch), Offset(told.end_offset)))
    }
}
