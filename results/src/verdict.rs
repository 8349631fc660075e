//! `verdict.json`: what became of a run, the one file tools should read.
//!
//! **Invariant:** a run is [`Verdict::Pass`] only if every forbidden claim was judged and held *and* it fell short of
//! nothing: a run that proved nothing is not green.

use crate::autopsy::Death;
use crate::exit::Exit;
use crate::file::{FileError, Place, Problem};
use crate::folder::{IndexLine, RunFolder};
use crate::json;
use crate::latency::Timing;
use crate::manifest::{Manifest, Seed};
use crate::replicas::Evidence;
use checker::{ClaimResult, Counts, Judgement};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

const FORMAT: u32 = 1;

/// A run in one word.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Verdict {
    /// Every forbidden claim held, every floor was met.
    Pass,
    /// A forbidden anomaly is witnessed.
    Violation,
    /// None is witnessed, and the run says too little.
    Inconclusive,
    /// The run could not be done or judged.
    Error,
}

impl Verdict {
    /// The verdict of a judged run that fell short of these things.
    pub fn of(judged: checker::Verdict, short_of: &[String]) -> Verdict {
        match judged {
            checker::Verdict::Violation => Verdict::Violation,
            checker::Verdict::Pass if short_of.is_empty() => Verdict::Pass,
            checker::Verdict::Pass | checker::Verdict::Inconclusive => Verdict::Inconclusive,
        }
    }

    /// The exit of a run about which there is nothing else to say.
    pub fn exit(self) -> Exit {
        match self {
            Verdict::Pass => Exit::Pass,
            Verdict::Violation => Exit::Violation,
            Verdict::Inconclusive => Exit::Inconclusive,
            Verdict::Error => Exit::Internal,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Verdict::Pass => "PASS",
            Verdict::Violation => "VIOLATION",
            Verdict::Inconclusive => "INCONCLUSIVE",
            Verdict::Error => "ERROR",
        })
    }
}

/// Episodes of one fault, or of all: each number a part of the one before.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct FaultTally {
    /// Planned.
    pub asked: u32,
    /// Surely done.
    pub installed: u32,
    /// Shown by evidence to have bitten.
    pub effective: u32,
    /// Effective, and at least one acknowledged record was at risk.
    pub exposed: u32,
    /// Acknowledged records at risk in the effective ones.
    pub acks_at_risk: u64,
    /// What was observed, and how often: `leader-moved` 4.
    pub evidence: BTreeMap<String, u64>,
}

/// What a run covered.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Coverage {
    /// All faults together.
    pub total: FaultTally,
    /// By fault.
    pub faults: BTreeMap<String, FaultTally>,
}

/// Something that was asked for and not done.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Skipped {
    /// A fault, a workload, a scenario.
    pub what: String,
    /// What the system lacks for it.
    pub because: String,
}

/// What stood on the replicas' disks, in numbers.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Disks {
    /// Replicas read.
    pub replicas: u64,
    /// Records on them.
    pub records: u64,
    /// Flaws found in their files.
    pub flaws: u64,
    /// Acknowledged records that are on at least one of them.
    pub acked: u64,
}

impl Disks {
    /// Counts the evidence; `acked` acknowledged records are in it.
    pub fn of(evidence: &Evidence, acked: u64) -> Disks {
        let records = evidence.replicas.iter().map(|replica| replica.records.len() as u64).sum();
        Disks { replicas: evidence.replicas.len() as u64, records, flaws: evidence.findings.len() as u64, acked }
    }
}

/// The content of `verdict.json`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct VerdictFile {
    /// The file's format: 1.
    pub stormglass: u32,
    /// The verdict.
    pub verdict: Verdict,
    /// The exit code.
    pub exit: u8,
    /// As in the manifest.
    pub scenario: String,
    /// As in the manifest.
    pub system: String,
    /// As in the manifest.
    pub seed: Seed,
    /// When the run began, RFC 3339.
    pub began: String,
    /// Why the run is not green though nothing was violated: floors missed, claims not judged, surprises.
    pub short_of: Vec<String>,
    /// What was asked for and the system cannot do.
    #[serde(default)]
    pub skipped: Vec<Skipped>,
    /// Versions and digests of what was tested, and settings that it told.
    #[serde(default)]
    pub subject: BTreeMap<String, String>,
    /// Missing acknowledged records by the stage at which they were lost.
    #[serde(default)]
    pub stages: BTreeMap<String, u64>,
    /// Where records ended that nobody promised: not acknowledged, superseded, or read late.
    #[serde(default)]
    pub unpromised: Vec<Death>,
    /// Claim by claim.
    pub claims: Vec<ClaimResult>,
    /// Anomalies in `anomalies.jsonl`.
    pub anomalies: u64,
    /// Fault by fault.
    pub coverage: Coverage,
    /// What the history held.
    pub counts: Counts,
    /// Latencies and gaps.
    pub timing: Timing,
    /// What the replicas held; null if nothing of them was left.
    pub disks: Option<Disks>,
}

