//! DescribeQuorum (55): which controller is active (KIP-595). Any broker answers, as with Kafka, by asking the quorum.
//!
//! Told of each voter is its id; how far it has come only of the active one, who alone was asked.

use std::sync::Arc;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::describe_quorum_response::{PartitionData, ReplicaState, TopicData};
use kafka_protocol::messages::{DescribeQuorumRequest, DescribeQuorumResponse};

use super::wire;
use crate::broker::Broker;
use crate::metadata::rpc::QuorumDescription;
use crate::server::call::{Call, Reply};
use crate::server::shape::Layout::{Structs, Text};
use crate::server::shape::{INT, Shape, always};

/// The one log that it can be asked about.
const LOG: &str = "__cluster_metadata";
const UNKNOWN: i64 = -1;

/// The body of a request.
pub const SHAPE: Shape =
    Shape { flexible_since: 0, fields: &[always(Structs(&[always(Text), always(Structs(&[always(INT)]))]))] };

/// Answers a call.
pub fn handle(broker: &Arc<Broker>, mut call: Call) -> Reply {
    let request = match call.decode::<DescribeQuorumRequest>() {
        Ok(request) => request,
        Err(error) => return Reply::Close(error),
    };
    let broker = broker.clone();
    call.later::<DescribeQuorumRequest, _>(async move {
        match broker.controller.describe_quorum().await {
            Err(error) => DescribeQuorumResponse::default().with_error_code(error.kafka_code()),
            Ok(quorum) => response(&request, &quorum),
        }
    })
}

fn response(request: &DescribeQuorumRequest, quorum: &QuorumDescription) -> DescribeQuorumResponse {
    let topics = request.topics.iter().map(|asked| {
        let partitions =
            asked.partitions.iter().map(|partition| match (&**asked.topic_name, partition.partition_index) {
                (LOG, 0) => described(quorum),
                (_, index) => PartitionData::default()
                    .with_partition_index(index)
                    .with_error_code(ResponseError::UnknownTopicOrPartition.code()),
            });
        TopicData::default().with_topic_name(asked.topic_name.clone()).with_partitions(partitions.collect())
    });
    DescribeQuorumResponse::default().with_topics(topics.collect())
}

fn described(quorum: &QuorumDescription) -> PartitionData {
    let end = i64::try_from(quorum.version.0).unwrap_or(i64::MAX);
    let voters = quorum.voters.iter().map(|(voter, _)| {
        let known = if quorum.leader == Some(*voter) { end } else { UNKNOWN };
        ReplicaState::default()
            .with_replica_id(wire::broker(Some(*voter)))
            .with_log_end_offset(known)
            .with_last_fetch_timestamp(UNKNOWN)
            .with_last_caught_up_timestamp(UNKNOWN)
    });
    PartitionData::default()
        .with_leader_id(wire::broker(quorum.leader))
        .with_leader_epoch(i32::try_from(quorum.term).unwrap_or(i32::MAX))
        .with_high_watermark(end)
        .with_current_voters(voters.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::NodeId;
    use crate::metadata::ids::Version;
    use kafka_protocol::messages::describe_quorum_request::{PartitionData as Asked, TopicData as AskedTopic};

    #[test]
    fn the_active_controller_is_told_of_the_metadata_log_and_of_no_other() {
        let voters = [100, 101, 102].map(|id| (NodeId(id), String::new())).to_vec();
        let quorum = QuorumDescription { leader: Some(NodeId(101)), term: 4, voters, version: Version(9) };
        let asked = |name: &str, index| {
            let partitions = vec![Asked::default().with_partition_index(index)];
            AskedTopic::default().with_topic_name(wire::name(name)).with_partitions(partitions)
        };
        let request = DescribeQuorumRequest::default().with_topics(vec![asked(LOG, 0), asked(LOG, 1), asked("t", 0)]);
        let answer = response(&request, &quorum);
        let told: Vec<_> = answer.topics.iter().flat_map(|t| &t.partitions).collect();
        assert_eq!((told[0].error_code, told[0].leader_id.0, told[0].leader_epoch), (0, 101, 4));
        let ends: Vec<i64> = told[0].current_voters.iter().map(|v| v.log_end_offset).collect();
        assert_eq!(ends, [UNKNOWN, 9, UNKNOWN]);
        assert!(told[1..].iter().all(|p| p.error_code == ResponseError::UnknownTopicOrPartition.code()));
    }
}
