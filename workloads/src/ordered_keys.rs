//! Keyed producers: each key always goes to the same log, records differ in size and carry headers; what one producer sent under
//! a key is read in that order.
//!
//! The order of a log's records by one writer is what is judged, and every key's is part of it.

use crate::queue::Queue;
use crate::spec::{Also, Large, ProducerApp, Spread};
use crate::workload::{Crew, Plan, Shape, Site};
use serde::{Deserialize, Serialize};

/// As it is called.
pub const NAME: &str = "ordered-keys";
/// In one line.
pub const WHAT: &str = "keyed producers with headers and records of two sizes; order within each key, loss, duplicates";

/// Its shape.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OrderedKeys {
    /// Producer processes.
    pub producers: u32,
    /// Consumer processes; each reads every log.
    pub consumers: u32,
    /// Keys of each producer.
    pub keys: u64,
    /// The application around each producer.
    pub app: ProducerApp,
}

impl Default for OrderedKeys {
    fn default() -> OrderedKeys {
        let app = ProducerApp { headers: 2, large: Some(Large { every: 10, bytes: 2048 }), ..ProducerApp::default() };
        OrderedKeys { producers: 3, consumers: 2, keys: 64, app }
    }
}

impl Shape for OrderedKeys {
    fn plan(&self, site: &Site) -> Plan {
        let mut crew = Crew::new(site);
        crew.producers(self.producers, Spread::Keyed { keys: self.keys }, &self.app);
        crew.readers(self.consumers);
        crew.sampler("sampler", Also::Nothing);
        crew.plan(Queue::CLAIMS.to_vec())
    }
}
