//! The wire client against librdkafka's mock cluster.

#![allow(clippy::unwrap_used)] // a test may fail by it

use history::{LeaderEpoch, LogId, NodeId, Offset, Value, WriterId};
use kafka_protocol::ResponseError;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use workloads::clock::{self, Deadline};
use workloads::wire::producer_id::CoordinatorOf;
use workloads::wire::{Append, Cluster, Connection, Isolation, NewTopic, OffsetAt, Producer, Window, WireError};

const TOPIC: &str = "t";
const END: OffsetAt = OffsetAt::Latest(Isolation::ReadUncommitted);

fn soon() -> Deadline {
    Deadline::in_ms(10_000)
}

fn stage() -> (MockCluster<'static, DefaultProducerContext>, Cluster) {
    let mock = MockCluster::new(3).unwrap();
    mock.create_topic(TOPIC, 2, 3).unwrap();
    let bootstrap: Vec<String> = mock.bootstrap_servers().split(',').map(str::to_owned).collect();
    let cluster = Cluster::new(&bootstrap, "test");
    (mock, cluster)
}

fn payload(sequence: u64) -> Vec<u8> {
    let mut out = Vec::new();
    history::payload::encode(1, LogId(0), Value::new(WriterId(0), sequence), 40, &mut out);
    out
}

fn append<'a>(values: &'a [&'a [u8]]) -> Append<'a> {
    Append { values, acks: -1, replicas_ms_max: 1000, ..Append::default() }
}

fn window(from: i64) -> Window {
    Window { from: Offset(from), bytes_max: 1 << 20, wait_ms: 10, isolation: Isolation::ReadUncommitted }
}

#[test]
fn what_was_produced_is_fetched_from_any_offset_on() {
    let (_mock, mut cluster) = stage();
    let payloads: Vec<Vec<u8>> = (0..5).map(payload).collect();
    let values: Vec<&[u8]> = payloads.iter().map(Vec::as_slice).collect();
    assert_eq!(cluster.produce_once(TOPIC, 1, append(&values[..2]), soon()).unwrap().base, Offset(0));
    assert_eq!(cluster.produce_once(TOPIC, 1, append(&values[2..]), soon()).unwrap().base, Offset(2));
    assert_eq!(cluster.list_offset(TOPIC, 1, OffsetAt::Earliest, soon()).unwrap(), Offset(0));
    assert_eq!(cluster.list_offset(TOPIC, 1, END, soon()).unwrap(), Offset(5));
    for from in 0..=5 {
        let fetched = cluster.fetch(TOPIC, 1, window(from), soon()).unwrap();
        let read: Vec<(i64, u64)> = fetched.read(1).iter().map(|r| (r.offset.0, r.value.sequence())).collect();
        let last = fetched.next.0;
        assert_eq!(read, (from..last).map(|n| (n, n as u64)).collect::<Vec<_>>());
        assert_eq!((fetched.high_watermark, fetched.from), (Offset(5), Offset(from)));
        assert!(last > from || from == 5);
    }
    assert!(cluster.fetch(TOPIC, 0, window(0), soon()).unwrap().batches.is_empty());
}

#[test]
fn a_window_outside_the_log_is_out_of_range() {
    let (_mock, mut cluster) = stage();
    let refused = cluster.fetch(TOPIC, 0, window(7), soon()).unwrap_err();
    assert!(refused.is_out_of_range(), "{refused}");
}

#[test]
fn a_topic_that_does_not_exist_has_no_leader() {
    let (_mock, mut cluster) = stage();
    let refused = cluster.list_offset("absent", 0, END, Deadline::in_ms(200)).unwrap_err();
    assert!(matches!(refused, WireError::NoLeader { .. }), "{refused}");
}

#[test]
fn a_single_shot_returns_the_brokers_own_error_and_sends_nothing_again() {
    let (mock, mut cluster) = stage();
    let one = payload(0);
    mock.request_errors(RDKafkaApiKey::Produce, &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION]);
    let refused = cluster.produce_once(TOPIC, 0, append(&[&one]), soon()).unwrap_err();
    assert_eq!(refused.broker(), Some(ResponseError::NotLeaderOrFollower));
    assert_eq!(cluster.list_offset(TOPIC, 0, END, soon()).unwrap(), Offset(0));
    assert_eq!(cluster.produce_once(TOPIC, 0, append(&[&one]), soon()).unwrap().base, Offset(0));
}

