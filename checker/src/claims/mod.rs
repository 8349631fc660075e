//! The anomalies, one a file: definition, smallest example, innocent near-miss, and how it is told from the facts.
//!
//! Examples are histories in the notation of [`crate::notation`]; a test judges each. **Invariant:** a definition looks
//! only at the facts of the second pass, never at bits of the first, so a lead is never evidence.

use crate::anomaly::{AnomalyKind, Witness};
use crate::claim::Claim;
use crate::groups::definitions as groups;
use crate::log::facts::{Dossier, Facts, LogFacts};
use crate::log::leads::Leads;
use crate::txn::{cycle_definitions as cycles, definitions as transactions};
use history::{Names, NodeId, ReplicaLog, Value};

mod changed_offset;
mod corrupted;
mod disputes;
mod diverged_replicas;
mod duplicate;
mod end_went_back;
mod epoch_went_back;
mod failed_append_read;
pub mod fate;
mod foreign;
mod hidden_until_heal;
mod inconsistent_offset;
mod int_nonmonotonic_poll;
mod int_poll_skip;
mod late_append;
mod log_start_went_back;
mod lost_middle;
mod lost_postfix;
mod lost_prefix;
mod misrouted;
mod negative_ack_offset;
mod nonmonotonic_poll;
mod origin;
mod pairs;
mod phantom;
mod poll_skip;
mod read_before_send;
mod regress;
mod reordered;
mod stable_end_went_back;
mod stale_end;
mod stale_read;
mod steps;
mod trimmed_unread;
mod unowned_offset;
mod unread;
mod wrong_ack_offset;

/// What there is to say of an anomaly.
pub struct Definition {
    /// It.
    pub kind: AnomalyKind,
    /// Short name, as printed.
    pub name: &'static str,
    /// The claim it breaks.
    pub claim: Claim,
    /// What Jepsen's Kafka checker calls it, or files it under.
    pub jepsen: Option<&'static str>,
    /// One line.
    pub meaning: &'static str,
    /// The smallest history that has it.
    pub example: &'static str,
    /// A history much like it that has nothing wrong.
    pub innocent: &'static str,
    pub(crate) find: fn(&Case<'_>) -> Vec<Instance>,
}

/// Everything known of one log.
pub(crate) struct Case<'a> {
    pub names: &'a Names,
    pub leads: &'a Leads,
    pub facts: &'a Facts,
    pub log: &'a LogFacts,
    pub replicas: &'a [&'a ReplicaLog],
}

/// One finding.
#[derive(Clone, Default, Debug)]
pub(crate) struct Instance {
    pub offset: i64,
    pub values: Vec<Value>,
    pub replicas: Vec<NodeId>,
    pub witnesses: Vec<Witness>,
    pub sentence: String,
    /// Offsets concerned where whole stretches are, inclusive and rising.
    pub stretches: Vec<(i64, i64)>,
    /// How often, if more than once.
    pub times: u64,
}

impl Case<'_> {
    /// The suspect values of the log with all that is known of them.
    pub fn dossiers(&self) -> impl Iterator<Item = (Value, &Dossier)> {
        self.leads.values.iter().filter_map(|v| Some((*v, self.facts.dossier(*v)?)))
    }

    /// The log's name.
    pub fn name(&self) -> String {
        self.names.log(self.leads.log)
    }
}

/// Every definition, in the order of [`AnomalyKind`].
pub const DEFINITIONS: [&Definition; 63] = [
    &lost_prefix::DEFINITION,
    &lost_middle::DEFINITION,
    &lost_postfix::DEFINITION,
    &unread::DEFINITION,
    &trimmed_unread::DEFINITION,
    &duplicate::DEFINITION,
    &inconsistent_offset::DEFINITION,
    &changed_offset::DEFINITION,
    &diverged_replicas::DEFINITION,
    &wrong_ack_offset::DEFINITION,
    &negative_ack_offset::DEFINITION,
    &reordered::DEFINITION,
    &nonmonotonic_poll::DEFINITION,
    &int_nonmonotonic_poll::DEFINITION,
    &poll_skip::DEFINITION,
    &int_poll_skip::DEFINITION,
    &failed_append_read::DEFINITION,
    &phantom::DEFINITION,
    &foreign::DEFINITION,
    &misrouted::DEFINITION,
    &corrupted::DEFINITION,
    &read_before_send::DEFINITION,
    &late_append::DEFINITION,
    &stale_read::DEFINITION,
    &stale_end::DEFINITION,
    &hidden_until_heal::DEFINITION,
    &unowned_offset::DEFINITION,
    &end_went_back::DEFINITION,
    &stable_end_went_back::DEFINITION,
    &log_start_went_back::DEFINITION,
    &epoch_went_back::DEFINITION,
    &cycles::G0,
    &cycles::G0_REALTIME,
    &cycles::G1C,
    &cycles::G1C_REALTIME,
    &cycles::G_SINGLE,
    &cycles::G_SINGLE_REALTIME,
    &cycles::G2,
    &cycles::G2_REALTIME,
    &cycles::WRITE_ORDER_CYCLE,
    &transactions::ABORTED_READ,
    &transactions::INTERMEDIATE_READ,
    &transactions::OWN_UNCOMMITTED_READ,
    &transactions::TORN_TRANSACTION,
    &transactions::LOST_COMMIT,
    &transactions::ZOMBIE_WRITE,
    &transactions::POSITION_WITHOUT_TRANSACTION,
    &transactions::TRANSACTION_WITHOUT_POSITION,
    &transactions::STABLE_END_STALLED,
    &groups::GROUP_SKIPPED,
    &groups::GROUP_REDELIVERED,
    &groups::COMMIT_WENT_BACK,
    &groups::COMMIT_LOST,
    &groups::COMMIT_FROM_NOWHERE,
    &groups::RESUMED_EARLIER,
    &groups::RESUMED_LATER,
    &groups::OUT_OF_RANGE_RESET,
    &groups::TWO_OWNERS,
    &groups::GENERATION_SHARED,
    &groups::STALE_GENERATION_COMMIT,
    &groups::GENERATION_WENT_BACK,
    &transactions::INT_SEND_SKIP,
    &transactions::INT_NONMONOTONIC_SEND,
];

