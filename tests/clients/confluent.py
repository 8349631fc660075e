"""confluent-kafka (librdkafka) against a cluster. Usage: confluent.py BOOTSTRAP PREFIX; capabilities are defined in README.md."""

import sys
import time

import confluent_kafka as ck
from confluent_kafka.admin import (
    AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewPartitions, NewTopic, ResourceType)

from capability import capability, expect

BOOTSTRAP, PREFIX = sys.argv[1:3]
CODECS, ACKS = ["none", "gzip", "snappy", "lz4", "zstd"], ["0", "1", "all"]
ADMIN = AdminClient({"bootstrap.servers": BOOTSTRAP})
PATIENCE = 30


def topic(name, partitions=1, **config):
    name = f"{PREFIX}-{name}"
    for future in ADMIN.create_topics([NewTopic(name, partitions, 3, config=config)]).values():
        future.result(PATIENCE)
    return name


def producer(**config):
    return ck.Producer({"bootstrap.servers": BOOTSTRAP, **{k.replace("_", "."): v for k, v in config.items()}})


def consumer(group, **config):
    base = {"bootstrap.servers": BOOTSTRAP, "group.id": f"{PREFIX}-{group}", "auto.offset.reset": "earliest",
            "enable.auto.commit": False, "session.timeout.ms": 6000}
    return ck.Consumer({**base, **{k.replace("_", "."): v for k, v in config.items()}})


def send(to, name, values, **more):
    for value in values:
        to.produce(name, value=value, **more)
    expect(to.flush(PATIENCE), 0)


def read(reader, count):
    records, deadline = [], time.monotonic() + PATIENCE
    while len(records) < count:
        expect(time.monotonic() < deadline, True, f"{len(records)} of {count} records")
        record = reader.poll(0.2)
        if record is not None:
            expect(record.error(), None)
            records.append(record)
    return records


def read_all(name, count, partitions=1, **config):
    reader = consumer("reader", **config)
    reader.assign([ck.TopicPartition(name, p, 0) for p in range(partitions)])
    records = read(reader, count)
    expect(reader.poll(1.0), None)
    reader.close()
    return records


@capability
def produce():
    name, sent = topic("produce", 2), set()
    for codec in CODECS:
        for acks in ACKS:
            values = [f"{codec}-{acks}-{n}" * 20 for n in range(20)]
            send(producer(compression_codec=codec, acks=acks), name, values, key=codec, headers=[("codec", codec)])
            sent.update(values)
    records = read_all(name, len(sent), 2)
    expect({r.value().decode() for r in records}, sent)
    for r in records:
        expect(r.value().decode().startswith(r.key().decode() + "-"), True)
        expect(r.headers(), [("codec", r.key())])
    return "codecs " + " ".join(CODECS)


def rebalance(strategy):
    name, seen = topic(f"group-{strategy}", 4), []
    writer = producer()
    for n in range(400):
        writer.produce(name, value=str(n), partition=n % 4)
    expect(writer.flush(PATIENCE), 0)
    one, two = (consumer(f"group-{strategy}", partition_assignment_strategy=strategy) for _ in range(2))

    def until(*shares):
        deadline = time.monotonic() + PATIENCE
        while sorted(len(c.assignment()) for c in (one, two)[:len(shares)]) != sorted(shares):
            expect(time.monotonic() < deadline, True, f"{strategy}: never {shares}")
            for c in (one, two)[:len(shares)]:
                record = c.poll(0.05)
                if record is not None and not record.error():
                    seen.append(record.value())
    one.subscribe([name])
    until(4)
    two.subscribe([name])
    until(2, 2)
    expect(len({p.partition for c in (one, two) for p in c.assignment()}), 4, "no partition has two owners")
    two.close()
    until(4)
    deadline = time.monotonic() + PATIENCE
    while len(set(seen)) < 400:
        expect(time.monotonic() < deadline, True, f"{len(set(seen))} of 400 seen")
        record = one.poll(0.1)
        if record is not None and not record.error():
            seen.append(record.value())
    one.close()


@capability
def group():
    for strategy in ("range", "cooperative-sticky"):
        rebalance(strategy)
    return "range, cooperative-sticky"