/// As a round trip: the broker takes requests and does not answer.
const NEVER: std::time::Duration = std::time::Duration::from_secs(3600);

#[test]
fn a_question_is_asked_again_where_that_helps_and_the_new_leader_is_found() {
    let (mock, mut cluster) = stage();
    cluster.produce_once(TOPIC, 0, append(&[&payload(0)]), soon()).unwrap();
    let leader = cluster.metadata(Some(&[TOPIC]), soon()).unwrap().topics[0].partitions[0].leader.unwrap();
    mock.broker_round_trip_time(leader.0, NEVER).unwrap();
    mock.partition_leader(TOPIC, 0, Some(leader.0 % 3 + 1)).unwrap();
    assert_eq!(cluster.list_offset(TOPIC, 0, END, soon()).unwrap(), Offset(1));
    mock.request_errors(RDKafkaApiKey::Fetch, &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE]);
    assert_eq!(cluster.fetch(TOPIC, 0, window(0), soon()).unwrap().read(1).len(), 1);
}

#[test]
fn a_cluster_that_does_not_answer_costs_the_deadline_and_no_more() {
    let (mock, mut cluster) = stage();
    (1..=3).for_each(|n| mock.broker_round_trip_time(n, NEVER).unwrap());
    let started = clock::now();
    let refused = cluster.metadata(None, Deadline::in_ms(200)).unwrap_err();
    assert!(refused.may_pass(), "{refused}");
    assert!(clock::now().since(started) < 5_000_000_000);
}

#[test]
fn a_listener_that_never_answers_is_a_timeout_and_one_that_babbles_is_a_protocol_error() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let refused = Connection::open(&address, "test", Deadline::in_ms(100)).unwrap_err();
    assert!(matches!(refused, WireError::Timeout { .. }), "{refused}");

    let babbler = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = babbler.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        let (mut stream, _) = babbler.accept().unwrap();
        let _ = std::io::Write::write_all(&mut stream, b"HTTP/1.1 400 Bad Request\r\n\r\n");
        let _ = std::io::Read::read(&mut stream, &mut [0; 1024]);
    });
    let refused = Connection::open(&address, "test", soon()).unwrap_err();
    assert!(matches!(refused, WireError::Protocol { .. }), "{refused}");
}

#[test]
fn brokers_coordinators_epochs_and_producer_ids_are_told() {
    let (_mock, mut cluster) = stage();
    let view = cluster.metadata(Some(&[TOPIC]), soon()).unwrap();
    assert_eq!(view.brokers.keys().copied().collect::<Vec<_>>(), [NodeId(1), NodeId(2), NodeId(3)]);
    assert_eq!(view.topics[0].partitions.len(), 2);
    assert_eq!(cluster.wait_ready(TOPIC, 2, 3, soon()).unwrap().partitions.len(), 2);
    let (node, _) = cluster.anybody(soon(), |c, d| c.find_coordinator(CoordinatorOf::Group, "g", d)).unwrap();
    assert!(view.brokers.contains_key(&node));
    let (id, epoch) = cluster.anybody(soon(), |c, d| c.init_producer_id(d)).unwrap();
    assert!(id >= 0 && epoch >= 0);
    let idempotent = Append { producer: Some(Producer { id, epoch, sequence: 0 }), ..append(&[b"x"]) };
    cluster.produce_once(TOPIC, 0, idempotent, soon()).unwrap();
    assert_eq!(cluster.epoch_end(TOPIC, 0, LeaderEpoch(0), soon()).unwrap().1, Offset(1));
}

#[test]
fn a_request_the_broker_does_not_speak_is_unsupported_and_sent_to_nobody() {
    let (_mock, mut cluster) = stage();
    let topic = NewTopic { name: "n".into(), partitions: 1, replication: 1, configs: Default::default() };
    let refused = cluster.create_topic(&topic, soon()).unwrap_err();
    assert!(matches!(refused, WireError::Unsupported { what: "CreateTopics", .. }), "{refused}");
}
