//! What is told of a property that a client does not have: whose it is, or the nearest that the client has.

use super::{PropertyError, Side, names, nearest_of, wire};
use crate::library::Library;

/// Names that the Java client has (3.9 to 4.1) and librdkafka has nothing like.
const JAVA_ONLY: &[&str] = &[
    "auto.include.jmx.reporter",
    "compression.gzip.level",
    "compression.lz4.level",
    "compression.zstd.level",
    "config.providers",
    "default.api.timeout.ms",
    "exclude.internal.topics",
    "interceptor.classes",
    "metadata.max.idle.ms",
    "metric.reporters",
    "metrics.num.samples",
    "metrics.recording.level",
    "metrics.sample.window.ms",
    "partitioner.adaptive.partitioning.enable",
    "partitioner.availability.timeout.ms",
    "partitioner.class",
    "partitioner.ignore.keys",
    "security.providers",
    "transaction.two.phase.commit.enable",
];

/// Properties of librdkafka that the Java client has under another name.
const IN_JAVA: &[(&str, &str)] = &[
    ("compression.codec", "compression.type"),
    ("fetch.message.max.bytes", "max.partition.fetch.bytes"),
    ("fetch.wait.max.ms", "fetch.max.wait.ms"),
    ("max.in.flight", "max.in.flight.requests.per.connection"),
    ("message.max.bytes", "max.request.size"),
    ("message.send.max.retries", "retries"),
    ("message.timeout.ms", "delivery.timeout.ms"),
    ("queue.buffering.max.kbytes", "buffer.memory"),
    ("queue.buffering.max.ms", "linger.ms"),
    ("request.required.acks", "acks"),
    ("socket.receive.buffer.bytes", "receive.buffer.bytes"),
    ("socket.send.buffer.bytes", "send.buffer.bytes"),
    ("topic.metadata.refresh.interval.ms", "metadata.max.age.ms"),
];

/// The refusal of a name that a library does not have for this side; `known` are those that it has.
pub(super) fn unknown<'a>(
    library: Library,
    side: Side,
    name: &str,
    known: impl Iterator<Item = &'a str>,
) -> PropertyError {
    let nearest = || nearest_of(name, known).map(|nearest| format!("; did you mean `{nearest}`?"));
    let hint = of_other_side(library, side, name).or_else(|| of_another(library, side, name)).or_else(nearest);
    PropertyError::Unknown { side, name: name.to_owned(), hint: hint.unwrap_or_default() }
}

fn of_other_side(library: Library, side: Side, name: &str) -> Option<String> {
    let (other, whose) = match side {
        Side::Producer => (Side::Consumer, "consumers"),
        Side::Consumer => (Side::Producer, "producers"),
    };
    let has = match library {
        Library::Wire => wire::names(other).any(|known| known == name),
        Library::Librdkafka | Library::Java => {
            names(other).any(|known| known == name) && !names(side).any(|n| n == name)
        }
    };
    has.then(|| format!("; it is a property of {whose}"))
}

fn of_another(library: Library, side: Side, name: &str) -> Option<String> {
    let of_librdkafka = || names(side).any(|known| known == name);
    let in_java = || IN_JAVA.iter().find(|row| row.0 == name).map(|row| row.1);
    match library {
        Library::Librdkafka if JAVA_ONLY.contains(&name) => {
            Some("; it is the Java client's (`--client java`), and librdkafka has nothing like it".into())
        }
        Library::Java if of_librdkafka() => Some(match in_java() {
            Some(java) => format!("; it is librdkafka's, and the Java client has `{java}`"),
            None => "; it is librdkafka's (`--client librdkafka`)".into(),
        }),
        Library::Wire if of_librdkafka() || JAVA_ONLY.contains(&name) => {
            let has: Vec<&str> = wire::names(side).collect();
            Some(format!("; the wire client has {} alone", has.join(", ")))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hint(library: Library, side: Side, name: &str) -> String {
        unknown(library, side, name, names(side)).to_string()
    }

    #[test]
    fn a_name_of_another_clients_or_of_the_other_side_is_told_as_such() {
        use Library::{Java, Librdkafka, Wire};
        for (library, side, name, told) in [
            (Librdkafka, Side::Producer, "partitioner.class", "Java client's"),
            (Librdkafka, Side::Producer, "max.poll.interval.ms", "of consumers"),
            (Librdkafka, Side::Consumer, "acks", "of producers"),
            (Java, Side::Producer, "queue.buffering.max.kbytes", "`buffer.memory`"),
            (Java, Side::Producer, "queue.buffering.max.messages", "librdkafka's"),
            (Wire, Side::Producer, "linger.ms", "has acks"),
            (Librdkafka, Side::Producer, "linger.sm", "did you mean `linger.ms`?"),
        ] {
            assert!(hint(library, side, name).contains(told), "{}", hint(library, side, name));
        }
    }

    #[test]
    fn what_is_the_java_clients_alone_is_nothing_of_librdkafkas() {
        for name in JAVA_ONLY {
            assert!(
                ![Side::Producer, Side::Consumer].iter().any(|side| names(*side).any(|known| known == *name)),
                "{name}"
            );
        }
        for (name, _) in IN_JAVA {
            assert!(
                [Side::Producer, Side::Consumer].iter().any(|side| names(*side).any(|known| known == *name)),
                "{name}"
            );
        }
    }
}
