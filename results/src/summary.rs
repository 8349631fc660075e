//! The summary: one screen that says what was tried, what came of it, and how to try it again.
//!
//! Pure: data in, text out. **Invariants:** at most [`LINES_MAX`] lines of [`COLUMNS_MAX`] columns (only a folder's path
//! may be longer: it is to be copied), no control character whatever the data holds, no colour.

mod text;

use crate::anomalies::Told;
use crate::autopsy::{Death, Proof, Stage, Twice};
use crate::latency::{Figures, Gap, Timing};
use crate::verdict::{Coverage, Disks, FaultTally, VerdictFile};
use checker::{Anomaly, ClaimResult, Finding, OpRef, Status};
use history::{Names, Nanos};
use std::collections::BTreeMap;
use text::{Page, duration, grouped, moment, plural};

/// Most lines.
pub const LINES_MAX: usize = 40;
/// Most columns.
pub const COLUMNS_MAX: usize = 120;

const SUBJECT_LINES_MAX: usize = 2;
const FAULTS_MAX: usize = 13;
const KINDS_MAX: usize = 6;
const CLAIMS_MAX: usize = 2;
const SHORT_OF_MAX: usize = 2;
const OPS_MAX: usize = 3;
const DEATHS_MAX: usize = 2;
const PROOFS_MAX: usize = 3;
const MISSING_LINES_MAX: usize = 2;
const SENTENCE_LINES_MAX: usize = 2;
const REPEAT_LINES_MAX: usize = 2;

/// What a summary is made of.
#[derive(Clone, Copy, Debug)]
pub struct Summary<'a> {
    /// The verdict.
    pub verdict: &'a VerdictFile,
    /// The version of the program.
    pub version: &'a str,
    /// Logs, nodes and load start.
    pub names: &'a Names,
    /// The anomaly to show; see [`crate::anomalies::first`].
    pub first: Option<&'a Anomaly>,
    /// What is told of it.
    pub told: Told<'a>,
    /// The command that tries the same again.
    pub repeat: &'a str,
    /// Where everything is.
    pub folder: &'a str,
}

