//! One API a file, one table that says which versions are offered and who answers.
//!
//! A handler decodes, asks the partitions or the controller, and encodes. Whatever must happen in the order of a
//! connection's requests (an append) happens before the handler returns; whatever waits is a future, polled when every
//! earlier answer is out. Records are never decoded here.
//!
//! To add an API: a file beside this one with its `SHAPE` and `handle`, and a row in `TABLE`.

mod add_offsets_to_txn;
mod add_partitions_to_txn;
mod alter_configs;
mod alter_reassignments;
mod api_versions;
mod configs;
mod create_partitions;
mod create_topics;
mod delete_groups;
mod delete_records;
mod delete_topics;
mod describe_cluster;
mod describe_configs;
mod describe_groups;
mod describe_log_dirs;
mod describe_producers;
mod describe_quorum;
mod describe_transactions;
mod elect_leaders;
mod end_txn;
mod fetch;
mod find_coordinator;
mod groups;
mod heartbeat;
mod incremental_alter_configs;
mod init_producer_id;
mod join_group;
mod leader_epoch;
mod leave_group;
mod list_groups;
mod list_offsets;
mod list_reassignments;
mod list_transactions;
mod metadata;
mod offset_commit;
mod offset_delete;
mod offset_fetch;
mod produce;
mod produce_old;
mod produce_verified;
mod sync_group;
mod txn_offset_commit;
mod wire;
mod write_txn_markers;

use std::sync::Arc;

use kafka_protocol::messages::ApiKey;

use crate::broker::Broker;
use crate::server::call::{Call, CallError, Reply};
use crate::server::shape::Shape;

type Handler = fn(&Arc<Broker>, Call) -> Reply;

/// One API: the versions clients are told of, the versions that are answered, and who answers.
struct Api {
    key: ApiKey,
    offered: (i16, i16),
    answered: (i16, i16),
    shape: &'static Shape,
    handler: Handler,
}

const fn api(key: ApiKey, (min, max): (i16, i16), shape: &'static Shape, handler: Handler) -> Api {
    Api { key, offered: (min, max), answered: (min, max), shape, handler }
}

/// What is offered is what Kafka 4.1 offers at the low end (KIP-896). Produce 0 to 2 are offered and refused, because
/// librdkafka before 2.11.1 takes their absence for a lack of features (KAFKA-18659). Fetch 13 to 17, with topic ids and
/// broker epochs, and AddPartitionsToTxn 4, which only asks, are answered to brokers and not offered to clients.
const TABLE: &[Api] = &[
    api(ApiKey::Produce, (0, 11), &produce::SHAPE, produce::handle),
    Api { answered: (4, 17), ..api(ApiKey::Fetch, (4, 12), &fetch::SHAPE, fetch::handle) },
    api(ApiKey::ListOffsets, (1, 9), &list_offsets::SHAPE, list_offsets::handle),
    api(ApiKey::Metadata, (0, 12), &metadata::SHAPE, metadata::handle),
    api(ApiKey::OffsetCommit, (2, 8), &offset_commit::SHAPE, offset_commit::handle),
    api(ApiKey::OffsetFetch, (1, 8), &offset_fetch::SHAPE, offset_fetch::handle),
    api(ApiKey::FindCoordinator, (0, 4), &find_coordinator::SHAPE, find_coordinator::handle),
    api(ApiKey::JoinGroup, (0, 9), &join_group::SHAPE, join_group::handle),
    api(ApiKey::Heartbeat, (0, 4), &heartbeat::SHAPE, heartbeat::handle),
    api(ApiKey::LeaveGroup, (0, 5), &leave_group::SHAPE, leave_group::handle),
    api(ApiKey::SyncGroup, (0, 5), &sync_group::SHAPE, sync_group::handle),
    api(ApiKey::DescribeGroups, (0, 5), &describe_groups::SHAPE, describe_groups::handle),
    api(ApiKey::ListGroups, (0, 5), &list_groups::SHAPE, list_groups::handle),
    api(ApiKey::ApiVersions, (0, 4), &api_versions::SHAPE, api_versions::handle),
    api(ApiKey::CreateTopics, (2, 7), &create_topics::SHAPE, create_topics::handle),
    api(ApiKey::DeleteTopics, (1, 6), &delete_topics::SHAPE, delete_topics::handle),
    api(ApiKey::DeleteRecords, (0, 2), &delete_records::SHAPE, delete_records::handle),
    api(ApiKey::InitProducerId, (0, 4), &init_producer_id::SHAPE, init_producer_id::handle),
    Api {
        answered: (0, 4),
        ..api(ApiKey::AddPartitionsToTxn, (0, 3), &add_partitions_to_txn::SHAPE, add_partitions_to_txn::handle)
    },
    api(ApiKey::AddOffsetsToTxn, (0, 3), &add_offsets_to_txn::SHAPE, add_offsets_to_txn::handle),
    api(ApiKey::TxnOffsetCommit, (0, 3), &txn_offset_commit::SHAPE, txn_offset_commit::handle),
    api(ApiKey::EndTxn, (0, 3), &end_txn::SHAPE, end_txn::handle),
    api(ApiKey::WriteTxnMarkers, (1, 1), &write_txn_markers::SHAPE, write_txn_markers::handle),
    api(ApiKey::DescribeProducers, (0, 0), &describe_producers::SHAPE, describe_producers::handle),
    api(ApiKey::DescribeTransactions, (0, 0), &describe_transactions::SHAPE, describe_transactions::handle),
    api(ApiKey::ListTransactions, (0, 0), &list_transactions::SHAPE, list_transactions::handle),
    api(ApiKey::OffsetForLeaderEpoch, (2, 4), &leader_epoch::SHAPE, leader_epoch::handle),
    api(ApiKey::DescribeConfigs, (1, 4), &describe_configs::SHAPE, describe_configs::handle),
    api(ApiKey::AlterConfigs, (0, 2), &alter_configs::SHAPE, alter_configs::handle),
    api(ApiKey::DescribeLogDirs, (1, 4), &describe_log_dirs::SHAPE, describe_log_dirs::handle),
    api(ApiKey::CreatePartitions, (0, 3), &create_partitions::SHAPE, create_partitions::handle),
    api(ApiKey::ElectLeaders, (0, 2), &elect_leaders::SHAPE, elect_leaders::handle),
    api(ApiKey::IncrementalAlterConfigs, (0, 1), &incremental_alter_configs::SHAPE, incremental_alter_configs::handle),
    api(ApiKey::AlterPartitionReassignments, (0, 0), &alter_reassignments::SHAPE, alter_reassignments::handle),
    api(ApiKey::ListPartitionReassignments, (0, 0), &list_reassignments::SHAPE, list_reassignments::handle),
    api(ApiKey::DeleteGroups, (0, 2), &delete_groups::SHAPE, delete_groups::handle),
    api(ApiKey::OffsetDelete, (0, 0), &offset_delete::SHAPE, offset_delete::handle),
    api(ApiKey::DescribeQuorum, (0, 1), &describe_quorum::SHAPE, describe_quorum::handle),
    api(ApiKey::DescribeCluster, (0, 1), &describe_cluster::SHAPE, describe_cluster::handle),
];

