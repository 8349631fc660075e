//! What a consumer is told: how it comes by its logs, its client's properties, and what the application around it does.

use history::{LogId, ProcessId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A consumer.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ConsumerSpec {
    /// Who it is in the history.
    pub process: ProcessId,
    /// How it comes by its logs.
    pub mode: ConsumerMode,
    /// librdkafka's properties.
    pub properties: BTreeMap<String, String>,
}

/// How a consumer comes by its logs.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConsumerMode {
    /// Takes these, from their beginning.
    Assign {
        /// Of [`ClientSpec::logs`].
        logs: Vec<LogId>,
    },
}