impl Summary<'_> {
    /// The text, with a newline at its end.
    pub fn text(&self) -> String {
        let whole = self.showing(FAULTS_MAX);
        match whole.lines().count().saturating_sub(LINES_MAX) {
            0 => whole,
            // One more for the line that says how many are not shown.
            over => self.showing(FAULTS_MAX.saturating_sub(over + 1)),
        }
    }

    fn showing(&self, faults_max: usize) -> String {
        let mut page = Page::new(COLUMNS_MAX);
        self.head(&mut page);
        coverage(&mut page, &self.verdict.coverage, faults_max);
        self.operations(&mut page);
        timing(&mut page, &self.verdict.timing, self.names);
        self.disks(&mut page);
        self.claims(&mut page);
        if let Some(anomaly) = self.first {
            first_anomaly(&mut page, anomaly);
            deaths(&mut page, self.told.died);
            repeats(&mut page, self.told.twice);
        }
        page.command("repeat", self.repeat, REPEAT_LINES_MAX);
        page.whole("folder", self.folder);
        page.finish()
    }

    /// The same as Markdown.
    pub fn markdown(&self) -> String {
        format!("```text\n{}```\n", self.text())
    }

    fn head(&self, page: &mut Page) {
        let VerdictFile { scenario, system, seed, began, .. } = self.verdict;
        let (nodes, logs) = (self.names.nodes.len() as u64, self.names.logs.len() as u64);
        page.line(&format!("stormglass {}  {scenario} on {system}  seed {seed}  {began}", self.version));
        for (name, value) in
            self.verdict.subject.iter().filter(|(name, _)| !matches!(name.as_str(), "stormglass" | "librdkafka"))
        {
            page.paragraph(name, value, SUBJECT_LINES_MAX);
        }
        page.entry("cluster", &format!("{}, {}", plural(nodes, "node"), plural(logs, "log")));
    }

    fn operations(&self, page: &mut Page) {
        page.entry("operations", &format!("{:>14}{:>14}{:>14}", "ok", "fail", "unknown"));
        let ops = &self.verdict.counts.ops;
        for of in ops.iter().take(KINDS_MAX) {
            let numbers = [of.ok, of.fail, of.unknown].map(grouped);
            let name = serde_json::to_string(&of.kind).unwrap_or_default();
            page.entry(&format!("  {}", name.trim_matches('"')), &numbers.map(|n| format!("{n:>14}")).concat());
        }
        page.more(ops.len().saturating_sub(KINDS_MAX), "kind");
    }

    fn disks(&self, page: &mut Page) {
        let text = match &self.verdict.disks {
            None => "nothing left to read".to_owned(),
            Some(Disks { replicas, records, flaws, acked }) => format!(
                "{} of {} acknowledged records on disk; {}, {}, {}",
                grouped(*acked),
                grouped(self.verdict.counts.acked),
                plural(*replicas, "replica"),
                plural(*records, "record"),
                plural(*flaws, "flaw"),
            ),
        };
        page.entry("disks", &text);
        if !self.verdict.stages.is_empty() {
            let told = self.verdict.stages.iter().map(|(stage, records)| format!("{} {stage}", grouped(*records)));
            page.paragraph("missing", &told.collect::<Vec<_>>().join("; "), MISSING_LINES_MAX);
        }
        let mut unpromised: BTreeMap<Stage, u64> = BTreeMap::new();
        for death in &self.verdict.unpromised {
            *unpromised.entry(death.stage).or_default() += death.records;
        }
        if !unpromised.is_empty() {
            let told = unpromised.iter().map(|(stage, records)| format!("{} {stage}", grouped(*records)));
            page.paragraph("not promised", &told.collect::<Vec<_>>().join("; "), MISSING_LINES_MAX);
        }
    }

    fn claims(&self, page: &mut Page) {
        let VerdictFile { verdict, exit, claims, short_of, .. } = self.verdict;
        let count = |is: fn(&ClaimResult) -> bool| claims.iter().filter(|claim| is(claim)).count();
        let held = count(|claim| claim.verdict == Finding::Held);
        let violated = count(|claim| claim.verdict == Finding::Violated);
        let permitted = count(|claim| matches!(claim.verdict, Finding::Permitted { .. }));
        let outside = count(|claim| matches!(claim.status, Status::OutOfScope { .. }));
        let others = claims.len() - held - violated - permitted - outside;
        let counts = format!(
            "{held} held, {violated} violated, {permitted} permitted, {others} not judged, {outside} out of scope"
        );
        page.entry(&verdict.to_string(), &format!("claims: {counts} (exit {exit})"));
        let shown = claims.iter().filter_map(claim_text).collect::<Vec<_>>();
        shown.iter().take(CLAIMS_MAX).for_each(|text| page.entry("", text));
        page.more(shown.len().saturating_sub(CLAIMS_MAX), "claim");
        let skipped = &self.verdict.skipped;
        skipped.iter().take(SHORT_OF_MAX).for_each(|s| page.entry("  skipped", &format!("{}: {}", s.what, s.because)));
        page.more(skipped.len().saturating_sub(SHORT_OF_MAX), "skip");
        short_of.iter().take(SHORT_OF_MAX).for_each(|why| page.entry("  short of", why));
        page.more(short_of.len().saturating_sub(SHORT_OF_MAX), "reason");
    }
}

fn coverage(page: &mut Page, coverage: &Coverage, faults_max: usize) {
    let total = &coverage.total;
    let risk = plural(total.acks_at_risk, "acknowledged record");
    page.entry("faults", &format!("{}; {risk} at risk", parts(total)));
    for (fault, tally) in coverage.faults.iter().take(faults_max) {
        let evidence: Vec<_> = tally.evidence.iter().map(|(what, times)| format!("{what} {times}")).collect();
        page.entry(&format!("  {fault}"), &format!("{}  {}", parts(tally), evidence.join(", ")));
    }
    page.more(coverage.faults.len().saturating_sub(faults_max), "fault");
}

fn parts(tally: &FaultTally) -> String {
    let FaultTally { asked, installed, effective, exposed, .. } = tally;
    format!("asked {asked}, installed {installed}, effective {effective}, exposed {exposed}")
}

