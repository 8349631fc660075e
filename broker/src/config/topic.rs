//! What one topic is to do: the node's defaults with the topic's overrides upon them.
//!
//! Overrides come from the cluster image as text. One that does not parse is treated as absent, because the controller
//! has already refused it; nothing here can fail.

use std::collections::BTreeMap;

use super::Values;
use super::properties::{self, Property};
use crate::log::{LogConfig, OffsetGaps, TimestampType};

/// Effective configuration of a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicConfig {
    /// `min.insync.replicas`
    pub min_insync_replicas: usize,
    /// What its logs obey.
    pub log: LogConfig,
}

impl TopicConfig {
    pub(super) fn resolve(values: &Values, overrides: &BTreeMap<String, String>) -> TopicConfig {
        let text = |name: &str| effective(values, overrides, name).0;
        let number = |name: &str| text(name).parse::<i64>().unwrap_or_default();
        let size = |name: &str| u32::try_from(number(name)).unwrap_or_default();
        let compacted = text("cleanup.policy").contains("compact");
        let append_time = text("message.timestamp.type") == "LogAppendTime";
        let log = LogConfig {
            segment_bytes: size("segment.bytes"),
            segment_ms: number("segment.ms"),
            index_interval_bytes: size("index.interval.bytes"),
            message_bytes_max: size("max.message.bytes"),
            flush_messages: number("flush.messages").unsigned_abs(),
            flush_ms: number("flush.ms"),
            retention_ms: Some(number("retention.ms")).filter(|limit| *limit >= 0),
            retention_bytes: u64::try_from(number("retention.bytes")).ok(),
            timestamp_type: if append_time { TimestampType::LogAppendTime } else { TimestampType::CreateTime },
            timestamp_before_ms_max: number("message.timestamp.before.max.ms"),
            timestamp_after_ms_max: number("message.timestamp.after.max.ms"),
            offset_gaps: if compacted { OffsetGaps::Allowed } else { OffsetGaps::Refused },
            ..LogConfig::default()
        };
        TopicConfig { min_insync_replicas: size("min.insync.replicas") as usize, log }
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
        assert_eq!(
            (topic.min_insync_replicas, topic.log.segment_bytes, topic.log.flush_messages),
            (3, 1000, i64::MAX as u64)
        );
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
