//! The table of properties: Kafka's names, their types, defaults and meaning. One row a property.
//!
//! A property with a `topic` name can be overridden per topic under that name. `EFFECTLESS` lists Kafka properties that
//! are accepted so that one file serves both systems, and that change nothing here. Not here: what the values do.

use Kind::{Bool, Choice, Choices, Int, List, Long, Ratio, Text};

/// How a value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `true` or `false`.
    Bool,
    /// 32-bit number, at least the given.
    Int(i64),
    /// 64-bit number, at least the given.
    Long(i64),
    /// Any text.
    Text,
    /// Comma separated texts.
    List,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// Comma separated words out of these.
    Choices(&'static [&'static str]),
    /// A share from 0 to 1.
    Ratio,
}

/// One property.
#[derive(Clone, Copy, Debug)]
pub struct Property {
    /// Kafka's name in `server.properties`; empty for a topic-only property.
    pub name: &'static str,
    /// The name under which a topic overrides it.
    pub topic: Option<&'static str>,
    /// How it is written.
    pub kind: Kind,
    /// The value it has unless set.
    pub default: &'static str,
    /// What it does, in one line, with its unit.
    pub doc: &'static str,
}

impl Property {
    /// Whether `value` is written as it must be; the error says what was expected.
    pub fn check(&self, value: &str) -> Result<(), String> {
        let (min, max) = match self.kind {
            Text | List => return Ok(()),
            Choice(words) => return one_of(words, value),
            Choices(words) => return value.split(',').map(str::trim).try_for_each(|word| one_of(words, word)),
            Ratio => {
                let share = value.parse::<f64>().ok().filter(|share| (0.0..=1.0).contains(share));
                return share.map(drop).ok_or_else(|| "expected a number from 0 to 1".to_owned());
            }
            Bool => return value.parse::<bool>().map(drop).map_err(|_| "expected true or false".to_owned()),
            Int(min) => (min, i64::from(i32::MAX)),
            Long(min) => (min, i64::MAX),
        };
        match value.parse::<i64>() {
            Ok(number) if (min..=max).contains(&number) => Ok(()),
            _ => Err(format!("expected a whole number from {min} to {max}")),
        }
    }

    /// Whether elements can be added to it and taken out of it.
    pub fn is_list(&self) -> bool {
        matches!(self.kind, List | Choices(_))
    }

    /// Whether it can be changed while a broker runs: topics inherit it.
    pub fn is_dynamic(&self) -> bool {
        self.topic.is_some()
    }
}

fn one_of(words: &[&str], value: &str) -> Result<(), String> {
    if words.contains(&value) { Ok(()) } else { Err(format!("expected one of {}", words.join(", "))) }
}

const fn node(name: &'static str, kind: Kind, default: &'static str, doc: &'static str) -> Property {
    Property { name, topic: None, kind, default, doc }
}

const fn topic(
    name: &'static str,
    topic: &'static str,
    kind: Kind,
    default: &'static str,
    doc: &'static str,
) -> Property {
    Property { name, topic: Some(topic), kind, default, doc }
}

/// Consumers fetch from the leader.
pub const LEADER_SELECTOR: &str = "org.apache.kafka.common.replica.LeaderSelector";
/// Consumers fetch from a replica of their own rack, if one is in sync.
pub const RACK_AWARE_SELECTOR: &str = "org.apache.kafka.common.replica.RackAwareReplicaSelector";

