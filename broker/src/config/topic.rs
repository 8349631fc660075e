//! What one topic is to do: settings in layers, the strongest above.
//!
//! ```text
//! topic     set on the topic
//! broker    set on this broker while it ran
//! cluster   set on all brokers while they ran
//! node      the node's file
//! default   the table of properties
//! ```
//!
//! The upper three come from the cluster image as text. A value that does not parse is treated as absent, because the
//! controller has already refused it; nothing here can fail.

use super::properties::{self, Property};
use super::{Config, Values};
use crate::bugs::Bugs;
use crate::log::{Cleanup, Codec, CompactionConfig, LogConfig, OffsetGaps, TimestampType};
use crate::metadata::{ClusterImage, Configs};

/// Effective configuration of a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicConfig {
    /// `min.insync.replicas`
    pub min_insync_replicas: usize,
    /// What its logs obey.
    pub log: LogConfig,
}

/// See the module.
#[derive(Clone, Copy, Debug)]
pub struct Layers<'a> {
    topic: &'a Configs,
    broker: &'a Configs,
    cluster: &'a Configs,
    node: &'a Values,
}

/// Where an effective value comes from, in DescribeConfigs' numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i8)]
pub enum Source {
    /// Set on the topic.
    Topic = 1,
    /// Set on the broker while it ran.
    Broker = 2,
    /// Set on all brokers while they ran.
    Cluster = 3,
    /// Set in the node's file.
    Node = 4,
    /// Nobody said otherwise.
    Default = 5,
}

static NOTHING: Configs = Configs::new();

impl<'a> Layers<'a> {
    /// As the image has them for this node, and nothing of any topic.
    pub fn of(config: &'a Config, image: &'a ClusterImage) -> Layers<'a> {
        let broker = image.broker_configs.get(&config.node).unwrap_or(&NOTHING);
        Layers { topic: &NOTHING, broker, cluster: &image.default_configs, node: config.values() }
    }

    /// As the node's file has them.
    pub fn of_file(values: &'a Values) -> Layers<'a> {
        Layers { topic: &NOTHING, broker: &NOTHING, cluster: &NOTHING, node: values }
    }

    /// With these on top.
    pub fn with_topic(self, topic: &'a Configs) -> Layers<'a> {
        Layers { topic, ..self }
    }

    /// The value of a topic property by its topic name, and where it comes from. An unknown name is empty.
    pub fn effective(&self, name: &str) -> (&'a str, Source) {
        let Some(property) = properties::find_topic(name) else { return ("", Source::Default) };
        match self.topic.get(name).filter(|value| property.check(value).is_ok()) {
            Some(value) => (value, Source::Topic),
            None => self.inherited(property),
        }
    }

    /// The value of a node property, and where it comes from.
    pub fn inherited(&self, property: &'static Property) -> (&'a str, Source) {
        let all = self.all_inherited(property);
        all.into_iter().next().unwrap_or((property.default, Source::Default))
    }

    /// Every value that a node property is given, the strongest first.
    pub fn all_inherited(&self, property: &'static Property) -> Vec<(&'a str, Source)> {
        let dynamic = |configs: &'a Configs| {
            let value = configs.get(property.name).filter(|_| property.is_dynamic());
            value.map(String::as_str).filter(|value| property.check(value).is_ok())
        };
        let layers = [
            (dynamic(self.broker), Source::Broker),
            (dynamic(self.cluster), Source::Cluster),
            (self.node.given(property.name), Source::Node),
            (Some(property.default), Source::Default),
        ];
        layers.into_iter().filter_map(|(value, source)| Some((value?, source))).collect()
    }

    /// What a topic with these settings is to do.
    pub fn resolve(&self) -> TopicConfig {
        let text = |name: &str| self.effective(name).0;
        let number = |name: &str| text(name).parse::<i64>().unwrap_or_default();
        let size = |name: &str| u32::try_from(number(name)).unwrap_or_default();
        let cleanup = self.cleanup();
        let append_time = text("message.timestamp.type") == "LogAppendTime";
        let log = LogConfig {
            segment_bytes: size("segment.bytes"),
            segment_ms: number("segment.ms"),
            index_interval_bytes: size("index.interval.bytes"),
            index_bytes_max: size("segment.index.bytes"),
            message_bytes_max: size("max.message.bytes"),
            flush_messages: number("flush.messages").unsigned_abs(),
            flush_ms: number("flush.ms"),
            retention_ms: Some(number("retention.ms")).filter(|limit| *limit >= 0),
            retention_bytes: u64::try_from(number("retention.bytes")).ok(),
            timestamp_type: if append_time { TimestampType::LogAppendTime } else { TimestampType::CreateTime },
            timestamp_before_ms_max: number("message.timestamp.before.max.ms"),
            timestamp_after_ms_max: number("message.timestamp.after.max.ms"),
            // Whatever the policy is now, the topic may once have been compacted.
            offset_gaps: OffsetGaps::Allowed,
            producer_id_expiration_ms: self.node.number("producer.id.expiration.ms"),
            cleanup,
            compaction: self.compaction(),
            compression: codec(text("compression.type")),
            bugs: Bugs::parse(self.node.text("stormglass.bug")).unwrap_or_default(),
            ..LogConfig::default()
        };
        TopicConfig { min_insync_replicas: size("min.insync.replicas") as usize, log }
    }

    fn cleanup(&self) -> Cleanup {
        let policy = self.effective("cleanup.policy").0;
        Cleanup { delete: policy.contains("delete"), compact: policy.contains("compact") }
    }

    fn compaction(&self) -> CompactionConfig {
        let number = |name: &str| self.effective(name).0.parse::<i64>().unwrap_or_default();
        let share = self.effective("min.cleanable.dirty.ratio").0.parse::<f64>().unwrap_or_default();
        CompactionConfig {
            dirty_ppm_min: (share * 1e6) as u32,
            lag_ms_min: number("min.compaction.lag.ms"),
            lag_ms_max: number("max.compaction.lag.ms"),
            delete_retention_ms: number("delete.retention.ms"),
            keys_bytes_max: self.node.number("log.cleaner.dedupe.buffer.size").unsigned_abs() as usize,
        }
    }
}