@capability
def resume():
    name = topic("resume")
    send(producer(), name, [str(n) for n in range(100)])
    for start in (0, 50):
        reader = consumer("resume")
        reader.subscribe([name])
        records = read(reader, 50)[:50]
        expect([r.offset() for r in records], list(range(start, start + 50)))
        reader.commit(message=records[-1], asynchronous=False)
        reader.close()
    reader = consumer("resume")
    expect(reader.committed([ck.TopicPartition(name, 0)], PATIENCE)[0].offset, 100)
    reader.close()


@capability
def idempotent():
    name = topic("idempotent")
    values = [str(n) for n in range(500)]
    send(producer(enable_idempotence=True), name, values)
    expect([r.value().decode() for r in read_all(name, 500)], values)


@capability
def transactions():
    name, source = topic("transactions"), topic("source")
    send(producer(), source, ["a", "b"])
    reader = consumer("source")
    reader.assign([ck.TopicPartition(source, 0, 0)])
    read(reader, 2)
    writer = producer(transactional_id=f"{PREFIX}-writer")
    writer.init_transactions(PATIENCE)
    for number, commit in enumerate((True, False, True)):
        writer.begin_transaction()
        for n in range(10):
            writer.produce(name, value=f"{number}-{n}")
        if commit:
            position = [ck.TopicPartition(source, 0, number + 1)]
            writer.send_offsets_to_transaction(position, reader.consumer_group_metadata(), PATIENCE)
            writer.commit_transaction(PATIENCE)
        else:
            expect(writer.flush(PATIENCE), 0)
            writer.abort_transaction(PATIENCE)
    values = [f"{number}-{n}" for number in (0, 1, 2) for n in range(10)]
    committed = [v for v in values if not v.startswith("1")]
    expect([r.value().decode() for r in read_all(name, 20, isolation_level="read_committed")], committed)
    expect([r.value().decode() for r in read_all(name, 30, isolation_level="read_uncommitted")], values)
    expect(reader.committed([ck.TopicPartition(source, 0)], PATIENCE)[0].offset, 3)
    reader.close()


@capability
def admin():
    name = topic("admin", 1, **{"retention.ms": "1000000"})
    resource = ConfigResource(ResourceType.TOPIC, name)

    def retention():
        return ADMIN.describe_configs([resource])[resource].result(PATIENCE)["retention.ms"].value
    expect(retention(), "1000000")
    change = ConfigEntry("retention.ms", "2000000", incremental_operation=AlterConfigOpType.SET)
    altered = ConfigResource(ResourceType.TOPIC, name, incremental_configs=[change])
    ADMIN.incremental_alter_configs([altered])[altered].result(PATIENCE)
    until(lambda: retention() == "2000000", "the altered config")
    ADMIN.create_partitions([NewPartitions(name, 3)])[name].result(PATIENCE)
    until(lambda: len(ADMIN.list_topics(name, PATIENCE).topics[name].partitions) == 3, "three partitions")
    send(producer(), name, ["x"])
    reader = consumer("admin")
    reader.subscribe([name])
    read(reader, 1)
    reader.commit(asynchronous=False)
    group_id = f"{PREFIX}-admin"
    expect(ADMIN.describe_consumer_groups([group_id])[group_id].result(PATIENCE).state.name, "STABLE")
    expect(group_id in [g.group_id for g in ADMIN.list_consumer_groups().result(PATIENCE).valid], True)
    reader.close()
    ADMIN.delete_consumer_groups([group_id])[group_id].result(PATIENCE)
    expect(group_id in [g.group_id for g in ADMIN.list_consumer_groups().result(PATIENCE).valid], False)
    ADMIN.delete_topics([name])[name].result(PATIENCE)
    until(lambda: name not in ADMIN.list_topics(timeout=PATIENCE).topics, "the topic to go")


def until(condition, what):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        expect(time.monotonic() < deadline, True, what)
        time.sleep(0.05)


print(f"version\t{ck.version()} (librdkafka {ck.libversion()[0]})")
for run in (produce, group, resume, idempotent, transactions, admin):
    run()
