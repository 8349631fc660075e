//! An acknowledgement that does not tell the truth: the record stands, but at another offset than the acknowledged one.

use crate::anomaly::AnomalyKind;
use crate::anomaly::Witness;
use crate::claim::Claim;
use crate::claims::fate::told;
use crate::claims::{Case, Definition, Instance};

pub(super) const DEFINITION: Definition = Definition {
    kind: AnomalyKind::WrongAckOffset,
    name: "wrong-ack-offset",
    claim: Claim::TrueAck,
    jepsen: Some("duplicate"),
    meaning: "a record stands at another offset than the acknowledged one",
    example: "
        w1 append 1.0 @5 [1 2]
        c1 poll 0:1.0 [3 4]
    ",
    innocent: "
        w1 append 1.0 @none [1 2]
        c1 poll 0:1.0 [3 4]
    ",
    find,
};

fn find(case: &Case<'_>) -> Vec<Instance> {
    let (log, mut found) = (case.leads.log, Vec::new());
    for (value, dossier) in case.dossiers().filter(|d| d.0.is_ordinary()) {
        let stands: Vec<_> = dossier.stands.iter().filter(|s| s.log == log).collect();
        for append in dossier.appends.iter().filter(|op| op.log == log) {
            let (Some(told), Some(first)) = (told(append), stands.first()) else { continue };
            if stands.iter().any(|s| s.offset == told)
                || dossier.copies.iter().any(|c| c.log == log && c.offset.0 == told)
            {
                continue;
            }
            let sentence = format!(
                "record {value} was acknowledged at offset {told} of {} and stands at {}",
                case.name(),
                first.offset
            );
            let witnesses = vec![Witness::bare(append), first.first.clone()];
            found.push(Instance { offset: told, values: vec![value], witnesses, sentence, ..Instance::default() });
        }
    }
    found
}
