//! From a run's folder to its verdict: the same for a run that just ended, an old one, and one whose controller was killed.
//!
//! **Invariant:** everything comes from the folder's files. What a killed controller did not get to merge or collect is
//! read from the journals and the brokers' folders instead, and nothing is thrown away.

use crate::commands::Failure;
use crate::deaths::{self, Deaths};
use crate::holds::memory;
use crate::run::{End, Wish, journals_in};
use crate::scenario::Scenario;
use crate::settings::Owner;
use crate::systems::Skip;
use crate::terminal;
use checker::{Finding, Judgement, Status, judge as judge_history};
use history::{History, Kind, LogId, Nanos, Op, Outcome, Value};
use nemesis::coverage::Tally;
use nemesis::{Coverage, Episode, Floors};
use results::autopsy::{self, Testimony};
use results::latency::Latency;
use results::merge::{Problems, Recording};
use results::phase::{Phases, Window};
use results::replicas::Evidence as OnDisk;
use results::summary::Summary;
use results::verdict::{Circumstances, Coverage as Told, Disks, FaultTally, Skipped, VerdictFile};
use results::{Exit, FileError, Manifest, RunFolder, anomalies, arrow, json, merge};
use std::collections::{BTreeMap, HashSet};
use workloads::workload::Workload;

/// Topic settings that decide what is promised, shown as the system told them.
const TOLD: [&str; 5] =
    ["min.insync.replicas", "unclean.leader.election.enable", "flush.messages", "flush.ms", "cleanup.policy"];

/// The files of a run, read.
pub struct Files {
    /// What was run and on what.
    pub manifest: Manifest,
    /// As meant.
    pub scenario: Scenario,
    /// How it ended; absent if its controller was killed.
    pub end: Option<End>,
    /// What was done.
    pub recording: Recording,
    /// What did not fit in the journals.
    pub problems: Problems,
    /// What the replicas hold; absent if nothing of them is left.
    pub replicas: Option<OnDisk>,
    /// What nodes and controllers wrote down.
    pub testimony: Testimony,
    /// What was broken.
    pub episodes: Vec<Episode>,
}

impl Files {
    /// Reads a run's folder.
    pub fn read(folder: &RunFolder) -> Result<Files, FileError> {
        let manifest = Manifest::read(folder)?;
        let (recording, problems) = read_history(folder, &manifest)?;
        let mut episodes = Vec::new();
        if folder.faults().exists() {
            episodes = json::read_lines(&folder.faults())?.items;
        }
        Ok(Files {
            scenario: json::read(&scenario_file(folder))?,
            end: end_file(folder).exists().then(|| json::read(&end_file(folder))).transpose()?,
            replicas: read_replicas(folder, &manifest)?,
            testimony: read_testimony(folder, &manifest)?,
            manifest,
            recording,
            problems,
            episodes,
        })
    }
}

/// `scenario.json`: the scenario as meant.
pub fn scenario_file(folder: &RunFolder) -> std::path::PathBuf {
    folder.path().join("scenario.json")
}

/// `end.json`: how the run ended.
pub fn end_file(folder: &RunFolder) -> std::path::PathBuf {
    folder.path().join("end.json")
}

fn read_history(folder: &RunFolder, manifest: &Manifest) -> Result<(Recording, Problems), FileError> {
    if folder.history().exists() || journals_in(&folder.journals()).is_empty() {
        return Ok((arrow::read_history(&folder.history())?, Problems::default()));
    }
    merge::merge(&folder.journals(), manifest.names.clone())
}

fn read_replicas(folder: &RunFolder, manifest: &Manifest) -> Result<Option<OnDisk>, FileError> {
    if folder.replicas().exists() {
        return arrow::read_replicas(&folder.replicas()).map(Some);
    }
    let nodes: Vec<_> = manifest.names.nodes.iter().map(|n| (*n, folder.broker(*n).join("data"))).collect();
    if !nodes.iter().all(|(_, data)| data.is_dir() && !memory::is_incomplete(data)) {
        return Ok(None);
    }
    let mut evidence = OnDisk::default();
    for (node, data) in nodes {
        evidence.add_node(node, &data, &manifest.names)?;
    }
    Ok(Some(evidence))
}

fn read_testimony(folder: &RunFolder, manifest: &Manifest) -> Result<Testimony, FileError> {
    match (folder.evidence().exists(), folder.brokers().is_dir()) {
        (true, _) => Testimony::read(&folder.evidence()),
        (false, true) => autopsy::gather(&folder.brokers(), &manifest.names),
        (false, false) => Ok(Testimony::default()),
    }
}

