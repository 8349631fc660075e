//! Replaces the addresses that a node hands out by those of the doors: in Metadata, FindCoordinator and DescribeCluster.
//!
//! For nodes that cannot be told to advertise anything but their own port. An answer that cannot be decoded, or names no
//! node with a door, is left as it is.

use super::spec::ProxySpec;
use bytes::{Bytes, BytesMut};
use history::NodeId;
use kafka_protocol::messages::{
    ApiKey, BrokerId, DescribeClusterResponse, FindCoordinatorResponse, MetadataResponse, ResponseHeader,
};
use kafka_protocol::protocol::{Decodable, Encodable, StrBytes};
use std::net::SocketAddr;

/// The answer with other addresses, if it hands out addresses.
pub(super) fn addresses(frame: &Bytes, (api_key, version): (i16, i16), spec: &ProxySpec) -> Option<Bytes> {
    let key = ApiKey::try_from(api_key).ok()?;
    let header_version = key.response_header_version(version);
    let mut body = frame.slice(4..);
    let header = ResponseHeader::decode(&mut body, header_version).ok()?;
    let mut out = BytesMut::zeroed(4);
    header.encode(&mut out, header_version).ok()?;
    match key {
        ApiKey::Metadata => metadata(body, version, spec)?.encode(&mut out, version).ok()?,
        ApiKey::FindCoordinator => coordinator(body, version, spec)?.encode(&mut out, version).ok()?,
        ApiKey::DescribeCluster => cluster(body, version, spec)?.encode(&mut out, version).ok()?,
        _ => return None,
    }
    let length = u32::try_from(out.len() - 4).ok()?;
    out[..4].copy_from_slice(&length.to_be_bytes());
    Some(out.freeze())
}

fn metadata(mut body: Bytes, version: i16, spec: &ProxySpec) -> Option<MetadataResponse> {
    let mut answer = MetadataResponse::decode(&mut body, version).ok()?;
    for broker in &mut answer.brokers {
        if let Some(door) = door(broker.node_id, spec) {
            (broker.host, broker.port) = (host(door), door.port().into());
        }
    }
    Some(answer)
}

fn coordinator(mut body: Bytes, version: i16, spec: &ProxySpec) -> Option<FindCoordinatorResponse> {
    let mut answer = FindCoordinatorResponse::decode(&mut body, version).ok()?;
    if let Some(door) = door(answer.node_id, spec).filter(|_| version < 4) {
        (answer.host, answer.port) = (host(door), door.port().into());
    }
    for coordinator in &mut answer.coordinators {
        if let Some(door) = door(coordinator.node_id, spec) {
            (coordinator.host, coordinator.port) = (host(door), door.port().into());
        }
    }
    Some(answer)
}

fn cluster(mut body: Bytes, version: i16, spec: &ProxySpec) -> Option<DescribeClusterResponse> {
    let mut answer = DescribeClusterResponse::decode(&mut body, version).ok()?;
    for broker in &mut answer.brokers {
        if let Some(door) = door(broker.broker_id, spec) {
            (broker.host, broker.port) = (host(door), door.port().into());
        }
    }
    Some(answer)
}

fn door(broker: BrokerId, spec: &ProxySpec) -> Option<SocketAddr> {
    spec.door_of(NodeId(broker.0))
}