/// Every property that has an effect.
pub const TABLE: &[Property] = &[
    node("process.roles", List, "broker", "Roles of this node: broker, controller, or both."),
    node("node.id", Int(0), "-1", "Number of this node, unique in the cluster."),
    node("controller.quorum.voters", List, "", "Controllers as id@host:port, comma separated."),
    node("controller.listener.names", List, "CONTROLLER", "Names of the listeners that controllers use."),
    node("listeners", List, "PLAINTEXT://127.0.0.1:9092", "Addresses to listen on, NAME://host:port."),
    node("advertised.listeners", List, "", "Addresses clients are told to use; the listeners themselves unless set."),
    node(
        "listener.security.protocol.map",
        List,
        "",
        "NAME:PLAINTEXT for every listener; no other protocol is offered.",
    ),
    node("inter.broker.listener.name", Text, "", "Listener that brokers use among themselves: the first."),
    node("log.dirs", List, "", "Folder that holds the partitions."),
    node("log.dir", Text, "", "Older spelling of log.dirs."),
    node("broker.rack", Text, "", "Rack of this broker, for follower fetching and placement."),
    node("cluster.id", Text, "c3Rvcm1nbGFzcy1jbHVzdA", "Cluster identifier, 22 characters of URL-safe base 64."),
    node("broker.session.timeout.ms", Int(1), "9000", "A broker is fenced when no heartbeat arrived for so long."),
    node("broker.heartbeat.interval.ms", Int(1), "2000", "Time between heartbeats to the controller."),
    node(
        "controller.quorum.election.timeout.ms",
        Int(1),
        "1000",
        "A voter that hears from no leader for so long stands for election.",
    ),
    node(
        "controller.quorum.fetch.timeout.ms",
        Int(1),
        "2000",
        "A controller that reaches no majority for so long resigns.",
    ),
    node("controller.quorum.request.timeout.ms", Int(1), "2000", "Longest wait for one answer of a controller."),
    node(
        "eligible.leader.replicas.enable",
        Bool,
        "true",
        "Whether replicas that left the ISR below its minimum may still lead (KIP-966).",
    ),
    node(
        "replica.lag.time.max.ms",
        Long(1),
        "30000",
        "A follower not caught up for so long leaves the in-sync replicas.",
    ),
    node(
        "replica.selector.class",
        Choice(&["", LEADER_SELECTOR, RACK_AWARE_SELECTOR]),
        "",
        "Whether consumers may be sent to an in-sync replica in their own rack (KIP-392).",
    ),
    node("replica.fetch.wait.max.ms", Int(0), "500", "Longest time a leader holds a follower's fetch."),
    node("replica.fetch.min.bytes", Int(0), "1", "Bytes a leader waits for before it answers a follower."),
    node("replica.fetch.max.bytes", Int(0), "1048576", "Bytes of one partition a follower asks for at once."),
    node(
        "replica.fetch.response.max.bytes",
        Int(0),
        "10485760",
        "Bytes of all partitions a follower asks for at once.",
    ),
    node("replica.fetch.backoff.ms", Int(0), "1000", "Longest pause of a fetcher after an error."),
    node(
        "replica.socket.timeout.ms",
        Int(1),
        "30000",
        "Longest wait of a fetcher for an answer, beyond replica.fetch.wait.max.ms.",
    ),
    node("replica.high.watermark.checkpoint.interval.ms", Long(1), "5000", "Time between high watermark checkpoints."),
    node("log.flush.offset.checkpoint.interval.ms", Int(1), "60000", "Time between recovery point checkpoints."),
    node("default.replication.factor", Int(1), "1", "Replicas of a topic that does not say."),
    node("num.partitions", Int(1), "1", "Partitions of a topic that does not say."),
    node("offsets.topic.num.partitions", Int(1), "3", "Partitions of __consumer_offsets."),
    node(
        "offsets.topic.replication.factor",
        Int(1),
        "3",
        "Replicas of __consumer_offsets; unless set, no more than there are brokers.",
    ),
    node("offsets.topic.segment.bytes", Int(1), "104857600", "Size of a segment of __consumer_offsets."),
    node("offsets.commit.timeout.ms", Int(1), "5000", "Longest wait of a coordinator for its records' replication."),
    node("transaction.state.log.num.partitions", Int(1), "3", "Partitions of __transaction_state."),
    node(
        "transaction.state.log.replication.factor",
        Int(1),
        "3",
        "Replicas of __transaction_state; unless set, no more than there are brokers.",
    ),
    node("transaction.state.log.segment.bytes", Int(1), "104857600", "Size of a segment of __transaction_state."),
    node("transaction.state.log.min.isr", Int(1), "2", "In-sync replicas that __transaction_state needs."),
    node("group.initial.rebalance.delay.ms", Int(0), "3000", "How long a group that begins waits for more members."),
    node("group.min.session.timeout.ms", Int(0), "6000", "Shortest session a member may ask for."),
    node("group.max.session.timeout.ms", Int(0), "1800000", "Longest session a member may ask for."),
    node("group.max.size", Int(1), "2147483647", "Most members of a group."),
    node("offset.metadata.max.bytes", Int(0), "4096", "Longest text kept beside a committed position."),
    node("offsets.retention.minutes", Int(1), "10080", "How long positions of a group without members are kept."),
    node("offsets.retention.check.interval.ms", Long(1), "600000", "Time between looks for positions too old."),
    node("transaction.max.timeout.ms", Int(1), "900000", "Longest transaction.timeout.ms a producer may ask for."),
    node(
        "transaction.abort.timed.out.transaction.cleanup.interval.ms",
        Int(1),
        "1000",
        "Time between looks for transactions that took too long.",
    ),
    node(
        "transaction.remove.expired.transaction.cleanup.interval.ms",
        Int(1),
        "3600000",
        "Time between looks for transactional ids that nobody uses.",
    ),
    node(
        "transactional.id.expiration.ms",
        Int(1),
        "604800000",
        "Idle time after which a transactional id is forgotten.",
    ),
    node(
        "transaction.partition.verification.enable",
        Bool,
        "true",
        "Whether a produce in a transaction is checked with its coordinator first (KIP-890).",
    ),
    node(
        "producer.id.expiration.ms",
        Int(1),
        "86400000",
        "Idle time after which a producer's sequences are forgotten.",
    ),
    node("producer.id.expiration.check.interval.ms", Int(1), "600000", "Time between looks for idle producers."),
    node("auto.create.topics.enable", Bool, "true", "Whether Metadata creates an unknown topic."),
    node("delete.topic.enable", Bool, "true", "Whether topics can be deleted."),
    node("socket.request.max.bytes", Int(1), "104857600", "Largest request."),
    node("max.connections", Int(0), "10000", "Most connections at once."),
    node("connections.max.idle.ms", Long(-1), "600000", "A connection silent for so long is closed; -1 never."),
    node("fetch.max.bytes", Int(1024), "57671680", "Largest fetch answer."),
    node("controlled.shutdown.enable", Bool, "true", "Whether leadership is handed over before a stop."),
    node("stormglass.bug", List, "", "Planted bugs to switch on, by name."),
    node(
        "stormglass.events.file",
        Text,
        "",
        "Where events are written; events.jsonl beside the log folder unless set.",
    ),
    node(
        "stormglass.leader.lease.enable",
        Bool,
        "true",
        "A leader whose heartbeats go unanswered for a session timeout serves nothing.",
    ),
    node("stormglass.in.flight.max", Int(1), "64", "Requests of one connection taken before the oldest is answered."),
    node("stormglass.shutdown.timeout.ms", Int(1), "10000", "Longest time an orderly stop may take."),
    topic("min.insync.replicas", "min.insync.replicas", Int(1), "1", "acks=all needs so many in-sync replicas."),
    topic(
        "unclean.leader.election.enable",
        "unclean.leader.election.enable",
        Bool,
        "false",
        "Whether a replica outside the ISR may lead when none inside is alive.",
    ),
    topic("message.max.bytes", "max.message.bytes", Int(0), "1048588", "Largest record batch."),
    topic("log.segment.bytes", "segment.bytes", Int(14), "1073741824", "A segment is closed before it grows beyond."),
    topic("log.roll.ms", "segment.ms", Long(1), "604800000", "A segment is closed after this time."),
    topic("log.index.interval.bytes", "index.interval.bytes", Int(0), "4096", "Bytes of log per index entry."),
    topic("log.index.size.max.bytes", "segment.index.bytes", Int(4), "10485760", "Largest index file."),
    topic(
        "log.flush.interval.messages",
        "flush.messages",
        Long(1),
        "9223372036854775807",
        "Records after which the log is forced to disk, before they are acknowledged.",
    ),
    topic(
        "log.flush.interval.ms",
        "flush.ms",
        Long(0),
        "9223372036854775807",
        "Time after which the log is forced to disk.",
    ),
    topic("log.retention.ms", "retention.ms", Long(-1), "604800000", "Age at which segments are deleted; -1 never."),
    topic(
        "log.retention.bytes",
        "retention.bytes",
        Long(-1),
        "-1",
        "Size of a partition beyond which segments are deleted; -1 never.",
    ),
    topic(
        "log.cleanup.policy",
        "cleanup.policy",
        Choices(&["delete", "compact"]),
        "delete",
        "delete, compact, or both.",
    ),
    topic(
        "log.cleaner.delete.retention.ms",
        "delete.retention.ms",
        Long(0),
        "86400000",
        "How long tombstones are kept.",
    ),
    topic(
        "log.cleaner.min.cleanable.ratio",
        "min.cleanable.dirty.ratio",
        Ratio,
        "0.5",
        "Share of dirty log at which compaction starts.",
    ),
    topic(
        "log.cleaner.min.compaction.lag.ms",
        "min.compaction.lag.ms",
        Long(0),
        "0",
        "Time a record is safe from compaction.",
    ),
    topic(
        "log.cleaner.max.compaction.lag.ms",
        "max.compaction.lag.ms",
        Long(1),
        "9223372036854775807",
        "Time after which a record must be compacted.",
    ),
    topic(
        "log.message.timestamp.type",
        "message.timestamp.type",
        Choice(&["CreateTime", "LogAppendTime"]),
        "CreateTime",
        "Whose clock stamps the records: the producer's or the leader's.",
    ),
    topic(
        "log.message.timestamp.before.max.ms",
        "message.timestamp.before.max.ms",
        Long(0),
        "9223372036854775807",
        "How far a timestamp may lie in the past.",
    ),
    topic(
        "log.message.timestamp.after.max.ms",
        "message.timestamp.after.max.ms",
        Long(0),
        "3600000",
        "How far a timestamp may lie in the future.",
    ),
    topic("log.preallocate", "preallocate", Bool, "false", "Whether a segment's space is taken at once."),
    topic(
        "log.segment.delete.delay.ms",
        "file.delete.delay.ms",
        Long(0),
        "60000",
        "Time between forgetting a file and deleting it.",
    ),
    topic(
        "compression.type",
        "compression.type",
        Choice(&["producer", "uncompressed", "gzip", "snappy", "lz4", "zstd"]),
        "producer",
        "How records are kept; producer keeps what the producer sent.",
    ),
    node("log.cleaner.enable", Bool, "true", "Whether topics with cleanup.policy=compact are compacted."),
    node("log.cleaner.backoff.ms", Long(1), "15000", "Time between looks for logs to compact."),
    node("log.cleaner.dedupe.buffer.size", Long(1), "134217728", "Memory for the keys of one log that is compacted."),
    node("log.retention.check.interval.ms", Long(1), "300000", "Time between looks for old segments."),
];

