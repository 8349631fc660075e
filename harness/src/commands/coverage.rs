//! Which claims of which workload were broken by a planted bug: what keeps a green run from being an empty one.
//!
//! Pure: from what was caught, by workload. A claim is a workload's where its plan makes it judgeable and the durable preset
//! forbids it to be broken.

use crate::scenario::Scenario;
use checker::Status;
use std::collections::{BTreeMap, BTreeSet};
use workloads::workload::Workload;

/// What was broken, by the name of the workload under which it was.
pub type Broken = BTreeMap<String, BTreeSet<&'static str>>;

/// A line a workload and claim: the claims broken under that workload, those only under another one, those never.
pub fn table(broken: &Broken) -> String {
    let anywhere: BTreeSet<&str> = broken.values().flatten().copied().collect();
    let mut lines = vec![format!("\n{:28} {:26} broken", "workload", "claim")];
    for row in Workload::ALL {
        let here = broken.get(row.name);
        for claim in claims(&(row.usual)()) {
            let word = match (here.is_some_and(|here| here.contains(claim)), anywhere.contains(claim)) {
                (true, _) => "by a bug under this workload",
                (false, true) => "by a bug under another workload",
                (false, false) => "NEVER",
            };
            lines.push(format!("{:28} {claim:26} {word}", row.name));
        }
    }
    lines.join("\n")
}

/// The claims that a run of a workload on the durable preset is judged by and must keep.
fn claims(workload: &Workload) -> Vec<&'static str> {
    let mut scenario = Scenario { workload: workload.clone(), ..Scenario::new(workload.name(), 1) };
    scenario.adopt_topic();
    let contract = scenario.contract();
    let forbidden = scenario.claims().into_iter().filter(|claim| matches!(contract.status(*claim), Status::Forbidden));
    forbidden.map(|claim| claim.name()).collect()
}
