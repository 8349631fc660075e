//! DescribeLogDirs (35): the log folder, its room, and the bytes of each replica in it.

use std::collections::BTreeMap;
use std::sync::Arc;

use kafka_protocol::messages::describe_log_dirs_request::DescribeLogDirsRequest;
use kafka_protocol::messages::describe_log_dirs_response::{
    DescribeLogDirsPartition, DescribeLogDirsResponse, DescribeLogDirsResult, DescribeLogDirsTopic,
};
use nix::sys::statvfs::statvfs;

use super::wire;
use crate::broker::Broker;
use crate::partition::Partition;
use crate::server::call::{Call, Reply};
use crate::server::shape::Layout::{List, Structs, Text};
use crate::server::shape::{INT, Shape, always};

const UNKNOWN_BYTES: i64 = -1;

/// The body of a request.
pub const SHAPE: Shape = Shape { flexible_since: 2, fields: &[always(Structs(&[always(Text), always(List(&INT))]))] };

/// Answers a call.
pub fn handle(broker: &Arc<Broker>, mut call: Call) -> Reply {
    let request = match call.decode::<DescribeLogDirsRequest>() {
        Ok(request) => request,
        Err(error) => return Reply::Close(error),
    };
    let response = DescribeLogDirsResponse::default().with_results(vec![folder(broker, &request)]);
    call.ready::<DescribeLogDirsRequest>(&response)
}

fn folder(broker: &Broker, request: &DescribeLogDirsRequest) -> DescribeLogDirsResult {
    let asked = |partition: &Arc<Partition>| {
        let (id, Some(topics)) = (partition.id(), &request.topics) else { return true };
        topics.iter().any(|topic| **topic.topic == *id.topic && topic.partitions.contains(&id.index))
    };
    let mut topics: BTreeMap<String, Vec<DescribeLogDirsPartition>> = BTreeMap::new();
    for partition in broker.replicas.all().iter().filter(|partition| asked(partition)) {
        topics.entry(partition.id().topic.clone()).or_default().push(describe(partition));
    }
    let topics = topics.into_iter().map(|(topic, mut partitions)| {
        partitions.sort_by_key(|partition| partition.partition_index);
        DescribeLogDirsTopic::default().with_name(wire::name(topic)).with_partitions(partitions)
    });
    let dir = &broker.config.log_dir;
    let (total_bytes, usable_bytes) = room(dir).unwrap_or((UNKNOWN_BYTES, UNKNOWN_BYTES));
    DescribeLogDirsResult::default()
        .with_log_dir(wire::text(dir.display().to_string()))
        .with_topics(topics.collect())
        .with_total_bytes(total_bytes)
        .with_usable_bytes(usable_bytes)
}

fn describe(partition: &Partition) -> DescribeLogDirsPartition {
    let (bytes, lag) = partition.size();
    DescribeLogDirsPartition::default()
        .with_partition_index(partition.id().index)
        .with_partition_size(i64::try_from(bytes).unwrap_or(i64::MAX))
        .with_offset_lag(lag)
}

fn room(dir: &std::path::Path) -> Option<(i64, i64)> {
    let disk = statvfs(dir).ok()?;
    let bytes = |blocks: u64| i64::try_from(blocks.saturating_mul(disk.fragment_size())).ok();
    Some((bytes(disk.blocks())?, bytes(disk.blocks_available())?))
}