/// Kafka properties that are accepted and change nothing here.
pub const EFFECTLESS: &[&str] = &[
    "background.threads",
    "inter.broker.protocol.version",
    "log.cleaner.threads",
    "log.retention.hours",
    "metadata.log.dir",
    "num.io.threads",
    "num.network.threads",
    "num.recovery.threads.per.data.dir",
    "num.replica.fetchers",
    "queued.max.requests",
    "socket.receive.buffer.bytes",
    "socket.send.buffer.bytes",
];

/// The property a node is given by `name`.
pub fn find(name: &str) -> Option<&'static Property> {
    TABLE.iter().find(|property| property.name == name)
}

/// The property a topic overrides by `name`.
pub fn find_topic(name: &str) -> Option<&'static Property> {
    topic_properties().find(|property| property.topic == Some(name))
}

/// Everything a topic can override.
pub fn topic_properties() -> impl Iterator<Item = &'static Property> {
    TABLE.iter().filter(|property| property.topic.is_some())
}

/// The valid node property most like `name`.
pub fn nearest(name: &str) -> &'static str {
    let names = TABLE.iter().map(|property| property.name).chain(EFFECTLESS.iter().copied());
    names.min_by_key(|valid| strsim::damerau_levenshtein(valid, name)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_is_written_as_its_kind_demands() {
        let required = ["node.id"];
        for property in TABLE.iter().filter(|property| !required.contains(&property.name)) {
            assert_eq!(property.check(property.default), Ok(()), "{}", property.name);
        }
    }

    #[test]
    fn no_name_occurs_twice() {
        let mut names: Vec<_> = TABLE.iter().map(|property| property.name).chain(EFFECTLESS.iter().copied()).collect();
        names.sort_unstable();
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]));
    }

    #[test]
    fn a_typing_error_finds_its_neighbour() {
        assert_eq!(nearest("replica.lag.time.ms"), "replica.lag.time.max.ms");
    }
}
