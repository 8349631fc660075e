//! What one topic is to do: the node's defaults with the topic's overrides upon them.
//!
//! Overrides come from the cluster image as text. One that does not parse is treated as absent, because the controller
//! has already refused it; nothing here can fail.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Values;
use super::properties::{self, Property};

/// Effective configuration of a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicConfig {
    /// `min.insync.replicas`
    pub min_insync_replicas: usize,
    /// `max.message.bytes`
    pub batch_bytes_max: usize,
    /// `segment.bytes`
    pub segment_bytes: u64,
    /// `segment.ms`
    pub segment_age_max: Duration,
    /// `index.interval.bytes`
    pub index_interval_bytes: u64,
    /// `flush.messages`; none is never.
    pub flush_messages: Option<u64>,
    /// `flush.ms`; none is never.
    pub flush_interval: Option<Duration>,
    /// `retention.ms`; none is for ever.
    pub retention: Option<Duration>,
    /// `retention.bytes`; none is no limit.
    pub retention_bytes: Option<u64>,
    /// Whether `message.timestamp.type` is LogAppendTime.
    pub log_append_time: bool,
}

impl TopicConfig {
    pub(super) fn resolve(values: &Values, overrides: &BTreeMap<String, String>) -> TopicConfig {
        let text = |name: &str| effective(values, overrides, name).0;
        let number = |name: &str| text(name).parse::<i64>().unwrap_or_default();
        let size = |name: &str| u64::try_from(number(name)).unwrap_or_default();
        let limit = |name: &str| u64::try_from(number(name)).ok().filter(|value| *value != i64::MAX as u64);
        TopicConfig {
            min_insync_replicas: size("min.insync.replicas") as usize,
            batch_bytes_max: size("max.message.bytes") as usize,
            segment_bytes: size("segment.bytes"),
            segment_age_max: Duration::from_millis(size("segment.ms")),
            index_interval_bytes: size("index.interval.bytes"),
            flush_messages: limit("flush.messages"),
            flush_interval: limit("flush.ms").map(Duration::from_millis),
            retention: limit("retention.ms").map(Duration::from_millis),
            retention_bytes: limit("retention.bytes"),
            log_append_time: text("message.timestamp.type") == "LogAppendTime",
        }
    }
}

/// Where an effective value comes from, in DescribeConfigs' numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i8)]
pub enum Source {
    /// Set on the topic.
    Topic = 1,
    /// Set in the node's file.
    Node = 4,
    /// Nobody said otherwise.
    Default = 5,
}

/// The value of a topic property by its topic name, and where it comes from. An unknown name is empty.
pub fn effective<'a>(values: &'a Values, overrides: &'a BTreeMap<String, String>, name: &str) -> (&'a str, Source) {
    let Some(property) = properties::find_topic(name) else { return ("", Source::Default) };
    let valid = |value: &&str| property.check(value).is_ok();
    if let Some(value) = overrides.get(name).map(String::as_str).filter(valid) {
        return (value, Source::Topic);
    }
    of_node(values, property)
}

/// The value of a node property, and where it comes from.
pub fn of_node<'a>(values: &'a Values, property: &'static Property) -> (&'a str, Source) {
    match values.given(property.name) {
        Some(value) => (value, Source::Node),
        None => (property.default, Source::Default),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_overrides_the_node_and_the_node_the_default() {
        let config =
            super::super::Config::parse(b"node.id=1\nlog.dirs=/x/y\nlog.segment.bytes=1000\nmin.insync.replicas=2\n")
                .unwrap();
        let overrides = BTreeMap::from([("min.insync.replicas".to_owned(), "3".to_owned())]);
        let topic = config.topic(&overrides);
        assert_eq!((topic.min_insync_replicas, topic.segment_bytes, topic.flush_messages), (3, 1000, None));
        assert_eq!(effective(config.values(), &overrides, "segment.bytes"), ("1000", Source::Node));
        assert_eq!(effective(config.values(), &overrides, "min.insync.replicas"), ("3", Source::Topic));
    }

    #[test]
    fn an_override_that_does_not_parse_is_as_if_absent() {
        let config = super::super::Config::parse(b"node.id=1\nlog.dirs=/x/y\n").unwrap();
        let overrides = BTreeMap::from([("min.insync.replicas".to_owned(), "many".to_owned())]);
        assert_eq!(config.topic(&overrides).min_insync_replicas, 1);
    }
}
