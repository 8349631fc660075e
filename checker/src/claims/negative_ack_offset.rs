//! An impossible acknowledgement: an offset below −1 (−1 says that no offset was told).

use crate::anomaly::AnomalyKind;
use crate::anomaly::Witness;
use crate::claim::Claim;
use crate::claims::{Case, Definition, Instance};
use history::Outcome;

pub(super) const DEFINITION: Definition = Definition {
    kind: AnomalyKind::NegativeAckOffset,
    name: "negative-ack-offset",
    claim: Claim::TrueAck,
    jepsen: None,
    meaning: "an acknowledgement told an offset below −1",
    example: "
        w1 append 1.0 @-7 [1 2]
        c1 poll 0:1.0 [3 4]
    ",
    innocent: "
        w1 append 1.0 @-1 [1 2]
        c1 poll 0:1.0 [3 4]
    ",
    find,
};

fn find(case: &Case<'_>) -> Vec<Instance> {
    let mut found = Vec::new();
    for (value, dossier) in case.dossiers() {
        let mine = dossier.appends.iter().filter(|op| op.log == case.leads.log && op.outcome() == Outcome::Ok);
        for append in mine.filter(|op| op.offset.0 < -1) {
            let told = append.offset.0;
            let sentence =
                format!("record {value} was acknowledged at the impossible offset {told} of {}", case.name());
            let witnesses = vec![Witness::bare(append)];
            found.push(Instance { offset: told, values: vec![value], witnesses, sentence, ..Instance::default() });
        }
    }
    found
}