fn host(door: SocketAddr) -> StrBytes {
    StrBytes::from_string(door.ip().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proxy::{DoorSpec, Speech};
    use kafka_protocol::messages::describe_cluster_response::DescribeClusterBroker;
    use kafka_protocol::messages::find_coordinator_response::Coordinator;
    use kafka_protocol::messages::metadata_response::MetadataResponseBroker;
    use kafka_protocol::protocol::HeaderVersion;

    fn spec() -> ProxySpec {
        let door = |n: u16| DoorSpec {
            node: NodeId(n.into()),
            listens: SocketAddr::from(([127, 0, 0, 1], 9000 + n)),
            target: SocketAddr::from(([127, 0, 0, 1], 8000 + n)),
            speech: Speech::KafkaRewritten,
        };
        ProxySpec { control: "x".into(), doors: vec![door(1), door(2)] }
    }

    fn framed<M: Encodable + HeaderVersion>(answer: &M, version: i16) -> Bytes {
        let mut out = BytesMut::zeroed(4);
        ResponseHeader::default().with_correlation_id(7).encode(&mut out, M::header_version(version)).unwrap();
        answer.encode(&mut out, version).unwrap();
        let length = (out.len() - 4) as u32;
        out[..4].copy_from_slice(&length.to_be_bytes());
        out.freeze()
    }

    fn own(port: i32) -> (StrBytes, i32) {
        (StrBytes::from_static_str("localhost"), port)
    }

    #[test]
    fn every_version_of_metadata_names_doors_and_leaves_nodes_without_one() {
        for version in 0..=12 {
            let broker = |id: i32| {
                let (host, port) = own(8000 + id);
                MetadataResponseBroker::default().with_node_id(BrokerId(id)).with_host(host).with_port(port)
            };
            let answer = MetadataResponse::default().with_brokers(vec![broker(1), broker(2), broker(3)]);
            let out = addresses(&framed(&answer, version), (3, version), &spec()).unwrap();
            let mut body = out.slice(4..);
            let header = ResponseHeader::decode(&mut body, MetadataResponse::header_version(version)).unwrap();
            let answer = MetadataResponse::decode(&mut body, version).unwrap();
            let ports: Vec<i32> = answer.brokers.iter().map(|b| b.port).collect();
            assert_eq!((header.correlation_id, ports), (7, vec![9001, 9002, 8003]), "version {version}");
        }
    }

    #[test]
    fn a_coordinator_is_named_by_its_door() {
        for version in 0..=4 {
            let (host, port) = own(8002);
            let answer = match version {
                4 => {
                    let one = Coordinator::default().with_node_id(BrokerId(2)).with_host(host).with_port(port);
                    FindCoordinatorResponse::default().with_coordinators(vec![one])
                }
                _ => FindCoordinatorResponse::default().with_node_id(BrokerId(2)).with_host(host).with_port(port),
            };
            let out = addresses(&framed(&answer, version), (10, version), &spec()).unwrap();
            let mut body = out.slice(4..);
            ResponseHeader::decode(&mut body, FindCoordinatorResponse::header_version(version)).unwrap();
            let answer = FindCoordinatorResponse::decode(&mut body, version).unwrap();
            assert_eq!(answer.coordinators.first().map_or(answer.port, |c| c.port), 9002, "version {version}");
        }
    }

    #[test]
    fn a_cluster_is_described_by_its_doors() {
        let (host, port) = own(8001);
        let broker = DescribeClusterBroker::default().with_broker_id(BrokerId(1)).with_host(host).with_port(port);
        let answer = DescribeClusterResponse::default().with_brokers(vec![broker]);
        let out = addresses(&framed(&answer, 0), (60, 0), &spec()).unwrap();
        let mut body = out.slice(4..);
        ResponseHeader::decode(&mut body, DescribeClusterResponse::header_version(0)).unwrap();
        assert_eq!(DescribeClusterResponse::decode(&mut body, 0).unwrap().brokers[0].port, 9001);
    }

    #[test]
    fn what_hands_out_no_address_or_is_garbage_is_left_alone() {
        let produce = framed(&kafka_protocol::messages::ProduceResponse::default(), 7);
        assert_eq!(addresses(&produce, (0, 7), &spec()), None);
        assert_eq!(addresses(&Bytes::from_static(&[0, 0, 0, 3, 1, 2, 3]), (3, 9), &spec()), None);
        assert_eq!(addresses(&Bytes::from_static(&[0, 0, 0, 0]), (999, 9), &spec()), None);
    }
}
