//! Where arbitrary bytes may come in, as functions that take them: for fuzzing and for tests with damaged input.
//!
//! Each must return, whatever it is given: no panic, and no memory beyond what the bytes themselves justify. The bounded
//! runs are in `tests/hostile.rs`, the unbounded ones in `fuzz/`.

use std::path::Path;

use bytes::Bytes;
use kafka_protocol::messages::*;
use kafka_protocol::protocol::Decodable;

use crate::handlers;
use crate::ids::Offset;
use crate::log::checkpoint::{LEADER_EPOCH_FILE, RECOVERY_POINT_FILE, read_epochs, read_offsets};
use crate::log::identity::{CleanShutdown, FolderIdentity, read_topic_id};
use crate::log::{Log, LogConfig, LogError, Opening, Stop, producer_snapshot};
use crate::server::call::Call;

/// A frame off a socket, without its length: header, shape, body. Whether it is a request.
pub fn wire(frame: &[u8]) -> bool {
    let Ok(call) = Call::parse(Bytes::copy_from_slice(frame), 0, std::sync::Arc::default(), 1) else { return false };
    handlers::fits(&call) && decode(call.api, call.body, call.version)
}

/// A request's body, if it is one of an API that is offered.
pub fn decode(key: ApiKey, mut body: Bytes, version: i16) -> bool {
    macro_rules! decode {
        ($($api:ident $request:ident),*) => {
            match key {
                $(ApiKey::$api => $request::decode(&mut body, version).is_ok(),)*
                _ => false,
            }
        };
    }
    decode! {
        Produce ProduceRequest, Fetch FetchRequest, ListOffsets ListOffsetsRequest, Metadata MetadataRequest,
        FindCoordinator FindCoordinatorRequest, ApiVersions ApiVersionsRequest, CreateTopics CreateTopicsRequest,
        DeleteTopics DeleteTopicsRequest, InitProducerId InitProducerIdRequest,
        OffsetForLeaderEpoch OffsetForLeaderEpochRequest, DescribeConfigs DescribeConfigsRequest,
        CreatePartitions CreatePartitionsRequest, DescribeCluster DescribeClusterRequest,
        AlterConfigs AlterConfigsRequest, IncrementalAlterConfigs IncrementalAlterConfigsRequest,
        DeleteRecords DeleteRecordsRequest, ElectLeaders ElectLeadersRequest,
        AlterPartitionReassignments AlterPartitionReassignmentsRequest, DescribeLogDirs DescribeLogDirsRequest,
        ListPartitionReassignments ListPartitionReassignmentsRequest,
        OffsetCommit OffsetCommitRequest, OffsetFetch OffsetFetchRequest, JoinGroup JoinGroupRequest,
        Heartbeat HeartbeatRequest, LeaveGroup LeaveGroupRequest, SyncGroup SyncGroupRequest,
        DescribeGroups DescribeGroupsRequest, ListGroups ListGroupsRequest, DeleteGroups DeleteGroupsRequest,
        OffsetDelete OffsetDeleteRequest, AddPartitionsToTxn AddPartitionsToTxnRequest,
        AddOffsetsToTxn AddOffsetsToTxnRequest, EndTxn EndTxnRequest, TxnOffsetCommit TxnOffsetCommitRequest,
        WriteTxnMarkers WriteTxnMarkersRequest, DescribeProducers DescribeProducersRequest,
        DescribeTransactions DescribeTransactionsRequest, ListTransactions ListTransactionsRequest,
        DescribeQuorum DescribeQuorumRequest
    }
}

/// A folder's log after an unclean stop, with whatever is in its files: opens it, reads it through, appends nothing.
/// Says where the log ends.
///
/// # Errors
/// [`LogError`]: the disk's own, never for what the files hold.
pub fn recovery(folder: &Path) -> Result<Offset, LogError> {
    let opening = Opening {
        stop: Stop::Unclean,
        recovery_point: Offset(0),
        log_start: Offset(0),
        high_watermark: Offset(i64::MAX),
        now_ms: 0,
    };
    let (log, _) = Log::open(folder, LogConfig::default(), opening)?;
    let mut at = log.start_offset();
    while let Ok(bytes) = log.read(at, 1 << 16, Offset(i64::MAX), true) {
        let batches = crate::log::batch::Batches::new(&bytes).map_while(Result::ok);
        let Some(next) = batches.last().map(|last| last.header.next_offset()) else { break };
        at = next;
    }
    Ok(log.end_offset())
}

/// Every small file of a folder, as whatever bytes are put into it. How many of them could be understood.
///
/// # Errors
/// [`std::io::Error`] if the folder cannot be written.
pub fn checkpoints(folder: &Path, bytes: &[u8]) -> std::io::Result<usize> {
    use crate::log::identity::{CLEAN_SHUTDOWN_FILE, META_PROPERTIES_FILE, PARTITION_METADATA_FILE};
    let names =
        [RECOVERY_POINT_FILE, LEADER_EPOCH_FILE, META_PROPERTIES_FILE, PARTITION_METADATA_FILE, CLEAN_SHUTDOWN_FILE];
    for name in names {
        std::fs::write(folder.join(name), bytes)?;
    }
    let understood = [
        read_offsets(&folder.join(RECOVERY_POINT_FILE)).is_ok(),
        read_epochs(&folder.join(LEADER_EPOCH_FILE)).is_ok(),
        FolderIdentity::read(folder).is_ok(),
        read_topic_id(folder).is_ok(),
        CleanShutdown::read(folder).is_ok(),
        producer_snapshot::decode(bytes).is_ok(),
    ];
    Ok(understood.into_iter().filter(|understood| *understood).count())
}
