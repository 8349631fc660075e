//! What a consumer is told: how it comes by its logs, its client's properties, and what the application around it does.

use super::Ending;
use crate::sink::SinkStyle;
use history::{LogId, ProcessId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// A consumer.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ConsumerSpec {
    /// Who it is in the history.
    pub process: ProcessId,
    /// How it comes by its logs.
    pub mode: ConsumerMode,
    /// librdkafka's properties.
    pub properties: BTreeMap<String, String>,
    /// The application around it, where it is a member of a group.
    #[serde(default)]
    pub app: ConsumerApp,
}

/// How a consumer comes by its logs.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConsumerMode {
    /// Takes these, from their beginning.
    Assign {
        /// Of [`super::ClientSpec::logs`].
        logs: Vec<LogId>,
    },
    /// Is given what the group gives it.
    Group(Group),
}

/// A group and what it reads.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// Its number in the history, over 0.
    pub number: u32,
    /// Its `group.id`.
    pub id: String,
    /// The topics it is subscribed to.
    pub topics: Vec<String>,
}

/// What the application around a member of a group does. The default is the careful one: it commits what it has processed,
/// after it has, batch by batch and before it gives a log away.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ConsumerApp {
    /// It joins its group once the first log has so many records.
    pub starts_at: u64,
    /// Records taken at once, over 0.
    pub batch_max: usize,
    /// How long it works on a record, microseconds.
    pub work_us: u64,
    /// When it commits.
    pub commit: Commit,
    /// What it adds to the position that it should commit.
    pub shift: i64,
    /// Threads that do the work; with none the polling thread does.
    pub workers: u32,
    /// How it leaves.
    pub leaves: Leaves,
    /// It wanders through its logs.
    pub wanders: Option<Wanders>,
    /// Where the effects of records go, if they go anywhere.
    pub sink: Option<SinkSpec>,
    /// It ends in the middle of its work.
    pub falls: Option<Falls>,
}

impl Default for ConsumerApp {
    fn default() -> ConsumerApp {
        ConsumerApp {
            starts_at: 0,
            batch_max: 100,
            work_us: 0,
            commit: Commit::AfterBatch,
            shift: 0,
            workers: 0,
            leaves: Leaves::Closing,
            wanders: None,
            sink: None,
            falls: None,
        }
    }
}

/// When an application commits its positions.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Commit {
    /// Never.
    Never,
    /// It leaves it to the library (`enable.auto.commit`), what it is handed counting as done (`enable.auto.offset.store`).
    Library,
    /// It leaves the moment to the library and says itself what is done.
    Stored,
    /// As soon as it has taken a batch, before it works on it. With workers: as soon as it has handed it on.
    Before,
    /// After each batch.
    AfterBatch,
    /// After each record.
    AfterRecord,
    /// After each batch, without waiting for the answer.
    Async,
    /// Only when it ends, by whatever way: in `finally`.
    Finally,
}

/// How a member leaves its group.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Leaves {
    /// By closing its consumer.
    Closing,
    /// By ending its subscription and then closing.
    Unsubscribing,
    /// It just ends.
    Silently,
}

/// Pauses and steps back.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanders {
    /// Every so many records, over 0.
    pub every: u64,
    /// How long its logs are paused, milliseconds.
    pub pause_ms: u64,
    /// How many records it goes back.
    pub back: i64,
}

/// A sink.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SinkSpec {
    /// Its file.
    pub path: PathBuf,
    /// How effects and positions go together.
    pub style: SinkStyle,
}

/// An end in the middle of a consumer's work.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Falls {
    /// After so many records were processed, at the next one.
    pub after: u64,
    /// At which point.
    pub at: Point,
    /// How.
    pub by: Ending,
}

/// A point in the work on a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Point {
    /// It works on the record, and never finishes.
    Working,
    /// The record is done, and nothing was committed since.
    Done,
    /// All that was taken is done, and nothing more was taken.
    Between,
}

impl ConsumerSpec {
    pub(super) fn is_possible(&self) -> bool {
        let group = match &self.mode {
            ConsumerMode::Assign { .. } => true,
            ConsumerMode::Group(group) => group.number > 0 && !group.topics.is_empty(),
        };
        group && self.app.batch_max > 0 && self.app.wanders.is_none_or(|wanders| wanders.every > 0)
    }
}
