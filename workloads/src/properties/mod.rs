//! Clients' properties: the durable preset, which names each client knows, and Kafka-Java names put into librdkafka's.
//!
//! Which names exist and for whom is asked of each client itself, so it is never out of date here.
//! Deliberately absent: where a value came from (the harness keeps origins) and what it promises (the contract).

mod hint;
mod java;
mod range;
mod wire;

pub use java::JavaNames;

use crate::library::Library;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::BaseConsumer;
use rdkafka::error::KafkaError;
use rdkafka::producer::BaseProducer;
use rdkafka::types::RDKafkaConfRes;
use std::collections::BTreeMap;
use std::sync::OnceLock;

/// Which client a property is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    /// Producers.
    Producer,
    /// Consumers.
    Consumer,
}

/// Why a property was refused.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PropertyError {
    /// No such name.
    #[error("unknown {} property `{name}`{hint}", side_name(*.side))]
    Unknown {
        /// For whom.
        side: Side,
        /// As given.
        name: String,
        /// Whose it is, or the nearest that exists, as the end of a sentence.
        hint: String,
    },
    /// Not a value it can have.
    #[error("property `{name}`: {why}")]
    Value {
        /// Which.
        name: String,
        /// What it may be, or what librdkafka has against it.
        why: String,
    },
    /// The run decides it.
    #[error("property `{name}` is set by the run itself: {why}")]
    Ours {
        /// Which.
        name: String,
        /// Why.
        why: &'static str,
    },
}

/// What a given property comes to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Meaning {
    /// This, in librdkafka's words.
    Set {
        /// Its name.
        name: String,
        /// Its value.
        value: String,
    },
    /// Nothing: a Java client's property without a counterpart.
    Nothing {
        /// Why.
        why: &'static str,
    },
}

/// The durable preset of a client library, in its own words.
pub fn durable_of(library: Library, side: Side) -> BTreeMap<String, String> {
    let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    match library {
        Library::Librdkafka => durable(side),
        Library::Java => java::durable(side).iter().copied().map(owned).collect(),
        Library::Wire => wire::durable(side).map(owned).collect(),
    }
}

/// Whose properties are meant, with what has to be known of it.
#[derive(Clone, Copy, Debug)]
pub enum Speaker<'a> {
    /// librdkafka, which is linked in.
    Librdkafka,
    /// The Java client, of a release that has these.
    Java(&'a JavaNames),
    /// Our own wire client.
    Wire,
}

impl Speaker<'_> {
    /// What a property comes to for this client, or why it cannot be.
    pub fn meaning(self, side: Side, name: &str, value: &str) -> Result<Meaning, PropertyError> {
        if let Some((_, why)) = OURS.iter().find(|(ours, _)| *ours == name) {
            return Err(PropertyError::Ours { name: name.to_owned(), why });
        }
        match self {
            Speaker::Librdkafka => meaning(side, name, value),
            Speaker::Java(names) => java::meaning(names, side, name, value),
            Speaker::Wire => wire::meaning(side, name, value),
        }
    }
}

