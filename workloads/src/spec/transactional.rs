//! What transactional applications are told.

use super::{Ending, Group};
use history::{LogId, ProcessId, WriterId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// An application that appends in transactions.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct TransactorSpec {
    /// Who it is in the history.
    pub process: ProcessId,
    /// Whose values it appends.
    pub writer: WriterId,
    /// Transactions a second, over 0.
    pub per_second: f64,
    /// Records of a transaction.
    pub records: u32,
    /// Over so many logs, the first ones, in turn from one that is drawn.
    pub logs: usize,
    /// So many of a hundred are aborted on purpose.
    pub abort_percent: u32,
    /// Bytes of a payload.
    pub record_bytes: usize,
    /// How long it rests after its client has become of no use, milliseconds.
    #[serde(default)]
    pub rest_ms: u64,
    /// librdkafka's properties, `transactional.id` among them.
    pub properties: BTreeMap<String, String>,
    /// librdkafka's properties for reading, if its transactions read what others have appended.
    #[serde(default)]
    pub reads: Option<BTreeMap<String, String>>,
}

/// An application that makes a record of each record.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct TransformSpec {
    /// Who it is in the history.
    pub process: ProcessId,
    /// The first of its values' writers; each attempt has one of its own.
    pub writer: WriterId,
    /// Its place among its like: the same in every life.
    pub slot: u32,
    /// The group that shares the inputs.
    pub group: Group,
    /// Input and output logs.
    pub outputs: Vec<(LogId, LogId)>,
    /// Bytes of a payload.
    pub record_bytes: usize,
    /// librdkafka's properties for appending.
    pub producer: BTreeMap<String, String>,
    /// librdkafka's properties for reading.
    pub consumer: BTreeMap<String, String>,
    /// The application.
    pub app: TransformApp,
}

/// What the application does.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TransformApp {
    /// How outputs and positions go together.
    pub style: TransformStyle,
    /// Whose transactional id it uses.
    pub ids: Ids,
    /// Records taken at once, over 0.
    pub batch_max: usize,
    /// It stands still between the outputs and the positions of one batch.
    pub stalls: Option<Stall>,
    /// It ends between the outputs and the positions of one batch.
    pub falls: Option<FallsBetween>,
}

impl Default for TransformApp {
    fn default() -> TransformApp {
        let style = TransformStyle::PositionsInside;
        TransformApp { style, ids: Ids::Own, batch_max: 100, stalls: None, falls: None }
    }
}

/// How outputs and positions go together.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TransformStyle {
    /// In one transaction, fenced by the member's generation (KIP-447).
    PositionsInside,
    /// Outputs in a transaction, positions by an ordinary commit after it.
    OutputsOnly,
    /// No transaction: outputs are flushed, then positions are committed.
    Plain,
}

/// Whose transactional id an application uses.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ids {
    /// Its own, the same in every life.
    Own,
    /// Its input's: whoever is given the input takes it over.
    OfInput,
    /// A new one each time.
    Random,
}

/// Standing still.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stall {
    /// In this batch, counted from 1.
    pub after: u64,
    /// For so long.
    pub ms: u64,
}

/// An end between outputs and positions.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FallsBetween {
    /// In this batch, counted from 1.
    pub after: u64,
    /// How.
    pub by: Ending,
}

impl TransactorSpec {
    pub(super) fn is_possible(&self) -> bool {
        self.per_second.is_finite() && self.per_second > 0.0 && self.properties.contains_key("transactional.id")
    }
}

impl TransformSpec {
    /// Its transactional id; `None` if it has none, or another one each time.
    pub fn transactional_id(&self) -> Option<String> {
        match (self.app.style, self.app.ids) {
            (TransformStyle::Plain, _) | (_, Ids::Random) => None,
            (_, Ids::Own) => Some(format!("{}-{}", self.group.id, self.slot)),
            (_, Ids::OfInput) => Some(self.group.id.clone()),
        }
    }

    pub(super) fn is_possible(&self) -> bool {
        self.app.batch_max > 0 && self.group.number > 0 && !self.group.topics.is_empty()
    }
}
