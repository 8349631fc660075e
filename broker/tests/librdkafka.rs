//! Transactions by librdkafka, which knows nothing of this broker.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rdkafka::types::RDKafkaErrorCode;
use support::{Cluster, PATIENCE, become_a_node_if_asked, until};

type Sender = ThreadedProducer<DefaultProducerContext>;

const POLL: Duration = Duration::from_millis(50);

#[test]
fn node_process() {
    become_a_node_if_asked();
}

fn config(port: u16) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", format!("127.0.0.1:{port}"));
    config
}

fn producer(port: u16, id: &str) -> Sender {
    let producer: Sender = config(port).set("transactional.id", id).create().unwrap();
    producer.init_transactions(PATIENCE).unwrap();
    producer
}

fn send(producer: &Sender, topic: &str, values: &[&str]) {
    for value in values {
        producer.send(BaseRecord::<(), str>::to(topic).payload(value)).unwrap();
    }
}

/// Sends what is queued first: an abort would drop it unsent.
fn end(producer: &Sender, commit: bool) -> Result<(), KafkaError> {
    producer.flush(PATIENCE)?;
    if commit { producer.commit_transaction(PATIENCE) } else { producer.abort_transaction(PATIENCE) }
}

/// Everything in a topic up to a record `end` outside of any transaction, read by this isolation level.
fn read(port: u16, topic: &str, isolation: &str) -> Vec<String> {
    let consumer: BaseConsumer =
        config(port).set("group.id", "reader").set("isolation.level", isolation).create().unwrap();
    let mut from = TopicPartitionList::new();
    from.add_partition_offset(topic, 0, Offset::Beginning).unwrap();
    consumer.assign(&from).unwrap();
    let mut seen = Vec::new();
    until("the end", || {
        let message = consumer.poll(POLL)?.ok()?;
        let value = message.payload_view::<str>().unwrap().unwrap().to_owned();
        let last = value == "end";
        seen.push(value);
        last.then_some(())
    });
    seen
}

fn cluster() -> (Cluster, u16) {
    let mut cluster = Cluster::start(3, "");
    cluster.topic("t", 3, &[]);
    cluster.topic("in", 3, &[]);
    let port = cluster.node(1).port;
    (cluster, port)
}

#[test]
fn librdkafka_commits_aborts_and_reads_both_ways() {
    let (_cluster, port) = cluster();
    let producer = producer(port, "id");
    for (values, commit) in [(&["a", "b"], true), (&["c", "d"], false), (&["e", "f"], true)] {
        producer.begin_transaction().unwrap();
        send(&producer, "t", values);
        end(&producer, commit).unwrap();
    }
    let plain: Sender = config(port).create().unwrap();
    send(&plain, "t", &["end"]);
    plain.flush(PATIENCE).unwrap();
    assert_eq!(read(port, "t", "read_committed"), ["a", "b", "e", "f", "end"]);
    assert_eq!(read(port, "t", "read_uncommitted"), ["a", "b", "c", "d", "e", "f", "end"]);
}

#[test]
fn librdkafka_is_fenced_by_its_successor() {
    let (_cluster, port) = cluster();
    let old = producer(port, "id");
    old.begin_transaction().unwrap();
    send(&old, "t", &["old"]);
    let new = producer(port, "id");
    let error = end(&old, true).unwrap_err();
    assert_eq!(error.rdkafka_error_code(), Some(RDKafkaErrorCode::Fenced));
    new.begin_transaction().unwrap();
    send(&new, "t", &["new", "end"]);
    end(&new, true).unwrap();
    assert_eq!(read(port, "t", "read_committed"), ["new", "end"]);
}

#[test]
fn librdkafka_consumes_transforms_and_produces_each_record_once() {
    let (_cluster, port) = cluster();
    let source: Sender = config(port).create().unwrap();
    send(&source, "in", &["1", "2", "3", "4", "5", "6"]);
    source.flush(PATIENCE).unwrap();
    let producer = producer(port, "copy");
    let mut copied = 0;
    for commit in [true, false, true, true] {
        let consumer: BaseConsumer = config(port)
            .set("group.id", "copy")
            .set("enable.auto.commit", "false")
            .set("auto.offset.reset", "earliest")
            .create()
            .unwrap();
        consumer.subscribe(&["in"]).unwrap();
        let two: Vec<(String, i64)> = (0..2).map(|_| next(&consumer)).collect();
        producer.begin_transaction().unwrap();
        two.iter().for_each(|(value, _)| send(&producer, "t", &[value]));
        let mut offsets = TopicPartitionList::new();
        offsets.add_partition_offset("in", 0, Offset::Offset(two[1].1 + 1)).unwrap();
        producer.send_offsets_to_transaction(&offsets, &consumer.group_metadata().unwrap(), PATIENCE).unwrap();
        end(&producer, commit).unwrap();
        copied += if commit { 2 } else { 0 };
    }
    assert_eq!(copied, 6);
    send(&source, "t", &["end"]);
    source.flush(PATIENCE).unwrap();
    assert_eq!(read(port, "t", "read_committed"), ["1", "2", "3", "4", "5", "6", "end"]);
}

fn next(consumer: &BaseConsumer) -> (String, i64) {
    until("a record", || {
        let message = consumer.poll(POLL)?.ok()?;
        Some((message.payload_view::<str>().unwrap().unwrap().to_owned(), message.offset()))
    })
}
