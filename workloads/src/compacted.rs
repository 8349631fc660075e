//! A compacted log: of each key the last record is kept, and the earlier ones may go.
//!
//! **Invariant:** what is judged as acknowledged is what compaction may not take: of each writer's records under one key in one
//! log the last acknowledged one ([`relax`]). Whatever else is missing was superseded.

use crate::queue::Queue;
use crate::spec::{Also, ProducerApp, Spread, cycled};
use crate::workload::{Crew, Need, Plan, Shape, Site, Topic};
use checker::claim::Claim;
use checker::contract::Contract;
use history::{History, Kind, LogId, Offset, Outcome, WriterId};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// As it is called.
pub const NAME: &str = "compacted";
/// In one line.
pub const WHAT: &str = "keyed records on a compacted topic; of each key the last acknowledged value is there";

/// Its shape.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Compacted {
    /// Producer processes; each has keys of its own.
    pub producers: u32,
    /// Consumers.
    pub consumers: u32,
    /// Keys that each producer writes at a time.
    pub keys: u64,
    /// How often it writes each before others take their place, so that the last value of many has to outlive compaction; 0: for
    /// ever the same.
    pub rounds: u64,
    /// Bytes of a segment: small, so that there is something to compact.
    pub segment_bytes: u64,
}

impl Default for Compacted {
    fn default() -> Compacted {
        Compacted { producers: 2, consumers: 1, keys: 100, rounds: 5, segment_bytes: 64 << 10 }
    }
}

/// Batches per segment, at the least.
const BATCHES_MIN: u64 = 4;

impl Compacted {
    /// The same site with batches that fit a segment, unless somebody asked for others: a larger one is refused
    /// (RECORD_LIST_TOO_LARGE), and an idempotent librdkafka then counts anew, so that what it sends again stands twice.
    fn bounded(&self, site: &Site) -> Site {
        let mut site = site.clone();
        let bytes = (self.segment_bytes / BATCHES_MIN).max(1);
        site.producer.entry("batch.size".into()).or_insert(bytes.to_string());
        site
    }
}

impl Shape for Compacted {
    fn plan(&self, site: &Site) -> Plan {
        let site = &self.bounded(site);
        let mut crew = Crew::new(site);
        crew.producers(self.producers, Spread::Cycle { keys: self.keys, rounds: self.rounds }, &ProducerApp::default());
        crew.readers(self.consumers);
        crew.sampler("sampler", Also::Offsets);
        crew.plan(Queue::CLAIMS.to_vec())
    }

    fn needs(&self) -> &'static [Need] {
        &[Need::Compaction]
    }

    fn topics(&self) -> Vec<Topic> {
        let configs = [
            ("cleanup.policy", "compact".to_owned()),
            ("segment.bytes", self.segment_bytes.to_string()),
            ("min.cleanable.dirty.ratio", "0.01".to_owned()),
        ];
        vec![Topic { suffix: "", configs: configs.to_vec() }]
    }

    fn bind(&self, contract: Contract) -> Contract {
        let because = "compaction takes records that others have read";
        let contract =
            [Claim::NoSkip, Claim::LinearizableLog].into_iter().fold(contract, |c, claim| c.allow(claim, because));
        // What compaction may take is no acknowledged record by then.
        contract.forbid(Claim::NoAckedLoss)
    }
}

/// Takes back the acknowledgement of every record that a later acknowledged one of its key superseded: nobody can tell what
/// became of it, and nobody needs to.
pub fn relax(history: &mut History, shape: &Compacted) {
    let key = |value: history::Value| cycled(value.sequence(), shape.keys, shape.rounds);
    let mut last: HashMap<(LogId, WriterId, u64), Offset> = HashMap::new();
    let acked = |op: &history::Op| op.kind() == Kind::Append && op.outcome() == Outcome::Ok && op.offset >= Offset(0);
    for op in history.ops.iter().filter(|op| acked(op)) {
        let last = last.entry((op.log, op.value().writer(), key(op.value()))).or_insert(op.offset);
        *last = op.offset.max(*last);
    }
    for op in history.ops.iter_mut().filter(|op| acked(op)) {
        if last.get(&(op.log, op.value().writer(), key(op.value()))).is_some_and(|last| op.offset < *last) {
            *op = op.complete(Outcome::Unknown, op.returned, Offset::UNKNOWN);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use history::{Nanos, Op, ProcessId, Value};

    #[test]
    fn only_the_last_acknowledged_record_of_a_key_must_be_there() {
        let mut history = History::default();
        let append = |sequence, answer: Option<i64>| {
            let op = Op::invoke(Kind::Append, ProcessId(0), LogId(0), Nanos(1));
            let op = op.with_detail(Value::new(WriterId(1), sequence).0);
            answer.map_or(op, |offset| op.complete(Outcome::Ok, Nanos(2), Offset(offset)))
        };
        history.ops =
            vec![append(0, Some(0)), append(1, Some(1)), append(2, Some(2)), append(4, None), append(3, Some(3))];
        relax(&mut history, &Compacted { keys: 2, rounds: 0, ..Compacted::default() });
        let outcomes: Vec<bool> = history.ops.iter().map(|op| op.outcome() == Outcome::Ok).collect();
        assert_eq!(
            outcomes,
            [false, false, true, false, true],
            "4 was not acknowledged: it supersedes nothing for sure"
        );
    }
}