fn timing(page: &mut Page, timing: &Timing, names: &Names) {
    let header = ["p50", "p90", "p99", "p99.9", "max"].map(|name| format!("{name:>12}")).concat();
    page.entry("latency", &format!("{header}   from the intended send"));
    let always = [("  produce→ack", &timing.produce), ("  produce→deliver", &timing.deliver)];
    let sometimes = [("  commit", &timing.commit), ("  transaction", &timing.transaction)];
    for (name, figures) in always.into_iter().chain(sometimes.into_iter().filter(|(_, of)| of.count > 0)) {
        let Figures { count, p50_ns, p90_ns, p99_ns, p999_ns, max_ns } = *figures;
        let numbers = [p50_ns, p90_ns, p99_ns, p999_ns, max_ns].map(|ns| format!("{:>12}", duration(ns))).concat();
        page.entry(name, &if count == 0 { "none".to_owned() } else { numbers });
    }
    let from = |at: Nanos| format!("{} into the load", moment((i128::from(at.0) - i128::from(names.epoch.0)) as i64));
    let gap = |gap: &Gap| format!("{} without an ack, {}", duration(gap.ns), from(gap.from));
    page.entry("longest gap", &timing.longest_gap.map_or_else(|| "no appends".into(), |longest| gap(&longest)));
    if let Some((log, worst)) = timing.longest_gaps.iter().max_by_key(|(_, gap)| gap.ns) {
        page.entry("  of one log", &format!("{} on {}", gap(worst), names.log(*log)));
    }
    let void =
        if timing.is_void() { "; over 0.1 %: the load fell behind its plan, the latencies are void" } else { "" };
    let late = format!("{:.2} % of {}{void}", timing.late_share() * 100.0, plural(timing.sends, "send"));
    page.entry("late sends", &late);
}

fn claim_text(claim: &ClaimResult) -> Option<String> {
    let ClaimResult { claim, status, verdict, count, .. } = claim;
    let times = plural(*count, "time");
    match (verdict, status) {
        (Finding::Violated, _) => Some(format!("{claim} broken {times}: it says that {}", claim.meaning())),
        (Finding::Permitted { .. }, Status::Allowed { because }) => {
            Some(format!("{claim} broken {times}, allowed: {because}"))
        }
        _ => None,
    }
}

fn first_anomaly(page: &mut Page, anomaly: &Anomaly) {
    let kind = serde_json::to_string(&anomaly.kind).unwrap_or_default();
    let text = format!("{} on {}: {}", kind.trim_matches('"'), anomaly.log_name, anomaly.sentence);
    page.paragraph("first anomaly", &text, SENTENCE_LINES_MAX);
    anomaly.ops.iter().take(OPS_MAX).for_each(|op| page.entry("", &op_text(op)));
    page.more(anomaly.ops.len().saturating_sub(OPS_MAX), "operation");
}

fn deaths(page: &mut Page, deaths: &[Death]) {
    for death in deaths.iter().take(DEATHS_MAX) {
        let certainty = serde_json::to_string(&death.certainty).unwrap_or_default();
        page.paragraph("  died", &format!("{}  ({})", death.sentence, certainty.trim_matches('"')), SENTENCE_LINES_MAX);
        proofs(page, &death.proof);
    }
    page.more(deaths.len().saturating_sub(DEATHS_MAX), "way of dying");
}

fn repeats(page: &mut Page, twice: &[Twice]) {
    for twice in twice.iter().take(DEATHS_MAX) {
        page.paragraph("  twice", &twice.sentence, SENTENCE_LINES_MAX);
        proofs(page, &twice.proof);
    }
    page.more(twice.len().saturating_sub(DEATHS_MAX), "way of being sent again");
}

fn proofs(page: &mut Page, proofs: &[Proof]) {
    proofs.iter().take(PROOFS_MAX).for_each(|proof| page.entry("", &format!("{}  {}", proof.place, proof.says)));
    page.more(proofs.len().saturating_sub(PROOFS_MAX), "proof");
}

fn op_text(op: &OpRef) -> String {
    let name = |json: serde_json::Result<String>| json.unwrap_or_default().trim_matches('"').to_owned();
    let (kind, outcome) = (name(serde_json::to_string(&op.kind)), name(serde_json::to_string(&op.outcome)));
    let returned = op.returned_ns.map_or_else(|| "never".to_owned(), moment);
    let mut text = format!("{} {kind} {} {outcome}  {} – {returned}", op.process, op.log, moment(op.invoked_ns));
    text += &format!("  offset {}", op.offset);
    if let Some(value) = &op.value {
        text += &format!("  value {value}");
    }
    if let Some(count) = op.count {
        let records: Vec<_> = op.records.iter().map(|(offset, value)| format!("{offset}:{value}")).collect();
        text += &format!("  {} {}", plural(count as u64, "record"), records.join(" "));
    }
    text
}

#[cfg(test)]
mod tests;
