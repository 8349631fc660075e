//! An offset without an owner: a reply proves that it exists, and too few appends can have made it.

use crate::anomaly::AnomalyKind;
use crate::claim::Claim;
use crate::claims::{Case, Definition, Instance};

pub(super) const DEFINITION: Definition = Definition {
    kind: AnomalyKind::UnownedOffset,
    name: "unowned-offset",
    claim: Claim::LinearizableLog,
    jepsen: None,
    meaning: "an offset is proven to exist and no append can have made it",
    example: "
        w1 append 1.0 @0 [1 2]
        s1 start 0 [1 2]
        s1 end 2 [3 4]
    ",
    innocent: "
        w1 append 1.0 @0 [1 2]
        w1 append 1.1 ? [3 -]
        s1 start 0 [1 2]
        s1 end 2 [3 4]
    ",
    find,
};

fn find(case: &Case<'_>) -> Vec<Instance> {
    let Some(unowned) = &case.leads.unowned else { return Vec::new() };
    let sentence = format!(
        "offset {} of {} exists, and {} offset(s) more than there are appends that may have made them",
        unowned.offset,
        case.name(),
        unowned.excess
    );
    let witnesses = case.log.proofs.get(&unowned.proof.low).cloned().into_iter().collect();
    vec![Instance { offset: unowned.offset, witnesses, sentence, ..Instance::default() }]
}
