//! The Java client's properties: the names its own jar tells, and the durable preset in its words.
//!
//! Deliberately absent: which values it takes. It is asked itself before a run ([`JavaNames`] only knows names).

use super::{Meaning, PropertyError, Side, hint};
use crate::library::Library;

/// The names that a release of the client knows, as its program prints them: `producer TAB acks`, a line a name.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct JavaNames {
    producer: Vec<String>,
    consumer: Vec<String>,
}

impl JavaNames {
    /// From what the program prints.
    pub fn parse(text: &str) -> JavaNames {
        let of = |side: &str| {
            let names = text.lines().filter_map(|line| line.split_once('\t'));
            names.filter(|(of, _)| *of == side).map(|(_, name)| name.trim().to_owned()).collect()
        };
        JavaNames { producer: of("producer"), consumer: of("consumer") }
    }

    /// Whether it knows none.
    pub fn is_empty(&self) -> bool {
        self.producer.is_empty() || self.consumer.is_empty()
    }

    fn of(&self, side: Side) -> &[String] {
        match side {
            Side::Producer => &self.producer,
            Side::Consumer => &self.consumer,
        }
    }
}

const BYTES_ONLY: &str = "payloads are bytes; nothing is serialized";

/// What a property comes to, and why the run decides some.
pub(super) fn meaning(names: &JavaNames, side: Side, name: &str, value: &str) -> Result<Meaning, PropertyError> {
    if matches!(name, "key.serializer" | "value.serializer" | "key.deserializer" | "value.deserializer") {
        return Ok(Meaning::Nothing { why: BYTES_ONLY });
    }
    if name == "interceptor.classes" && side == Side::Consumer {
        let why = "its own interceptor hears of commits";
        return Err(PropertyError::Ours { name: name.to_owned(), why });
    }
    let known = names.of(side);
    if !known.iter().any(|known| known == name) {
        return Err(hint::unknown(Library::Java, side, name, known.iter().map(String::as_str)));
    }
    Ok(Meaning::Set { name: name.to_owned(), value: value.to_owned() })
}

/// What no promise of durability can do without, and timeouts for runs of 10 to 60 s.
pub(super) fn durable(side: Side) -> &'static [(&'static str, &'static str)] {
    match side {
        Side::Producer => &[
            ("acks", "all"),
            ("delivery.timeout.ms", "30000"),
            ("enable.idempotence", "true"),
            ("max.block.ms", "5000"),
            ("max.in.flight.requests.per.connection", "5"),
            ("metadata.max.age.ms", "2000"),
            ("reconnect.backoff.max.ms", "500"),
            ("request.timeout.ms", "2500"),
            ("retry.backoff.max.ms", "500"),
            ("retry.backoff.ms", "50"),
        ],
        Side::Consumer => &[
            ("allow.auto.create.topics", "false"),
            ("auto.offset.reset", "earliest"),
            ("check.crcs", "true"),
            ("default.api.timeout.ms", "5000"),
            ("enable.auto.commit", "false"),
            ("fetch.max.wait.ms", "100"),
            ("heartbeat.interval.ms", "1500"),
            ("isolation.level", "read_committed"),
            ("metadata.max.age.ms", "2000"),
            ("reconnect.backoff.max.ms", "500"),
            ("request.timeout.ms", "3000"),
            ("retry.backoff.max.ms", "500"),
            ("retry.backoff.ms", "50"),
            ("session.timeout.ms", "6000"),
        ],
    }
}
