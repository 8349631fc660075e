//! What a producer is told: its load, its client's properties, and what the application around it does.

use history::{ProcessId, WriterId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// A producer.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ProducerSpec {
    /// Who it is in the history.
    pub process: ProcessId,
    /// Whose values it appends.
    pub writer: WriterId,
    /// How fast.
    pub load: Load,
    /// Bytes of a payload.
    pub record_bytes: usize,
    /// Which log each record goes to.
    pub spread: Spread,
    /// librdkafka's properties.
    pub properties: BTreeMap<String, String>,
    /// The application around it.
    #[serde(default)]
    pub app: ProducerApp,
}

/// What the application around a producer does. The default is the careful one.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ProducerApp {
    /// It waits for each record's report before it hands over the next one, whatever the load's rate.
    pub sync: bool,
    /// When the client's queue is full.
    pub on_full: OnFull,
    /// When a record is reported as failed or in doubt.
    pub on_error: OnError,
    /// When it is asked to end.
    pub at_exit: AtExit,
    /// Some records are larger.
    pub large: Option<Large>,
    /// Headers of each record.
    pub headers: u32,
    /// Records are written to this file first, and those of an earlier life that nobody acknowledged are sent again. One called
    /// `….sqlite` is a database, any other a plain file.
    pub outbox: Option<PathBuf>,
    /// It ends in the middle of its work.
    pub dies: Option<Dies>,
}

/// What an application does when the client's queue is full.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnFull {
    /// Waits for room: the load is late, never shorter.
    #[default]
    Wait,
    /// Catches the error and goes on without the record.
    Drop,
}

/// What an application does when a record is reported as failed or in doubt.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnError {
    /// Goes on with the next one.
    #[default]
    GoOn,
    /// Sends it again until it is acknowledged: to the client a new record, to the application the same.
    Resend,
    /// Sends nothing more.
    Stop,
}

/// What an application does when it is asked to end.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AtExit {
    /// Waits for the reports of everything it has handed over.
    #[default]
    Flush,
    /// Just ends.
    Leave,
}

/// Larger records among the others.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Large {
    /// Every so many records, over 0.
    pub every: u64,
    /// Bytes of their payload.
    pub bytes: usize,
}

/// An end in the middle of the work.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dies {
    /// After so many records were handed over or processed.
    pub after: u64,
    /// How.
    pub by: Ending,
}

/// How a process ends in the middle of its work.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// SIGKILL.
    Kill,
    /// By returning from `main`, as if its work were done; what it does before is [`AtExit`].
    Exit,
}

/// How fast records are handed over.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Load {
    /// By plan: record n is due n / `per_second` after the start, whatever became of those before it.
    OpenLoop {
        /// Records per second, over 0.
        per_second: f64,
    },
    /// As fast as replies allow.
    ClosedLoop {
        /// Records handed over and not yet reported; 1 is a synchronous producer.
        outstanding_max: u64,
    },
    /// So many records at once, then the end.
    Wave {
        /// Records.
        records: u64,
        /// How long to wait for their reports.
        wait_ms_max: u64,
    },
}

/// Which log a record goes to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Spread {
    /// Each log in turn.
    RoundRobin,
    /// By a key drawn from `keys`; a key always goes to the same log.
    Keyed {
        /// How many keys, over 0.
        keys: u64,
    },
    /// By each of `keys` in turn, so that a record's sequence tells its key; a key always goes to the same log.
    Cycle {
        /// How many keys, over 0.
        keys: u64,
        /// After so many rounds other keys take their place, and these are never written again; 0: never.
        #[serde(default)]
        rounds: u64,
    },
}

/// The key of a writer's record number `sequence` under [`Spread::Cycle`].
pub fn cycled(sequence: u64, keys: u64, rounds: u64) -> u64 {
    let keys = keys.max(1);
    let generation = sequence / keys.saturating_mul(rounds).max(1);
    sequence % keys + if rounds == 0 { 0 } else { generation * keys }
}

impl ProducerSpec {
    pub(super) fn is_possible(&self) -> bool {
        let paced = match self.load {
            Load::OpenLoop { per_second } => per_second.is_finite() && per_second > 0.0,
            Load::ClosedLoop { outstanding_max } => outstanding_max > 0,
            Load::Wave { .. } => true,
        };
        let large = self.app.large.is_none_or(|large| large.every > 0);
        paced
            && large
            && !matches!(self.spread, Spread::Keyed { keys: 0 } | Spread::Cycle { keys: 0, .. })
            && self.writer.0 <= history::Value::WRITER_MAX
    }
}
