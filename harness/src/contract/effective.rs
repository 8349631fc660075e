//! A setting as it takes effect: as somebody set it, or as the software has it by default, with words for either.
//!
//! Defaults: Apache Kafka 3.9's broker and Java client, librdkafka 2.12's. Where the two clients differ, so do promises.

use super::traits::Client;
use crate::settings::{Owner, Settings};

/// A value and where it comes from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Effective {
    /// The value.
    pub value: String,
    /// `acks=1 (producer.properties:4)`, `enable.idempotence=false (librdkafka's default)`.
    pub because: String,
}

impl Effective {
    /// Whether it is this.
    pub fn is(&self, value: &str) -> bool {
        self.value == value
    }

    /// Whether it is switched on.
    pub fn on(&self) -> bool {
        matches!(self.value.to_ascii_lowercase().as_str(), "true" | "t" | "1")
    }

    /// As a number; `other` if it is none.
    pub fn number(&self, other: u64) -> u64 {
        self.value.trim().parse().unwrap_or(other)
    }
}

/// A default: librdkafka's, then the Java client's.
type Defaults = (&'static str, &'static str, &'static str);

#[rustfmt::skip]
const PRODUCER: &[Defaults] = &[
    ("acks", "all", "all"),
    ("enable.idempotence", "false", "true"),
    ("max.in.flight.requests.per.connection", "1000000", "5"),
    ("message.timeout.ms", "300000", "120000"),
    ("retries", "2147483647", "2147483647"),
    ("transactional.id", "", ""),
];

#[rustfmt::skip]
const CONSUMER: &[Defaults] = &[
    ("auto.offset.reset", "largest", "latest"),
    ("check.crcs", "false", "true"),
    ("enable.auto.commit", "true", "true"),
    ("enable.auto.offset.store", "true", "false"),
    ("isolation.level", "read_committed", "read_uncommitted"),
    ("session.timeout.ms", "45000", "45000"),
];

/// A topic's name for a setting, the broker's name for its default, and what that is where nobody sets it.
#[rustfmt::skip]
const LOG: &[(&str, &str, &str)] = &[
    ("cleanup.policy", "log.cleanup.policy", "delete"),
    ("flush.messages", "log.flush.interval.messages", "9223372036854775807"),
    ("min.insync.replicas", "min.insync.replicas", "1"),
    ("retention.bytes", "log.retention.bytes", "-1"),
    ("retention.ms", "log.retention.ms", "604800000"),
    ("unclean.leader.election.enable", "unclean.leader.election.enable", "false"),
];

#[rustfmt::skip]
const INTERNAL: &[(&str, &str)] = &[
    ("producer.id.expiration.ms", "86400000"),
    ("offsets.topic.replication.factor", "3"),
    ("transaction.state.log.replication.factor", "3"),
    ("transaction.state.log.min.isr", "2"),
];

/// A setting of a client.
pub(super) fn client(settings: &Settings, client: Client, owner: Owner, name: &str) -> Effective {
    if let Some(set) = given(settings, owner, name) {
        return set;
    }
    let table = if owner == Owner::Producer { PRODUCER } else { CONSUMER };
    let found = table.iter().find(|row| row.0 == name);
    let value = found.map_or("", |row| if client == Client::Java { row.2 } else { row.1 });
    Effective { value: value.to_owned(), because: format!("{name}={value} ({}'s default)", client.name()) }
}

/// A setting of the topic under load: its own, the brokers', or the default.
pub(super) fn of_topic(settings: &Settings, name: &str) -> Effective {
    let row = LOG.iter().find(|row| row.0 == name);
    let of_broker = || row.and_then(|row| given(settings, Owner::Broker, row.1));
    given(settings, Owner::Topic, name).or_else(of_broker).unwrap_or_else(|| by_default(name, row.map_or("", |r| r.2)))
}

/// A setting that holds for the brokers' own topics, which are nobody's to configure one by one.
pub(super) fn of_broker(settings: &Settings, name: &str) -> Effective {
    let log = LOG.iter().find(|row| row.1 == name).map(|row| row.2);
    let internal = INTERNAL.iter().find(|row| row.0 == name).map(|row| row.1);
    given(settings, Owner::Broker, name).unwrap_or_else(|| by_default(name, log.or(internal).unwrap_or("")))
}

fn by_default(name: &str, value: &str) -> Effective {
    Effective { value: value.to_owned(), because: format!("{name}={value} (the broker's default)") }
}

fn given(settings: &Settings, owner: Owner, name: &str) -> Option<Effective> {
    let set = settings.get(owner, name)?;
    Some(Effective { value: set.value.clone(), because: settings.cite(owner, name) })
}