/// What a verdict is made of beside the manifest and the judgement.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Circumstances {
    /// See [`VerdictFile::short_of`].
    pub short_of: Vec<String>,
    /// See [`VerdictFile::skipped`].
    pub skipped: Vec<Skipped>,
    /// See [`VerdictFile::subject`].
    pub subject: BTreeMap<String, String>,
    /// See [`VerdictFile::stages`].
    pub stages: BTreeMap<String, u64>,
    /// See [`VerdictFile::unpromised`].
    pub unpromised: Vec<Death>,
    /// See [`VerdictFile::coverage`].
    pub coverage: Coverage,
    /// See [`VerdictFile::timing`].
    pub timing: Timing,
    /// See [`VerdictFile::disks`].
    pub disks: Option<Disks>,
}

impl VerdictFile {
    /// The verdict on a run; `exits` are whatever else it ended with, e.g. [`Exit::Interrupted`].
    pub fn new(
        manifest: &Manifest,
        judgement: &Judgement,
        circumstances: Circumstances,
        exits: impl IntoIterator<Item = Exit>,
    ) -> VerdictFile {
        let Circumstances { short_of, skipped, subject, stages, unpromised, coverage, timing, disks } = circumstances;
        let verdict = Verdict::of(judgement.verdict(), &short_of);
        VerdictFile {
            stormglass: FORMAT,
            verdict,
            exit: Exit::first_of(exits.into_iter().chain([verdict.exit()])).code(),
            scenario: manifest.scenario.clone(),
            system: manifest.system.clone(),
            seed: manifest.seed,
            began: manifest.began.wall.to_string(),
            short_of,
            skipped,
            subject,
            stages,
            unpromised,
            claims: judgement.claims.clone(),
            anomalies: judgement.anomalies.len() as u64,
            coverage,
            counts: judgement.counts.clone(),
            timing,
            disks,
        }
    }

    /// Writes or replaces a run's verdict.
    pub fn write(&self, folder: &RunFolder) -> Result<(), FileError> {
        json::write(&folder.verdict(), self)
    }

    /// Reads a run's verdict.
    pub fn read(folder: &RunFolder) -> Result<VerdictFile, FileError> {
        let file: VerdictFile = json::read(&folder.verdict())?;
        match file.stormglass {
            FORMAT => Ok(file),
            other => {
                let why = format!("format {other}, and this program reads format {FORMAT}");
                Err(FileError::new(&folder.verdict(), Place::Whole, Problem::Foreign(why)))
            }
        }
    }

    /// The run's line in the index.
    pub fn index_line(&self, folder: &RunFolder) -> IndexLine {
        IndexLine {
            folder: folder.name(),
            scenario: self.scenario.clone(),
            seed: self.seed.to_string(),
            began: self.began.clone(),
            verdict: self.verdict.to_string(),
            exit: self.exit,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::tests::manifest;
    use checker::{Claim, Finding, Status};

    fn judgement(finding: Finding) -> Judgement {
        let result = |claim| ClaimResult {
            claim,
            status: Status::Forbidden,
            verdict: if claim == Claim::NoAckedLoss { finding.clone() } else { Finding::Held },
            count: 0,
            examples: Vec::new(),
        };
        let claims = Claim::ALL.into_iter().map(result).collect();
        Judgement { claims, anomalies: Vec::new(), counts: Counts::default() }
    }

    fn verdict(finding: Finding, short_of: &[&str], exits: &[Exit]) -> (Verdict, u8) {
        let short_of = short_of.iter().map(|s| (*s).to_owned()).collect();
        let circumstances = Circumstances { short_of, ..Circumstances::default() };
        let file = VerdictFile::new(&manifest(), &judgement(finding), circumstances, exits.iter().copied());
        (file.verdict, file.exit)
    }

    #[test]
    fn only_a_run_that_held_everything_and_fell_short_of_nothing_passes() {
        let not_judged = || Finding::NotJudged { why: "no drain".into() };
        assert_eq!(verdict(Finding::Held, &[], &[]), (Verdict::Pass, 0));
        assert_eq!(verdict(Finding::Held, &["0 effective episodes"], &[]), (Verdict::Inconclusive, 2));
        assert_eq!(verdict(not_judged(), &[], &[]), (Verdict::Inconclusive, 2));
        assert_eq!(verdict(Finding::Violated, &["0 effective episodes"], &[]), (Verdict::Violation, 1));
    }

    #[test]
    fn an_interruption_wins_over_a_pass_and_not_over_a_violation() {
        assert_eq!(verdict(Finding::Held, &[], &[Exit::Interrupted]), (Verdict::Pass, 130));
        assert_eq!(verdict(Finding::Violated, &[], &[Exit::Interrupted]), (Verdict::Violation, 1));
    }

    #[test]
    fn a_verdict_is_read_as_it_was_written_and_a_cut_one_is_refused() {
        let out = tempfile::tempdir().unwrap();
        let folder = RunFolder::create(out.path(), "queue", crate::wall::Wall(0), 1).unwrap();
        let file = VerdictFile::new(&manifest(), &judgement(Finding::Violated), Circumstances::default(), []);
        file.write(&folder).unwrap();
        assert_eq!(VerdictFile::read(&folder).unwrap(), file);
        assert_eq!((file.index_line(&folder).verdict.as_str(), file.index_line(&folder).exit), ("VIOLATION", 1));
        let bytes = std::fs::read(folder.verdict()).unwrap();
        std::fs::write(folder.verdict(), &bytes[..bytes.len() / 2]).unwrap();
        assert!(matches!(VerdictFile::read(&folder).unwrap_err().problem, Problem::Truncated(_)));
    }
}
