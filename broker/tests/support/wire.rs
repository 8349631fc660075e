//! A small blocking client that shares nothing with the broker but the codec.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::fetch_response::PartitionData;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::list_offsets_response::ListOffsetsPartitionResponse;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::metadata_response::MetadataResponsePartition;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::produce_response::PartitionProduceResponse;
use kafka_protocol::messages::{
    ApiKey, CreateTopicsRequest, FetchRequest, InitProducerIdRequest, ListOffsetsRequest, MetadataRequest,
    ProduceRequest, RequestHeader, ResponseHeader, TopicName,
};
use kafka_protocol::protocol::{Decodable, Encodable, Request, StrBytes};

/// One connection.
pub struct Wire {
    stream: TcpStream,
    correlation: i32,
}

pub fn name(topic: &str) -> TopicName {
    TopicName(StrBytes::from_string(topic.to_owned()))
}

impl Wire {
    pub fn to(port: u16) -> Wire {
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        Wire { stream, correlation: 0 }
    }

    pub fn send<R: Request>(&mut self, request: &R, version: i16) {
        self.correlation += 1;
        let key = ApiKey::try_from(R::KEY).unwrap();
        let header = RequestHeader::default().with_request_api_key(R::KEY).with_request_api_version(version);
        let mut frame = BytesMut::new();
        let header = header.with_correlation_id(self.correlation);
        header.encode(&mut frame, key.request_header_version(version)).unwrap();
        request.encode(&mut frame, version).unwrap();
        self.send_frame(&frame);
    }

    pub fn send_frame(&mut self, frame: &[u8]) {
        let mut whole = BytesMut::new();
        whole.put_i32(frame.len() as i32);
        whole.put_slice(frame);
        self.stream.write_all(&whole).unwrap();
    }

    /// Bytes as they are, without a length before them.
    pub fn send_bytes(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    /// Asks for metadata on a connection that the broker may have closed.
    pub fn try_send_metadata(&mut self) -> Option<()> {
        let frame = b"\0\0\0\x0e\0\x03\0\x01\0\0\0\x09\xff\xff\xff\xff\xff\xff";
        self.stream.write_all(frame).ok()?;
        self.receive_frame().map(drop)
    }

    /// The next frame; none if the broker closed the connection.
    pub fn receive_frame(&mut self) -> Option<Bytes> {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length).ok()?;
        let mut frame = vec![0; i32::from_be_bytes(length) as usize];
        self.stream.read_exact(&mut frame).ok()?;
        Some(Bytes::from(frame))
    }

    pub fn try_receive<R: Request>(&mut self, version: i16) -> Option<(i32, R::Response)> {
        let mut frame = self.receive_frame()?;
        let key = ApiKey::try_from(R::KEY).unwrap();
        let header = ResponseHeader::decode(&mut frame, key.response_header_version(version)).unwrap();
        let response = R::Response::decode(&mut frame, version).unwrap();
        assert!(!frame.has_remaining(), "{key:?} {version}: bytes left over");
        Some((header.correlation_id, response))
    }

    pub fn try_call<R: Request>(&mut self, request: &R, version: i16) -> Option<R::Response> {
        self.send(request, version);
        let (correlation, response) = self.try_receive::<R>(version)?;
        assert_eq!(correlation, self.correlation);
        Some(response)
    }

    pub fn call<R: Request>(&mut self, request: &R, version: i16) -> R::Response {
        self.try_call(request, version).expect("the broker closed the connection")
    }

    /// Asks for a topic with one replica and does not wait.
    pub fn send_create(&mut self, topic: &str) {
        let topic = CreatableTopic::default().with_name(name(topic)).with_num_partitions(1).with_replication_factor(1);
        self.send(&CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(10_000), 7);
    }

    pub fn create(&mut self, topic: &str, partitions: i32, replicas: i16, configs: &[(&str, &str)]) -> i16 {
        let text = |text: &str| StrBytes::from_string(text.to_owned());
        let configs = configs
            .iter()
            .map(|(name, value)| CreatableTopicConfig::default().with_name(text(name)).with_value(Some(text(value))));
        let topic = CreatableTopic::default().with_name(name(topic)).with_num_partitions(partitions);
        let topic = topic.with_replication_factor(replicas).with_configs(configs.collect());
        let request = CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(10_000);
        self.call(&request, 7).topics[0].error_code
    }

    pub fn partition(&mut self, topic: &str, index: i32) -> Option<MetadataResponsePartition> {
        let topic = MetadataRequestTopic::default().with_name(Some(name(topic)));
        let request = MetadataRequest::default().with_topics(Some(vec![topic]));
        let response = self.try_call(&request.with_allow_auto_topic_creation(false), 12)?;
        let partitions = response.topics.into_iter().next()?.partitions;
        partitions.into_iter().find(|partition| partition.partition_index == index)
    }

    pub fn partition_topic_id(&mut self, topic: &str) -> uuid::Uuid {
        let topic = MetadataRequestTopic::default().with_name(Some(name(topic)));
        self.call(&MetadataRequest::default().with_topics(Some(vec![topic])), 12).topics[0].topic_id
    }

    pub fn produce_request(topic: &str, index: i32, records: Bytes, acks: i16, timeout_ms: i32) -> ProduceRequest {
        let data = PartitionProduceData::default().with_index(index).with_records(Some(records));
        let topic = TopicProduceData::default().with_name(name(topic)).with_partition_data(vec![data]);
        ProduceRequest::default().with_acks(acks).with_timeout_ms(timeout_ms).with_topic_data(vec![topic])
    }

    pub fn produce(&mut self, topic: &str, records: Bytes, acks: i16) -> PartitionProduceResponse {
        let request = Wire::produce_request(topic, 0, records, acks, 10_000);
        self.call(&request, 9).responses.remove(0).partition_responses.remove(0)
    }

    pub fn fetch_request(topic: &str, part: FetchPartition, wait_ms: i32) -> FetchRequest {
        let topic = FetchTopic::default().with_topic(name(topic)).with_partitions(vec![part]);
        FetchRequest::default().with_max_wait_ms(wait_ms).with_min_bytes(1).with_topics(vec![topic])
    }

    pub fn fetch(&mut self, topic: &str, offset: i64, wait_ms: i32) -> PartitionData {
        let part = FetchPartition::default().with_fetch_offset(offset).with_partition_max_bytes(1 << 20);
        self.call(&Wire::fetch_request(topic, part, wait_ms), 12).responses.remove(0).partitions.remove(0)
    }

    pub fn list(&mut self, topic: &str, timestamp: i64) -> ListOffsetsPartitionResponse {
        let part = ListOffsetsPartition::default().with_timestamp(timestamp);
        let topic = ListOffsetsTopic::default().with_name(name(topic)).with_partitions(vec![part]);
        let request = ListOffsetsRequest::default().with_replica_id((-1).into()).with_topics(vec![topic]);
        self.call(&request, 7).topics.remove(0).partitions.remove(0)
    }

    pub fn producer_id(&mut self) -> i64 {
        let request = InitProducerIdRequest::default().with_transactional_id(None);
        let response = self.call(&request, 4);
        assert_eq!(response.error_code, 0);
        response.producer_id.0
    }
}