impl AnomalyKind {
    /// Its definition.
    pub fn definition(self) -> &'static Definition {
        DEFINITIONS[self as usize]
    }

    /// Its short name.
    pub fn name(self) -> &'static str {
        self.definition().name
    }
}

impl std::fmt::Display for AnomalyKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::{Contract, Promises};
    use crate::judge::{Judgement, judge};
    use crate::notation::read;

    fn judged(text: &str) -> Judgement {
        let told = read(text).unwrap();
        let contract = Claim::ALL.into_iter().fold(Contract::durable(), Contract::forbid);
        judge(&told.history, &told.replicas, &contract, &Promises::strict())
    }

    #[test]
    fn every_definition_stands_at_its_own_place_under_its_own_name() {
        for (i, definition) in DEFINITIONS.iter().enumerate() {
            assert_eq!(definition.kind as usize, i);
            assert_eq!(serde_json::to_string(&definition.kind).unwrap(), format!("{:?}", definition.name));
        }
    }

    /// Every kind there is, as the enumeration itself tells it.
    fn kinds() -> Vec<String> {
        let refused = serde_json::from_str::<AnomalyKind>("\"\"").unwrap_err().to_string();
        refused.split('`').skip(1).step_by(2).filter(|name| !name.is_empty()).map(str::to_owned).collect()
    }

    #[test]
    fn every_kind_of_anomaly_has_a_definition_with_an_example_and_a_near_miss() {
        let (kinds, defined) = (kinds(), DEFINITIONS.map(|definition| definition.name));
        assert_eq!(kinds, defined);
        for definition in DEFINITIONS {
            assert!(read(definition.example).is_ok_and(|told| !told.history.ops.is_empty()), "{}", definition.name);
            assert!(read(definition.innocent).is_ok_and(|told| !told.history.ops.is_empty()), "{}", definition.name);
            assert_ne!(definition.example, definition.innocent, "{}", definition.name);
            assert!(!definition.claim.source().is_empty() && definition.meaning.len() > 10, "{}", definition.name);
        }
    }

    #[test]
    fn every_example_has_its_anomaly_and_names_its_operations() {
        for definition in DEFINITIONS {
            let judgement = judged(definition.example);
            let found = judgement.anomalies.iter().find(|a| a.kind == definition.kind);
            let found = found.unwrap_or_else(|| panic!("{}: {:#?}", definition.name, judgement.anomalies));
            assert!(!found.ops.is_empty(), "{}", definition.name);
            assert!(found.sentence.len() > 20, "{}", definition.name);
        }
    }

    #[test]
    fn no_near_miss_has_any_anomaly() {
        for definition in DEFINITIONS {
            let judgement = judged(definition.innocent);
            assert!(judgement.anomalies.is_empty(), "{}: {:#?}", definition.name, judgement.anomalies);
        }
    }

    #[test]
    fn contradictions_of_the_linearizable_scan_come_with_two_operations() {
        use AnomalyKind::{HiddenUntilHeal, LateAppend, ReadBeforeSend, StaleEnd, StaleRead};
        for kind in [HiddenUntilHeal, LateAppend, ReadBeforeSend, StaleEnd, StaleRead] {
            let judgement = judged(kind.definition().example);
            assert!(judgement.anomalies.iter().any(|a| a.kind == kind && a.ops.len() == 2), "{kind}");
        }
    }
}
