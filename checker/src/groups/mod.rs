//! Groups that share logs among their members: what each was delivered, and whether its positions can be trusted.
//!
//! How often records reach a group is measured, not assumed (`delivery`); a position is a register that commits write and
//! reads, and the starts of new owners, observe (`positions`, `resumes`); owners take turns (`owners`), and a
//! generation that is over commits nothing more (`generations`).
//!
//! **Invariants:** everything is linear but for sorting. A process belongs to the group it was assigned to or commits for;
//! reads of processes without a group say only what exists, and an assignment without group and generation is no group's. Commits within a transaction count when it is committed, and
//! not at all when it is aborted. Records that only an aborted or lost append tells of are not taken to exist.
//!
//! Deliberately absent: order within one owner's reads (the per-log claims), and what was promised (the contract's).

mod anomalies;
pub(crate) mod definitions;
mod delivery;
mod finding;
mod gather;
mod generations;
mod owners;
mod positions;
mod resumes;

#[cfg(test)]
mod tests;

pub(crate) use anomalies::{Answers, anomalies};
pub use delivery::{Delivery, Guarantee};
pub use finding::{Finding, FindingKind};

use history::History;

/// What was measured and what was found.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Report {
    /// One entry for each group and log, by group, then log.
    pub deliveries: Vec<Delivery>,
    /// Everything wrong, by kind, then group, then log.
    pub findings: Vec<Finding>,
}

/// Judges all groups of a history.
pub fn judge(history: &History) -> Report {
    let gathered = gather::gather(history);
    let mut report = Report::default();
    for stream in &gathered.streams {
        let log = gathered.log(stream.log);
        let delivery = delivery::measure(history, stream, log);
        report.findings.extend(delivery::findings(history, stream, &delivery));
        report.deliveries.push(delivery);
        report.findings.extend(positions::find(history, stream));
        report.findings.extend(resumes::find(history, stream, log));
        report.findings.extend(owners::find(history, stream));
    }
    report.findings.extend(generations::find(history, &gathered));
    report.findings.sort_by_key(|f| (f.kind, f.group, f.log));
    report
}
