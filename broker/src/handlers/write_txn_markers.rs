//! WriteTxnMarkers (27): what ended transactions, from their coordinator to the leaders of the partitions they touched.
//! Tools use it too, to end a transaction that hangs (KIP-664).

use std::collections::BTreeMap;
use std::sync::Arc;

use kafka_protocol::messages::write_txn_markers_request::WritableTxnMarker;
use kafka_protocol::messages::write_txn_markers_response::{
    WritableTxnMarkerPartitionResult, WritableTxnMarkerResult, WritableTxnMarkerTopicResult,
};
use kafka_protocol::messages::{WriteTxnMarkersRequest, WriteTxnMarkersResponse};

use super::wire;
use crate::broker::Broker;
use crate::coordinator::transaction::markers::{self, Ending};
use crate::ids::TopicPartition;
use crate::log::ProducerId;
use crate::log::marker::Outcome;
use crate::server::call::{Call, Reply};
use crate::server::shape::Layout::{List, Structs, Text};
use crate::server::shape::{BYTE, INT, LONG, SHORT, Shape, always};

/// Most markers in one request.
const MARKERS_MAX: usize = 1000;

/// The body of a request.
pub const SHAPE: Shape = Shape {
    flexible_since: 1,
    fields: &[always(Structs(&[
        always(LONG),
        always(SHORT),
        always(BYTE),
        always(Structs(&[always(Text), always(List(&INT))])),
        always(INT),
    ]))],
};

/// Answers a call.
pub fn handle(broker: &Arc<Broker>, mut call: Call) -> Reply {
    let request = match call.decode::<WriteTxnMarkersRequest>() {
        Ok(request) => request,
        Err(error) => return Reply::Close(error),
    };
    let broker = broker.clone();
    call.later::<WriteTxnMarkersRequest, _>(async move {
        let mut results = Vec::new();
        for marker in request.markers.into_iter().take(MARKERS_MAX) {
            results.push(write(&broker, marker).await);
        }
        WriteTxnMarkersResponse::default().with_markers(results)
    })
}

async fn write(broker: &Arc<Broker>, marker: WritableTxnMarker) -> WritableTxnMarkerResult {
    let ending = Ending {
        producer: ProducerId(marker.producer_id.0),
        epoch: marker.producer_epoch,
        outcome: if marker.transaction_result { Outcome::Commit } else { Outcome::Abort },
        coordinator_epoch: marker.coordinator_epoch,
    };
    let partitions = marker.topics.iter().flat_map(|topic| {
        topic.partition_indexes.iter().map(|index| TopicPartition { topic: topic.name.to_string(), index: *index })
    });
    let mut topics: BTreeMap<String, Vec<WritableTxnMarkerPartitionResult>> = BTreeMap::new();
    for (one, answer) in markers::append(broker, &ending, partitions.collect()).await {
        let result = WritableTxnMarkerPartitionResult::default().with_partition_index(one.index);
        let result = result.with_error_code(answer.map_or_else(|error| error.code(), |()| 0));
        topics.entry(one.topic).or_default().push(result);
    }
    let topics = topics.into_iter().map(|(topic, results)| {
        WritableTxnMarkerTopicResult::default().with_name(wire::name(topic)).with_partitions(results)
    });
    WritableTxnMarkerResult::default().with_producer_id(marker.producer_id).with_topics(topics.collect())
}