/// Whether a call is one that would be handed to its handler.
pub fn fits(call: &Call) -> bool {
    let api = TABLE.iter().find(|api| api.key == call.api);
    api.is_some_and(|api| {
        (api.answered.0..=api.answered.1).contains(&call.version) && api.shape.fits(&call.body, call.version)
    })
}

/// Hands a call to whoever answers it.
pub fn dispatch(broker: &Arc<Broker>, call: Call) -> Reply {
    let Some(api) = TABLE.iter().find(|api| api.key == call.api) else {
        return Reply::Close(CallError::UnknownApi(call.api as i16));
    };
    if (api.answered.0..=api.answered.1).contains(&call.version) {
        let refused = call.api == ApiKey::Produce && call.version < produce::OLDEST_DECODED;
        if refused || api.shape.fits(&call.body, call.version) {
            (api.handler)(broker, call)
        } else {
            Reply::Close(CallError::Malformed(format!("body of {:?} {}", call.api, call.version)))
        }
    } else if call.api == ApiKey::ApiVersions {
        api_versions::unsupported(&call)
    } else {
        Reply::Close(CallError::Version { api: call.api, version: call.version })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hostile;
    use bytes::Bytes;
    use proptest::prelude::*;

    fn api_and_version() -> impl Strategy<Value = (usize, i16)> {
        (0..TABLE.len()).prop_flat_map(|place| {
            let (min, max) = TABLE[place].answered;
            let min = if TABLE[place].key == ApiKey::Produce { produce::OLDEST_DECODED } else { min };
            (Just(place), min..=max)
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 5000, failure_persistence: None, ..ProptestConfig::default() })]

        /// Small numbers are frequent, so that lengths are often plausible.
        #[test]
        fn a_body_that_fits_its_shape_is_decoded_or_refused_but_never_a_panic(
            (place, version) in api_and_version(),
            body in prop::collection::vec(prop_oneof![3 => 0..4u8, 1 => any::<u8>()], 0..120),
        ) {
            let api = &TABLE[place];
            if api.shape.fits(&body, version) {
                hostile::decode(api.key, Bytes::from(body), version);
            }
        }
    }
}