/// What was tested: versions, digests, and settings as the topic and the brokers told them.
fn subject(folder: &RunFolder, manifest: &Manifest, scenario: &Scenario) -> BTreeMap<String, String> {
    let mut subject = manifest.versions.clone();
    let told = |file: &str| json::read::<Read>(&folder.configs().join(file)).unwrap_or_default();
    let topic = shown(&[told("topic.json")], TOLD);
    let brokers: Vec<Read> = manifest.names.nodes.iter().map(|node| told(&format!("broker-{}.json", node.0))).collect();
    let brokers = shown(&brokers, scenario.settings.of(Owner::Broker).map(|(name, _)| name.as_str()));
    let read_back = [("read back", topic), ("read back, brokers", brokers)];
    subject.extend(read_back.into_iter().filter(|(_, t)| !t.is_empty()).map(|(name, told)| (name.to_owned(), told)));
    subject
}

/// Settings as read back: name to value.
type Read = BTreeMap<String, Option<String>>;

/// `name=value` of those that were told, all values where they differ.
fn shown<'a>(told: &[Read], names: impl IntoIterator<Item = &'a str>) -> String {
    let one = |name: &str| {
        let mut values: Vec<&str> = told.iter().filter_map(|told| told.get(name)?.as_deref()).collect();
        values.dedup();
        (!values.is_empty()).then(|| format!("{name}={}", values.join("|")))
    };
    names.into_iter().filter_map(one).collect::<Vec<_>>().join(" ")
}

/// A judged folder.
pub struct Judged {
    /// Which.
    pub folder: RunFolder,
    /// The program's exit.
    pub exit: Exit,
    /// Everything there is to say, for tools.
    pub verdict: VerdictFile,
    /// Claim by claim, with every anomaly.
    pub judgement: Judgement,
    files: Files,
    deaths: Deaths,
    phases: Phases,
    latency: Latency,
}

/// Judges a folder from its files. Exit 65 if one cannot be read.
pub fn judge(folder: &RunFolder) -> Result<Judged, Failure> {
    let files = Files::read(folder).map_err(Failure::unreadable)?;
    let replicas = files.replicas.as_ref().map_or(&[][..], |e| &e.replicas);
    let Manifest { contract, promises, .. } = &files.manifest;
    let relaxed = relaxed(&files);
    let history = relaxed.as_ref().unwrap_or(&files.recording.history);
    let judgement = judge_history(history, replicas, contract, promises);
    let coverage = cover(&files);
    let phases = Phases::new(files.episodes.iter().filter_map(window).collect());
    let latency = Latency::measure(&files.recording, &phases);
    let deaths = deaths::of(&judgement, &files, relaxed.as_ref());
    let circumstances = Circumstances {
        subject: subject(folder, &files.manifest, &files.scenario),
        stages: deaths::tally(deaths.of_anomalies.iter().flatten()),
        unpromised: deaths.unpromised.clone(),
        short_of: short_of(&files, &judgement, &coverage),
        skipped: skipped(&files.scenario),
        coverage: tell(&coverage, &files.episodes),
        timing: latency.timing.clone(),
        disks: files.replicas.as_ref().map(|evidence| Disks::of(evidence, acked_on_disk(history, evidence))),
    };
    let wish = files.end.as_ref().and_then(|end| end.interrupted).map(Wish::exit);
    let mut verdict = VerdictFile::new(&files.manifest, &judgement, circumstances, wish);
    if let Some(relaxed) = &relaxed {
        let told = files.recording.history.ops.iter().zip(&relaxed.ops);
        let taken_back = told.filter(|(told, judged)| told.outcome() != judged.outcome()).count() as u64;
        as_told(&mut verdict, taken_back);
    }
    let exits = Exit::BY_PRECEDENCE.into_iter().find(|e| e.code() == verdict.exit);
    let exit = exits.unwrap_or(Exit::Internal);
    Ok(Judged { folder: folder.clone(), exit, verdict, judgement, files, deaths, phases, latency })
}

impl Judged {
    /// What was done.
    pub fn history(&self) -> &History {
        &self.files.recording.history
    }

    /// Writes the verdict's files.
    pub fn write(&self) -> Result<(), Failure> {
        let Judged { folder, files, .. } = self;
        self.verdict.write(folder).map_err(Failure::internal)?;
        let epoch = files.manifest.names.epoch;
        let anomalies = self.judgement.anomalies.iter().enumerate().map(|(index, a)| (a, self.deaths.told(index)));
        anomalies::write(&folder.anomalies(), anomalies, &self.phases, epoch).map_err(Failure::internal)?;
        self.latency.write_log(&folder.latency(), &files.manifest.began).map_err(Failure::internal)?;
        std::fs::write(folder.summary(), self.summary(|s| s.markdown())).map_err(Failure::internal)
    }

    /// Prints the summary; with `as_json` the verdict on stdout and the summary on stderr.
    pub fn print(&self, as_json: bool) -> Result<(), Failure> {
        let text = self.summary(|s| s.text());
        if as_json {
            terminal::complain(&text);
            terminal::say(&serde_json::to_string_pretty(&self.verdict).map_err(Failure::internal)?);
        } else {
            terminal::say(&text);
        }
        Ok(())
    }