/// librdkafka's durable preset: what no promise of durability can do without, and timeouts for runs of 10 to 60 s.
pub fn durable(side: Side) -> BTreeMap<String, String> {
    let own: &[(&str, &str)] = match side {
        Side::Producer => &[
            ("acks", "all"),
            ("enable.idempotence", "true"),
            ("max.in.flight.requests.per.connection", "5"),
            ("message.timeout.ms", "30000"),
            ("request.timeout.ms", "2500"),
        ],
        Side::Consumer => &[
            ("allow.auto.create.topics", "false"),
            ("auto.offset.reset", "earliest"),
            ("check.crcs", "true"),
            ("enable.auto.commit", "false"),
            ("enable.auto.offset.store", "false"),
            ("fetch.error.backoff.ms", "50"),
            ("fetch.wait.max.ms", "100"),
            ("isolation.level", "read_committed"),
            ("session.timeout.ms", "6000"),
        ],
    };
    let both = [
        ("log.connection.close", "false"),
        ("reconnect.backoff.max.ms", "500"),
        ("reconnect.backoff.ms", "50"),
        ("retry.backoff.max.ms", "500"),
        ("retry.backoff.ms", "50"),
        ("socket.connection.setup.timeout.ms", "1000"),
        ("socket.timeout.ms", "3000"),
        ("topic.metadata.refresh.fast.interval.ms", "50"),
        ("topic.metadata.refresh.interval.ms", "2000"),
    ];
    own.iter().chain(&both).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// How a Java client's property is put into librdkafka's words.
enum Java {
    /// By another name.
    Name(&'static str),
    /// By another name, in units of 1024.
    Kilo(&'static str),
    /// Not at all.
    Nothing(&'static str),
}

const BYTES_ONLY: &str = "payloads are bytes; nothing is serialized";
const NO_BLOCKING: &str = "a full queue makes the load late, it never blocks";
const POLL_ONE: &str = "librdkafka hands records over one by one";

#[rustfmt::skip]
const JAVA: &[(&str, Java)] = &[
    ("buffer.memory", Java::Kilo("queue.buffering.max.kbytes")),
    ("fetch.max.wait.ms", Java::Name("fetch.wait.max.ms")),
    ("key.deserializer", Java::Nothing(BYTES_ONLY)),
    ("key.serializer", Java::Nothing(BYTES_ONLY)),
    ("max.block.ms", Java::Nothing(NO_BLOCKING)),
    ("max.poll.records", Java::Nothing(POLL_ONE)),
    ("max.request.size", Java::Name("message.max.bytes")),
    ("receive.buffer.bytes", Java::Name("socket.receive.buffer.bytes")),
    ("send.buffer.bytes", Java::Name("socket.send.buffer.bytes")),
    ("socket.connection.setup.timeout.max.ms", Java::Nothing("librdkafka's set-up timeout does not grow")),
    ("value.deserializer", Java::Nothing(BYTES_ONLY)),
    ("value.serializer", Java::Nothing(BYTES_ONLY)),
];

/// What the run decides, whatever anybody sets.
const OURS: &[(&str, &str)] = &[
    ("bootstrap.servers", "it starts the brokers"),
    ("metadata.broker.list", "it starts the brokers"),
    ("delivery.report.only.error", "acknowledgements are what is judged"),
    ("test.mock.num.brokers", "the brokers must be real"),
];

/// What a property given under librdkafka's or a Java client's name comes to, or why it cannot be.
pub fn meaning(side: Side, name: &str, value: &str) -> Result<Meaning, PropertyError> {
    if let Some((_, why)) = OURS.iter().find(|(ours, _)| *ours == name) {
        return Err(PropertyError::Ours { name: name.to_owned(), why });
    }
    if let Some((_, java)) = JAVA.iter().find(|(java, _)| *java == name) {
        return from_java(side, name, java, value);
    }
    if !names(side).any(|known| known == name) {
        return Err(hint::unknown(
            Library::Librdkafka,
            side,
            name,
            names(side).chain(JAVA.iter().map(|(java, _)| *java)),
        ));
    }
    let value = match (name, value) {
        ("auto.offset.reset", "none") => "error",
        _ => value,
    };
    try_out(side, name, value)
}

/// What librdkafka has against properties of its own that are right one by one; `None` if it starts with them.
pub fn refusal(side: Side, properties: &BTreeMap<String, String>) -> Option<String> {
    let config: ClientConfig = properties.clone().into_iter().collect();
    let refused = match side {
        Side::Producer => config.create::<BaseProducer>().err(),
        Side::Consumer => config.create::<BaseConsumer>().err(),
    };
    refused.map(|error| match error {
        KafkaError::ClientCreation(why) => why,
        other => other.to_string(),
    })
}

fn from_java(side: Side, name: &str, java: &Java, value: &str) -> Result<Meaning, PropertyError> {
    match java {
        Java::Name(theirs) => meaning(side, theirs, value),
        Java::Kilo(theirs) => {
            let why =
                || PropertyError::Value { name: name.to_owned(), why: format!("`{value}` is not a number of bytes") };
            let bytes: u64 = value.trim().parse().map_err(|_| why())?;
            meaning(side, theirs, &bytes.div_ceil(1024).max(1).to_string())
        }
        Java::Nothing(why) => Ok(Meaning::Nothing { why }),
    }
}

/// Asks librdkafka whether it takes a value, and what it makes of it.
fn try_out(side: Side, name: &str, value: &str) -> Result<Meaning, PropertyError> {
    let refused = |why| PropertyError::Value { name: name.to_owned(), why };
    let taken = ClientConfig::new().set(name, value).create_native_config().map_err(|error| match error {
        KafkaError::ClientConfig(RDKafkaConfRes::RD_KAFKA_CONF_INVALID, why, ..) => {
            refused(range::complaint(name, range_of(side, name), value).unwrap_or(why))
        }
        other => refused(other.to_string()),
    })?;
    let value = understood(value, taken.get(name).ok().as_deref()).map_err(refused)?;
    Ok(Meaning::Set { name: name.to_owned(), value })
}

/// A value as librdkafka reads it back: one word for each truth, names in their own case. It reads a number as far as that goes;
/// what stands behind one was meant otherwise.
fn understood(given: &str, taken: Option<&str>) -> Result<String, String> {
    let same = |taken: &&str| matches!(*taken, "true" | "false") || taken.eq_ignore_ascii_case(given);
    let number = taken.is_some_and(|taken| taken.parse::<f64>().is_ok());
    let numeric = given.starts_with(|c: char| c.is_ascii_digit() || c == '-' || c == '+');
    match taken {
        Some(taken) if number && numeric && given.parse::<f64>().is_err() => {
            Err(format!("`{given}` is no number, and librdkafka would read it as {taken}"))
        }
        // As `acks=ALL`, which is one of several names of a number.
        Some(_) if number && !numeric => Ok(given.to_ascii_lowercase()),
        Some(taken) if same(&taken) => Ok(taken.to_owned()),
        _ => Ok(given.to_owned()),
    }
}

fn nearest_of<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<String> {
    let closest = known.map(|known| (strsim::damerau_levenshtein(name, known), known)).min()?;
    (closest.0 <= name.len() / 2).then(|| closest.1.to_owned())
}

/// Every property librdkafka has for that side, by name, aliases included.
pub fn names(side: Side) -> impl Iterator<Item = &'static str> {
    known_of(side).map(|known| known.name.as_str())
}

/// What a property may be, as librdkafka's table has it; empty if that tells nothing.
fn range_of(side: Side, name: &str) -> &'static str {
    known_of(side).find(|known| known.name == name).map_or("", |known| &known.range)
}

fn known_of(side: Side) -> impl Iterator<Item = &'static Known> {
    let other = match side {
        Side::Producer => Scope::Consumer,
        Side::Consumer => Scope::Producer,
    };
    known().iter().filter(move |known| known.scope != other)
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Scope {
    Both,
    Producer,
    Consumer,
}

#[derive(Debug)]
struct Known {
    name: String,
    scope: Scope,
    range: String,
}

fn known() -> &'static [Known] {
    static KNOWN: OnceLock<Vec<Known>> = OnceLock::new();
    KNOWN.get_or_init(|| parse_table(&shown_by_librdkafka()))
}

/// `name | C/P | range | default | …`, as in librdkafka's CONFIGURATION.md.
fn parse_table(table: &str) -> Vec<Known> {
    let row = |line: &str| {
        let mut cells = line.split('|').map(str::trim);
        let (name, scope, range) = (cells.next()?, cells.next()?, cells.next()?);
        let scope = match scope {
            "*" => Scope::Both,
            "P" => Scope::Producer,
            "C" => Scope::Consumer,
            _ => return None,
        };
        Some(Known { name: name.to_owned(), scope, range: range.to_owned() })
    };
    table.lines().filter_map(row).collect()
}

#[allow(unsafe_code)]
fn shown_by_librdkafka() -> String {
    use nix::libc;
    use std::ptr;
    let (mut text, mut length) = (ptr::null_mut(), 0);
    // SAFETY: both pointers outlive the stream, which is closed before they are read; after that `text` is null or a
    // malloc'ed buffer of `length` bytes that nobody else knows, and it is freed once, after it was copied.
    unsafe {
        let stream = libc::open_memstream(&mut text, &mut length);
        if stream.is_null() {
            return String::new();
        }
        rdkafka::bindings::rd_kafka_conf_properties_show(stream);
        libc::fclose(stream);
        if text.is_null() {
            return String::new();
        }
        let copy = String::from_utf8_lossy(std::slice::from_raw_parts(text.cast::<u8>(), length)).into_owned();
        libc::free(text.cast());
        copy
    }
}

fn side_name(side: Side) -> &'static str {
    match side {
        Side::Producer => "producer",
        Side::Consumer => "consumer",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Side::{Consumer, Producer};

    fn set(side: Side, name: &str, value: &str) -> (String, String) {
        match meaning(side, name, value) {
            Ok(Meaning::Set { name, value }) => (name, value),
            other => panic!("{name}: {other:?}"),
        }
    }

    #[test]
    fn the_preset_is_made_of_properties_that_exist_for_its_side() {
        for side in [Producer, Consumer] {
            for (name, value) in durable(side) {
                assert_eq!(set(side, &name, &value), (name, value));
            }
        }
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_nearest() {
        let refused = meaning(Producer, "enable.idempotense", "true").unwrap_err();
        assert!(refused.to_string().contains("did you mean `enable.idempotence`?"), "{refused}");
        let nothing = meaning(Producer, "zzzzzz", "1").unwrap_err();
        assert!(!nothing.to_string().contains("did you mean"), "{nothing}");
    }

    #[test]
    fn a_value_is_told_as_librdkafka_reads_it_and_not_if_it_reads_less() {
        for (side, name, given, read) in [
            (Producer, "enable.idempotence", "TRUE", "true"),
            (Producer, "enable.idempotence", "1", "true"),
            (Producer, "acks", "ALL", "all"),
            (Producer, "acks", "-1", "-1"),
            (Producer, "linger.ms", "0.5", "0.5"),
            (Producer, "compression.type", "LZ4", "lz4"),
            (Consumer, "isolation.level", "READ_COMMITTED", "read_committed"),
            (Producer, "client.id", "7 dwarfs", "7 dwarfs"),
        ] {
            assert_eq!(set(side, name, given).1, read, "{name}={given}");
        }
        for (name, given) in [("acks", "1 # comment"), ("linger.ms", "5ms"), ("message.timeout.ms", "30_000")] {
            let refused = meaning(Producer, name, given).unwrap_err().to_string();
            assert!(refused.contains(given), "{refused}");
        }
    }

    #[test]
    fn properties_that_do_not_go_together_are_refused_as_librdkafka_does() {
        let with = |side, more: &[(&str, &str)]| {
            let mut properties = durable(side);
            properties.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
            refusal(side, &properties)
        };
        assert_eq!((with(Producer, &[]), with(Consumer, &[])), (None, None));
        let weak = with(Producer, &[("acks", "1")]).unwrap();
        assert!(weak.contains("idempotence"), "{weak}");
        assert!(with(Consumer, &[("max.poll.interval.ms", "1000")]).is_some());
    }

    #[test]
    fn a_property_of_the_other_side_is_unknown() {
        assert!(matches!(meaning(Consumer, "acks", "1"), Err(PropertyError::Unknown { .. })));
        assert!(matches!(meaning(Producer, "fetch.wait.max.ms", "1"), Err(PropertyError::Unknown { .. })));
        assert_eq!(set(Producer, "acks", "1"), ("acks".into(), "1".into()));
    }

    #[test]
    fn a_value_that_cannot_be_is_refused_with_those_that_can() {
        for (side, name, value, why) in [
            (Producer, "acks", "many", "`many` is none of all, -1, 0, 1"),
            (Producer, "linger.ms", "-4", "`-4` is not a number from 0 to 900000"),
            (Producer, "enable.idempotence", "maybe", "`maybe` is none of true, false"),
            (Consumer, "isolation.level", "chaos", "`chaos` is none of read_uncommitted, read_committed"),
        ] {
            let refused = meaning(side, name, value).unwrap_err();
            assert_eq!(refused.to_string(), format!("property `{name}`: {why}"));
        }
    }

    #[test]
    fn java_spellings_are_understood() {
        assert_eq!(set(Producer, "delivery.timeout.ms", "900").1, "900");
        assert_eq!(set(Producer, "buffer.memory", "33554432").0, "queue.buffering.max.kbytes");
        assert_eq!(set(Producer, "buffer.memory", "33554432").1, "32768");
        assert_eq!(set(Producer, "max.request.size", "20000").0, "message.max.bytes");
        assert_eq!(set(Consumer, "auto.offset.reset", "none").1, "error");
        assert!(matches!(meaning(Producer, "key.serializer", "x"), Ok(Meaning::Nothing { .. })));
    }

    #[test]
    fn each_client_refuses_a_name_that_is_not_its_own_with_the_nearest_that_is() {
        let names = "producer\tlinger.ms\nproducer\tacks\nconsumer\tisolation.level\nconsumer\tgroup.id\n";
        let names = JavaNames::parse(names);
        let clients = [Speaker::Librdkafka, Speaker::Java(&names), Speaker::Wire];
        for client in clients {
            for (side, typed, meant) in [(Producer, "akcs", "acks"), (Consumer, "isolation.levle", "isolation.level")] {
                let refused = client.meaning(side, typed, "1").unwrap_err().to_string();
                assert!(refused.contains(&format!("did you mean `{meant}`?")), "{client:?}: {refused}");
            }
            assert!(matches!(client.meaning(Producer, "acks", "all"), Ok(Meaning::Set { .. })), "{client:?}");
            let ours = client.meaning(Consumer, "bootstrap.servers", "x:1");
            assert!(matches!(ours, Err(PropertyError::Ours { .. })), "{client:?}");
        }
        assert!(Speaker::Wire.meaning(Producer, "linger.ms", "5").is_err());
        assert!(Speaker::Java(&names).meaning(Producer, "queue.buffering.max.ms", "5").is_err());
    }

    #[test]
    fn the_wire_client_takes_its_own_preset_and_no_promise_that_it_does_not_keep() {
        for side in [Producer, Consumer] {
            for (name, value) in durable_of(Library::Wire, side) {
                assert!(matches!(Speaker::Wire.meaning(side, &name, &value), Ok(Meaning::Set { .. })), "{name}");
            }
        }
        for (side, name, value) in [
            (Producer, "enable.idempotence", "true"),
            (Producer, "retries", "3"),
            (Producer, "acks", "2"),
            (Consumer, "max.partition.fetch.bytes", "0"),
            (Consumer, "isolation.level", "chaos"),
        ] {
            assert!(matches!(Speaker::Wire.meaning(side, name, value), Err(PropertyError::Value { .. })), "{name}");
        }
    }

    #[test]
    fn what_the_run_decides_cannot_be_set() {
        assert!(matches!(meaning(Producer, "bootstrap.servers", "x:1"), Err(PropertyError::Ours { .. })));
    }
}
