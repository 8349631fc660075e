"""kafka-python against a cluster. Usage: kafka_python.py BOOTSTRAP PREFIX; capabilities are defined in README.md."""

import sys
import time

import kafka
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, NewPartitions, NewTopic
from kafka.structs import OffsetAndMetadata

from capability import capability, expect

BOOTSTRAP, PREFIX = sys.argv[1:3]
CODECS, ACKS = [None, "gzip", "snappy", "lz4", "zstd"], [0, 1, "all"]
ADMIN = KafkaAdminClient(bootstrap_servers=BOOTSTRAP)
PATIENCE = 30


def topic(name, partitions=1, **config):
    name = f"{PREFIX}-{name}"
    ADMIN.create_topics([NewTopic(name, partitions, 3, topic_configs=config)])
    return name


def producer(**config):
    return KafkaProducer(bootstrap_servers=BOOTSTRAP, **config)


def consumer(group, **config):
    return KafkaConsumer(bootstrap_servers=BOOTSTRAP, group_id=f"{PREFIX}-{group}", auto_offset_reset="earliest",
                         enable_auto_commit=False, session_timeout_ms=6000, heartbeat_interval_ms=500, **config)


def send(to, name, values, **more):
    for future in [to.send(name, value.encode(), **more) for value in values]:
        future.get(PATIENCE)
    to.flush(PATIENCE)


def read(reader, count):
    records, deadline = [], time.monotonic() + PATIENCE
    while len(records) < count:
        expect(time.monotonic() < deadline, True, f"{len(records)} of {count} records")
        for batch in reader.poll(200).values():
            records.extend(batch)
    return records


def read_all(name, count, partitions=1, **config):
    reader = consumer("reader", **config)
    reader.assign([TopicPartition(name, p) for p in range(partitions)])
    reader.seek_to_beginning()
    records = read(reader, count)
    expect(reader.poll(1000), {})
    reader.close()
    return records


@capability
def produce():
    name, sent = topic("produce", 2), set()
    for codec in CODECS:
        for acks in ACKS:
            values = [f"{codec}-{acks}-{n}" * 20 for n in range(20)]
            with_headers = {"key": str(codec).encode(), "headers": [("codec", str(codec).encode())]}
            writer = producer(compression_type=codec, acks=acks)
            send(writer, name, values, **with_headers)
            writer.close()
            sent.update(values)
    records = read_all(name, len(sent), 2)
    expect({r.value.decode() for r in records}, sent)
    for r in records:
        expect(r.value.startswith(r.key + b"-"), True)
        expect([tuple(h) for h in r.headers], [("codec", r.key)])
    return "codecs " + " ".join(str(codec).lower() for codec in CODECS)


@capability
def group():
    name, seen = topic("group", 4), []
    writer = producer()
    for n in range(400):
        writer.send(name, str(n).encode(), partition=n % 4)
    writer.flush()
    one, two = consumer("group"), consumer("group")

    def step(*members):
        for member in members:
            for batch in member.poll(50).values():
                seen.extend(record.value for record in batch)

    def until(members, shares):
        deadline = time.monotonic() + PATIENCE
        while sorted(len(member.assignment()) for member in members) != shares:
            expect(time.monotonic() < deadline, True, f"never {shares}")
            step(*members)
    one.subscribe([name])
    until([one], [4])
    two.subscribe([name])
    until([one, two], [2, 2])
    expect(len(one.assignment() | two.assignment()), 4, "no partition has two owners")
    two.close()
    until([one], [4])
    deadline = time.monotonic() + PATIENCE
    while len(set(seen)) < 400:
        expect(time.monotonic() < deadline, True, f"{len(set(seen))} of 400 seen")
        step(one)
    one.close()


@capability
def resume():
    name = topic("resume")
    send(producer(), name, [str(n) for n in range(100)])
    for start in (0, 50):
        reader = consumer("resume", max_poll_records=10)
        reader.subscribe([name])
        expect([r.offset for r in read(reader, 50)], list(range(start, start + 50)))
        reader.commit({TopicPartition(name, 0): OffsetAndMetadata(start + 50, "note", -1)})
        reader.close()
    reader = consumer("resume")
    expect(reader.committed(TopicPartition(name, 0)), 100)
    reader.close()


@capability
def idempotent():
    name = topic("idempotent")
    values = [str(n) for n in range(500)]
    send(producer(enable_idempotence=True), name, values)
    expect([r.value.decode() for r in read_all(name, 500)], values)


@capability
def transactions():
    name = topic("transactions")
    writer = producer(transactional_id=f"{PREFIX}-writer")
    writer.init_transactions()
    for number, end in enumerate((writer.commit_transaction, writer.abort_transaction, writer.commit_transaction)):
        writer.begin_transaction()
        send(writer, name, [f"{number}-{n}" for n in range(10)])
        end()
    values = [f"{number}-{n}" for number in (0, 1, 2) for n in range(10)]
    committed = [v for v in values if not v.startswith("1")]
    expect([r.value.decode() for r in read_all(name, 20, isolation_level="read_committed")], committed)
    expect([r.value.decode() for r in read_all(name, 30, isolation_level="read_uncommitted")], values)


def until(condition, what):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        expect(time.monotonic() < deadline, True, what)
        time.sleep(0.05)


@capability
def admin():
    name = topic("admin", 1, **{"retention.ms": "1000000"})
    ADMIN.create_partitions({name: NewPartitions(3)})
    until(lambda: len(ADMIN.describe_topics([name])[0]["partitions"]) == 3, "three partitions")
    altered = ConfigResource(ConfigResourceType.TOPIC, name, configs={"retention.ms": "2000000"})
    ADMIN.alter_configs([altered])
    until(lambda: "2000000" in str(ADMIN.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name)])),
          "the altered config")
    send(producer(), name, ["x"])
    reader = consumer("admin")
    reader.subscribe([name])
    read(reader, 1)
    reader.commit()
    group_id = f"{PREFIX}-admin"
    expect("Stable" in str(ADMIN.describe_groups([group_id])), True, "a stable group")
    expect(group_id in str(ADMIN.list_groups()), True, "the group is listed")
    reader.close()
    ADMIN.delete_groups([group_id])
    expect(group_id in str(ADMIN.list_groups()), False, "the group is still listed")
    ADMIN.delete_topics([name])
    until(lambda: name not in ADMIN.list_topics(), "the topic to go")


print(f"version\t{kafka.__version__}")
for run in (produce, group, resume, idempotent, transactions, admin):
    run()
