//! `anomalies.jsonl`: every anomaly with the faults active around it, one JSON object a line, none left out.

use crate::autopsy::{Death, Twice};
use crate::file::FileError;
use crate::json::{self, Lines};
use crate::phase::{Phases, Window};
use checker::{Anomaly, Finding, Judgement};
use history::Nanos;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// One line of the file.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct AnomalyLine {
    /// The anomaly.
    #[serde(flatten)]
    pub anomaly: Anomaly,
    /// Fault episodes that share a moment with its window.
    pub faults: Vec<Active>,
    /// Where and how the records it misses died.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub died: Vec<Death>,
    /// How the records that stand in the log twice came there.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub twice: Vec<Twice>,
}

/// What the disks and the nodes' own words tell of an anomaly.
#[derive(Clone, Copy, Default, Debug)]
pub struct Told<'a> {
    /// Where and how the records it misses died.
    pub died: &'a [Death],
    /// How the records it has twice came there.
    pub twice: &'a [Twice],
}

/// A fault episode around an anomaly, times from the start of the load.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Active {
    /// The fault.
    pub fault: String,
    /// When it was injected, ns.
    pub from_ns: i64,
    /// When the cluster had recovered, ns; absent if it never did.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub to_ns: Option<i64>,
}

impl Active {
    fn of(window: &Window, epoch: Nanos) -> Active {
        let from_start = |at: Nanos| (i128::from(at.0) - i128::from(epoch.0)) as i64;
        let to_ns = (window.to != Nanos::NEVER).then(|| from_start(window.to));
        Active { fault: window.name.clone(), from_ns: from_start(window.from), to_ns }
    }
}

/// The episodes that share a moment with an anomaly's window.
pub fn faults_around(anomaly: &Anomaly, phases: &Phases, epoch: Nanos) -> Vec<Active> {
    let at = |ns: i64| Nanos(epoch.0.saturating_add_signed(ns));
    phases.all(at(anomaly.window_ns.0), at(anomaly.window_ns.1)).map(|window| Active::of(window, epoch)).collect()
}

/// Replaces `path` by these anomalies, each with what is told of it; `epoch` is the start of the load.
pub fn write<'a>(
    path: &Path,
    anomalies: impl IntoIterator<Item = (&'a Anomaly, Told<'a>)>,
    phases: &Phases,
    epoch: Nanos,
) -> Result<(), FileError> {
    let line = |(a, told): (&Anomaly, Told<'_>)| AnomalyLine {
        anomaly: a.clone(),
        faults: faults_around(a, phases, epoch),
        died: told.died.to_vec(),
        twice: told.twice.to_vec(),
    };
    json::write_lines(path, anomalies.into_iter().map(line))
}

/// Reads all anomalies.
pub fn read(path: &Path) -> Result<Lines<AnomalyLine>, FileError> {
    json::read_lines(path)
}

/// Which anomaly to show first: of a violated claim before a permitted one, then by the weight of the claim (a loss before
/// what follows from it), then the earliest.
pub fn first(judgement: &Judgement) -> Option<usize> {
    let is_violated = |a: &Anomaly| judgement.claim(a.claim).is_some_and(|c| c.verdict == Finding::Violated);
    let all = judgement.anomalies.iter().enumerate();
    all.min_by_key(|(_, anomaly)| (!is_violated(anomaly), anomaly.claim, anomaly.window_ns.0)).map(|(index, _)| index)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use checker::{AnomalyKind, Claim, ClaimResult, Counts, OpRef, Status};
    use history::{Kind, LogId, Outcome};

    pub(crate) fn anomaly(claim: Claim, from: i64) -> Anomaly {
        let op = OpRef {
            process: "producer-1".into(),
            kind: Kind::Append,
            log: "stormglass-2".into(),
            invoked_ns: from,
            returned_ns: Some(from + 2_000_000),
            outcome: Outcome::Ok,
            offset: 77,
            value: Some("3.12".into()),
            detail: None,
            count: None,
            records: Vec::new(),
        };
        Anomaly {
            claim,
            kind: AnomalyKind::LostPostfix,
            log: LogId(2),
            log_name: "stormglass-2".into(),
            count: 1,
            sentence: "1 acknowledged record is gone and nothing after it is left".into(),
            stretches: Vec::new(),
            offsets: vec![77],
            values: vec!["3.12".into()],
            replicas: Vec::new(),
            window_ns: (from, from + 2_000_000),
            ops: vec![op],
        }
    }

    #[test]
    fn anomalies_are_written_with_the_faults_around_them_and_read_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("anomalies.jsonl");
        let window = |name: &str, from, to| Window { name: name.into(), from: Nanos(from), to };
        let windows = vec![
            window("early", 0, Nanos(1_000)),
            window("kill-leader", 1_500_000, Nanos(1_600_000)),
            window("pause", 2_900_000, Nanos::NEVER),
            window("late", 9_000_000, Nanos::NEVER),
        ];
        let anomalies = [anomaly(Claim::NoAckedLoss, 1_000_000), anomaly(Claim::NoAckedLoss, -1_000_000)];
        write(&path, anomalies.iter().map(|a| (a, Told::default())), &Phases::new(windows), Nanos(500_000)).unwrap();
        let lines = read(&path).unwrap();
        assert_eq!(lines.items.iter().map(|line| line.anomaly.clone()).collect::<Vec<_>>(), anomalies);
        let faults: Vec<Vec<_>> =
            lines.items.iter().map(|l| l.faults.iter().map(|f| f.fault.as_str()).collect()).collect();
        assert_eq!(faults, [vec!["kill-leader", "pause"], vec!["early", "kill-leader"]].map(|f| f.to_vec()));
        assert_eq!((lines.items[0].faults[0].from_ns, lines.items[0].faults[1].to_ns), (1_000_000, None));
    }

    #[test]
    fn the_first_anomaly_shown_is_the_earliest_violation_before_any_permitted_one() {
        let claim =
            |claim, verdict| ClaimResult { claim, status: Status::Forbidden, verdict, count: 1, examples: vec![] };
        let claims = vec![
            claim(Claim::NoAckedLoss, Finding::Permitted { count: 1 }),
            claim(Claim::StablePrefix, Finding::Violated),
        ];
        let at = [(Claim::NoAckedLoss, 1), (Claim::StablePrefix, 9), (Claim::StablePrefix, 5)];
        let anomalies = at.map(|(claim, from)| anomaly(claim, from)).to_vec();
        let mut judgement = Judgement { claims, anomalies, counts: Counts::default() };
        assert_eq!(first(&judgement), Some(2));
        judgement.anomalies.truncate(1);
        assert_eq!(first(&judgement), Some(0));
        judgement.anomalies.clear();
        assert_eq!(first(&judgement), None);
    }
}
