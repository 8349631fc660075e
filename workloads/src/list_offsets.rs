//! Several samplers ask for every counter of every log while producers append: ends, stable ends, starts, epochs, windows. None
//! may go back, and none may contradict what was acknowledged before it was asked for.

use crate::queue::Queue;
use crate::spec::{Also, ProducerApp, Spread};
use crate::workload::{Crew, Plan, Shape, Site};
use serde::{Deserialize, Serialize};

/// As it is called.
pub const NAME: &str = "list-offsets";
/// In one line.
pub const WHAT: &str =
    "samplers ask for ends, stable ends, starts and epochs under load; none goes back, none is stale";

/// Its shape.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ListOffsets {
    /// Producer processes.
    pub producers: u32,
    /// Samplers.
    pub samplers: u32,
}

impl Default for ListOffsets {
    fn default() -> ListOffsets {
        ListOffsets { producers: 2, samplers: 3 }
    }
}

impl Shape for ListOffsets {
    fn plan(&self, site: &Site) -> Plan {
        let mut crew = Crew::new(site);
        crew.producers(self.producers, Spread::RoundRobin, &ProducerApp::default());
        crew.readers(1);
        (1..=self.samplers).for_each(|n| crew.sampler(&format!("sampler-{n}"), Also::Offsets));
        crew.plan(Queue::CLAIMS.to_vec())
    }
}