fn codec(name: &str) -> Option<Codec> {
    match name {
        "uncompressed" => Some(Codec::None),
        "gzip" => Some(Codec::Gzip),
        "snappy" => Some(Codec::Snappy),
        "lz4" => Some(Codec::Lz4),
        "zstd" => Some(Codec::Zstd),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn configs(name: &str, value: &str) -> Configs {
        Configs::from([(name.to_owned(), value.to_owned())])
    }

    #[test]
    fn a_topic_overrides_the_node_and_the_node_the_default() {
        let config =
            Config::parse(b"node.id=1\nlog.dirs=/x/y\nlog.segment.bytes=1000\nmin.insync.replicas=2\n").unwrap();
        let overrides = configs("min.insync.replicas", "3");
        let layers = Layers::of_file(config.values()).with_topic(&overrides);
        let topic = layers.resolve();
        assert_eq!(
            (topic.min_insync_replicas, topic.log.segment_bytes, topic.log.flush_messages),
            (3, 1000, i64::MAX as u64)
        );
        assert_eq!(layers.effective("segment.bytes"), ("1000", Source::Node));
        assert_eq!(layers.effective("min.insync.replicas"), ("3", Source::Topic));
    }

    #[test]
    fn a_broker_overrides_the_cluster_the_cluster_the_file_and_the_topic_all() {
        let config = Config::parse(b"node.id=1\nlog.dirs=/x/y\nlog.retention.ms=1\n").unwrap();
        let mut image = ClusterImage::default();
        let retention = |image: &ClusterImage, topic: &Configs| {
            Layers::of(&config, image).with_topic(topic).resolve().log.retention_ms
        };
        image.default_configs = configs("log.retention.ms", "2");
        assert_eq!(retention(&image, &NOTHING), Some(2));
        image.broker_configs.insert(crate::ids::NodeId(2), configs("log.retention.ms", "9"));
        assert_eq!(retention(&image, &NOTHING), Some(2), "another broker's");
        image.broker_configs.insert(config.node, configs("log.retention.ms", "3"));
        assert_eq!(retention(&image, &NOTHING), Some(3));
        assert_eq!(retention(&image, &configs("retention.ms", "4")), Some(4));
    }

    #[test]
    fn a_value_that_does_not_parse_or_cannot_change_is_as_if_absent() {
        let config = Config::parse(b"node.id=1\nlog.dirs=/x/y\n").unwrap();
        let image = ClusterImage { default_configs: configs("num.partitions", "7"), ..ClusterImage::default() };
        let overrides = configs("min.insync.replicas", "many");
        let layers = Layers::of(&config, &image).with_topic(&overrides);
        assert_eq!(layers.resolve().min_insync_replicas, 1);
        let property = properties::find("num.partitions").unwrap();
        assert_eq!(layers.inherited(property), ("1", Source::Default));
    }
}
