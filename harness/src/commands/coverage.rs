//! `stormglass plants --claims`: every claim of every workload is broken by a planted bug, so that no green run is an empty one.
//!
//! A claim is a workload's where its plan makes it judgeable and the durable preset forbids it to be broken. What a run breaks
//! beside what it was made for counts, too.

use super::plants::{once, parsed, violated};
use super::{Failure, run};
use crate::breakers;
use crate::cli::PlantsArgs;
use crate::scenario::Scenario;
use crate::terminal;
use checker::{Claim, Status};
use results::Exit;
use workloads::workload::Workload;

/// A breaker that fails to break what it is there for is run again with the next seed, so often at most.
const TRIES_MAX: usize = 3;

/// Breaks every claim of the workloads named, or of all.
pub fn coverage(args: &PlantsArgs) -> Result<Exit, Failure> {
    let first = args.seed.unwrap_or_else(run::random_seed);
    terminal::say(&format!("{:28} {:26} {:34} seed", "workload", "claim", "broken by"));
    let mut holes = 0;
    for workload in workloads(&args.workload)? {
        let left = break_all(&workload, first, args)?;
        for claim in &left {
            terminal::say(&format!("{:28} {:26} NOTHING", workload.name(), claim.name()));
        }
        holes += left.len();
    }
    terminal::say(&format!("{holes} claims broken by nothing"));
    Ok(if holes == 0 { Exit::Pass } else { Exit::Violation })
}

fn workloads(names: &[String]) -> Result<Vec<Workload>, Failure> {
    match names {
        [] => Ok(Workload::ALL.iter().map(|row| (row.usual)()).collect()),
        names => names.iter().map(|name| run::workload(name)).collect(),
    }
}

/// Runs breakers until every claim of a workload was broken; those that were not.
fn break_all(workload: &Workload, first: u64, args: &PlantsArgs) -> Result<Vec<Claim>, Failure> {
    let (name, mut left) = (workload.name(), claims(workload));
    for breaker in breakers::ALL {
        for seed in (first..).take(TRIES_MAX) {
            if !breaker.claims.iter().any(|claim| left.contains(claim)) {
                break;
            }
            let broken = violated(&once(&parsed(&breaker.command(name))?, seed, args)?);
            for claim in left.extract_if(.., |claim| broken.contains(&claim.name())) {
                terminal::say(&format!("{name:28} {:26} {:34} {seed:x}", claim.name(), breaker.bug));
            }
        }
    }
    Ok(left)
}

/// The claims that a run of a workload on the durable preset is judged by and must keep.
pub fn claims(workload: &Workload) -> Vec<Claim> {
    let mut scenario = Scenario { workload: workload.clone(), ..Scenario::new(workload.name(), 1) };
    scenario.adopt_topic();
    let contract = scenario.contract();
    let forbidden = scenario.claims().into_iter().filter(|claim| matches!(contract.status(*claim), Status::Forbidden));
    forbidden.collect()
}
