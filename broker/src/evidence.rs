//! What happened inside a broker, for machines: one JSON object a line in the node's `events.jsonl`.
//!
//! **Invariant:** each line is one write(2) on a file opened for appending, so lines of a killed node are whole (the last
//! may be missing) and several threads never interleave. Lines carry CLOCK_MONOTONIC nanoseconds (comparable between
//! the processes of one machine) and wall-clock nanoseconds. Not here: debug logging.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use serde::Serialize;

use crate::clock;
use crate::ids::{BrokerEpoch, LeaderEpoch, NodeId, Offset, PartitionEpoch, TopicPartition};
use crate::metadata::event::{EventSink, MetadataEvent};

/// One kind of happening. `event` in the line names the variant in kebab-case.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
#[allow(missing_docs, reason = "field names are the documentation; shapes are listed in the variant docs")]
pub enum Event {
    /// The process begins; bugs are the planted ones that are active.
    Starting {
        version: &'static str,
        roles: String,
        bugs: Vec<&'static str>,
    },
    /// The node registered with the controller and became unfenced: it serves.
    Ready {
        listeners: Vec<String>,
        startup_ms: u64,
    },
    /// The controller gave this incarnation its epoch.
    Registered {
        broker_epoch: BrokerEpoch,
    },
    /// An orderly stop began or ended.
    Stopping {
        reason: String,
    },
    Stopped {
        exit_code: i32,
    },
    /// This node leads a partition from `offset` on.
    Leader {
        partition: TopicPartition,
        epoch: LeaderEpoch,
        partition_epoch: PartitionEpoch,
        offset: Offset,
        high_watermark: Offset,
        isr: Vec<NodeId>,
        previous_leader: Option<NodeId>,
    },
    /// This node follows `leader`.
    Follower {
        partition: TopicPartition,
        epoch: LeaderEpoch,
        partition_epoch: PartitionEpoch,
        offset: Offset,
        high_watermark: Offset,
        leader: Option<NodeId>,
    },
    /// The controller accepted an ISR (asked for by this leader, or seen in the image).
    Isr {
        partition: TopicPartition,
        epoch: LeaderEpoch,
        partition_epoch: PartitionEpoch,
        from: Vec<NodeId>,
        to: Vec<NodeId>,
        under_min_isr: bool,
    },
    /// The leader asks for another ISR and why.
    IsrProposed {
        partition: TopicPartition,
        epoch: LeaderEpoch,
        from: Vec<NodeId>,
        to: Vec<NodeId>,
        why: String,
    },
    /// The log was cut from end offset `from` back to `to`.
    Truncation {
        partition: TopicPartition,
        epoch: LeaderEpoch,
        from: Offset,
        to: Offset,
        high_watermark: Offset,
        why: String,
    },
    /// The high watermark went back.
    HighWatermarkRegression {
        partition: TopicPartition,
        epoch: LeaderEpoch,
        from: Offset,
        to: Offset,
        why: String,
    },
    /// Records before `to` are gone; `segments` whole files with them.
    LogStart {
        partition: TopicPartition,
        from: Offset,
        to: Offset,
        segments: u32,
        why: String,
    },
    /// Only the last record of each key is left below `clean_until`; what that did to the log's bytes.
    Compacted {
        partition: TopicPartition,
        clean_until: Offset,
        from_bytes: u64,
        to_bytes: u64,
    },
    /// A request was refused because it, or this node, is of another time.
    Fenced {
        what: String,
        peer: Option<NodeId>,
        partition: Option<TopicPartition>,
        why: String,
    },
    /// The lease on leadership (last answered heartbeat) ended or was renewed.
    Lease {
        held: bool,
        age_ms: u64,
    },
    /// Recovery after an unclean stop cut a torn or corrupt tail.
    RecoveryCut {
        partition: TopicPartition,
        from_bytes: u64,
        to_bytes: u64,
        end: Offset,
        why: String,
    },
    /// A partition's folder was opened.
    Opened {
        partition: TopicPartition,
        start: Offset,
        end: Offset,
        high_watermark: Offset,
        clean: bool,
    },
    /// A partition's folder was removed because its topic is gone.
    Removed {
        partition: TopicPartition,
    },
    /// This node coordinates what is kept in this partition from now on; records that made no sense were skipped.
    CoordinatorLoaded {
        partition: TopicPartition,
        epoch: LeaderEpoch,
        records: u64,
        skipped: u64,
        load_ms: u64,
    },
    /// This node no longer coordinates what is kept in this partition.
    CoordinatorLost {
        partition: TopicPartition,
        epoch: LeaderEpoch,
    },
    /// A log folder failed; the node halts.
    LogDirFailed {
        dir: String,
        error: String,
    },
    /// Anything a person should see that fits no other kind.
    Note {
        text: String,
    },
}

#[derive(Serialize)]
struct Line<'a, E> {
    monotonic_ns: u64,
    wall_ns: u64,
    node: NodeId,
    #[serde(flatten)]
    event: &'a E,
}

/// Where events go. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Events {
    node: NodeId,
    file: Option<Arc<File>>,
}

impl Events {
    /// Appends to `path`, created with its folders if missing.
    pub fn open(node: NodeId, path: &Path) -> io::Result<Events> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        Ok(Events { node, file: Some(Arc::new(file)) })
    }

    /// Events that go nowhere, for tests.
    pub fn discard(node: NodeId) -> Events {
        Events { node, file: None }
    }

    /// Writes one event. A failing events file is not a reason to stop serving, so its error is dropped.
    pub fn emit(&self, event: Event) {
        self.write(&event);
    }

    fn write(&self, event: &impl Serialize) {
        let Some(file) = &self.file else { return };
        let line = Line { monotonic_ns: clock::monotonic_ns(), wall_ns: clock::wall_ns(), node: self.node, event };
        let mut text = serde_json::to_vec(&line).unwrap_or_default();
        text.push(b'\n');
        let _ = (&**file).write_all(&text);
    }

    /// A remark for people.
    pub fn note(&self, text: impl Into<String>) {
        self.emit(Event::Note { text: text.into() });
    }
}

impl EventSink for Events {
    fn event(&self, event: &MetadataEvent) {
        self.write(event);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_flat_line_with_its_name_and_both_clocks() {
        let folder = std::env::temp_dir().join(format!("stormglass-events-{}", std::process::id()));
        let path = folder.join("events.jsonl");
        let events = Events::open(NodeId(3), &path).unwrap();
        events.emit(Event::Registered { broker_epoch: BrokerEpoch(7) });
        events.note("hello");
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
        let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 2);
        assert_eq!(
            (&lines[0]["event"], &lines[0]["node"], &lines[0]["broker_epoch"]),
            (&"registered".into(), &3.into(), &7.into())
        );
        assert!(lines[0]["monotonic_ns"].as_u64().unwrap() <= lines[1]["monotonic_ns"].as_u64().unwrap());
    }
}