    fn summary(&self, render: fn(&Summary<'_>) -> String) -> String {
        let first = anomalies::first(&self.judgement);
        render(&Summary {
            verdict: &self.verdict,
            version: env!("CARGO_PKG_VERSION"),
            names: &self.files.manifest.names,
            first: first.and_then(|index| self.judgement.anomalies.get(index)),
            told: first.map_or_else(anomalies::Told::default, |index| self.deaths.told(index)),
            repeat: &self.files.manifest.argv.shell(),
            folder: &self.folder.path().to_string_lossy(),
        })
    }
}

/// The history without the promises that the workload's topic does not make; `None` where it makes them all.
fn relaxed(files: &Files) -> Option<History> {
    let Workload::Compacted(shape) = &files.scenario.workload else { return None };
    let mut history = files.recording.history.clone();
    workloads::compacted::relax(&mut history, shape);
    Some(history)
}

/// Counts operations as they were told: that an acknowledgement was taken back for the judgement is nothing that happened.
fn as_told(verdict: &mut VerdictFile, taken_back: u64) {
    for appends in verdict.counts.ops.iter_mut().filter(|of| of.kind == Kind::Append) {
        (appends.ok, appends.unknown) = (appends.ok + taken_back, appends.unknown.saturating_sub(taken_back));
    }
}

/// Acknowledged records that an episode put at risk, episode by episode.
fn cover(files: &Files) -> Coverage {
    let acks: Vec<_> = acked(&files.recording.history).map(|op| (op.log, op.invoked, op.returned)).collect();
    files.episodes.iter().map(|episode| (episode, nemesis::exposure(episode, acks.iter().copied()))).collect()
}

fn window(episode: &Episode) -> Option<Window> {
    let to = episode.recovered.or(episode.healed).unwrap_or(Nanos::NEVER);
    Some(Window { name: episode.fault.name(), from: episode.injected?, to })
}

fn skipped(scenario: &Scenario) -> Vec<Skipped> {
    let told = |skip: &Skip| Skipped { what: skip.what.clone(), because: skip.because.clone() };
    scenario.skipped.iter().map(told).collect()
}

/// Why a run without a violation is not green; empty if it is.
fn short_of(files: &Files, judgement: &Judgement, coverage: &Coverage) -> Vec<String> {
    let mut short: Vec<String> = Vec::new();
    match &files.end {
        None => short.push("the run has no end: its controller was killed, or it is still going on".into()),
        Some(end) => short.extend(end.unhealed.iter().chain(&end.surprises).chain(&end.unread).cloned()),
    }
    let asked = files.scenario.floors.clone();
    let exposed_min = asked.exposed_episodes_min;
    let floors = Floors {
        exposed_min,
        effective_min: exposed_min.min(1),
        effective_min_by_fault: asked.effective_min,
        effective_min_each: asked.effective_min_each,
        ..Floors::default()
    };
    short.extend(floors.missed(coverage).iter().map(ToString::to_string));
    if files.problems.doubtful() > 0 {
        short.push(format!("{} journal entries do not fit together", files.problems.doubtful()));
    }
    let forbidden = judgement.claims.iter().filter(|claim| claim.status == Status::Forbidden);
    short.extend(forbidden.filter_map(|claim| match &claim.verdict {
        Finding::NotJudged { why } => Some(format!("{} could not be judged: {why}", claim.claim.name())),
        _ => None,
    }));
    short
}

/// The coverage in the words of the verdict, with what was observed and how often.
fn tell(coverage: &Coverage, episodes: &[Episode]) -> Told {
    let tally = |t: &Tally, of: &dyn Fn(&Episode) -> bool| {
        let mut evidence: BTreeMap<String, u64> = BTreeMap::new();
        for seen in episodes.iter().filter(|e| of(e)).flat_map(|e| &e.evidence) {
            *evidence.entry(seen.name().to_owned()).or_default() += 1;
        }
        let Tally { asked, installed, effective, exposed, acks_at_risk } = *t;
        FaultTally { asked, installed, effective, exposed, acks_at_risk, evidence }
    };
    let faults = coverage.faults.iter();
    Told {
        total: tally(&coverage.total, &|_| true),
        faults: faults.map(|(kind, t)| (kind.name(), tally(t, &|e: &Episode| e.fault == *kind))).collect(),
    }
}

fn acked(history: &History) -> impl Iterator<Item = &Op> {
    history.ops.iter().filter(|op| op.kind() == Kind::Append && op.outcome() == Outcome::Ok)
}

fn acked_on_disk(history: &History, disks: &OnDisk) -> u64 {
    let values = disks.replicas.iter().flat_map(|r| r.records.iter().map(|record| (r.log, record.value)));
    let on_disk: HashSet<(LogId, Value)> = values.collect();
    acked(history).filter(|op| on_disk.contains(&(op.log, op.value()))).count() as u64
}
