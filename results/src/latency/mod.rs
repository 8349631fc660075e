//! How long it took, from the moment the load's plan wanted each record sent: a generator that falls behind must not
//! hide the delay it suffered (coordinated omission).
//!
//! `commit` and `transaction` begin when they were asked for. `produce` ends with the acknowledgement; `deliver` with the first poll or fetch, by a consumer of the load, that holds
//! the record. An operation belongs to the earliest fault episode that it overlaps, else to `quiet`. **Invariant:** only
//! what happened counts: an append that failed or that nobody knows the end of has no produce latency.

mod gaps;
mod log;
mod samples;

use crate::merge::Recording;
use crate::phase::{Phases, QUIET};
use hdrhistogram::Histogram;
use history::{Kind, LogId, Nanos};
use samples::Sample;
use serde::{Deserialize, Serialize};

/// A send this much behind its plan is late.
pub const LATE_SEND_NS_MIN: u64 = 10_000_000;
/// The share of late sends up to which latencies mean something.
pub const LATE_SHARE_MAX: f64 = 0.001;
/// Longer latencies count as this one.
pub const LATENCY_NS_MAX: u64 = 3_600_000_000_000;
const SIGNIFICANT_DIGITS: u8 = 3;

/// What is timed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Timed {
    /// Intended send to acknowledgement.
    Produce,
    /// Intended send to first delivery.
    Deliver,
    /// A position asked to be stored to its acknowledgement.
    Commit,
    /// Begin of a transaction to the acknowledgement of its commit.
    Transaction,
}

impl Timed {
    /// As in tags.
    pub fn name(self) -> &'static str {
        match self {
            Timed::Produce => "produce",
            Timed::Deliver => "deliver",
            Timed::Commit => "commit",
            Timed::Transaction => "transaction",
        }
    }
}

/// The distribution of one thing timed, nanoseconds; all 0 if there was none.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Figures {
    /// How many.
    pub count: u64,
    /// Half were not slower.
    pub p50_ns: u64,
    /// 90 % were not slower.
    pub p90_ns: u64,
    /// 99 % were not slower.
    pub p99_ns: u64,
    /// 99.9 % were not slower.
    pub p999_ns: u64,
    /// The slowest.
    pub max_ns: u64,
}

impl Figures {
    fn of(histogram: &Histogram<u64>) -> Figures {
        let at = |quantile| histogram.value_at_quantile(quantile);
        let (p50_ns, p90_ns, p99_ns, p999_ns) = (at(0.5), at(0.9), at(0.99), at(0.999));
        Figures { count: histogram.len(), p50_ns, p90_ns, p99_ns, p999_ns, max_ns: histogram.max() }
    }
}

/// The longest time in which sends were wanted and nothing was acknowledged.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Gap {
    /// When it began.
    pub from: Nanos,
    /// How long it lasted, ns.
    pub ns: u64,
}

/// One thing timed in one phase.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PhaseFigures {
    /// What.
    pub timed: Timed,
    /// The fault, or `quiet`.
    pub phase: String,
    /// How long it took.
    pub figures: Figures,
}

/// What a run's summary and verdict say about time.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Timing {
    /// Intended send to acknowledgement, whole run.
    pub produce: Figures,
    /// Intended send to first delivery, whole run.
    pub deliver: Figures,
    /// Positions stored, whole run.
    #[serde(default)]
    pub commit: Figures,
    /// Transactions committed, whole run.
    #[serde(default)]
    pub transaction: Figures,
    /// The same by phase.
    pub phases: Vec<PhaseFigures>,
    /// Appends asked for.
    pub sends: u64,
    /// Of these, more than [`LATE_SEND_NS_MIN`] behind the plan.
    pub late_sends: u64,
    /// Over all logs together.
    pub longest_gap: Option<Gap>,
    /// By log, for logs that were appended to.
    pub longest_gaps: Vec<(LogId, Gap)>,
}

impl Timing {
    /// Share of sends that were late, 0 to 1.
    pub fn late_share(&self) -> f64 {
        if self.sends == 0 { 0.0 } else { self.late_sends as f64 / self.sends as f64 }
    }

    /// True if so many sends were late that the latencies tell more of the load than of the system.
    pub fn is_void(&self) -> bool {
        self.late_share() > LATE_SHARE_MAX
    }
}

/// Everything timed in a run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Latency {
    /// The figures.
    pub timing: Timing,
    /// By rising second and tag.
    samples: Vec<Sample>,
    /// `op.phase`, by a sample's tag.
    tags: Vec<(Timed, String)>,
    epoch: Nanos,
}

impl Latency {
    /// Times every append of a recording.
    pub fn measure(recording: &Recording, phases: &Phases) -> Latency {
        let mut tags = Vec::new();
        let samples = samples::gather(recording, phases, &mut tags);
        let appends =
            || recording.history.ops.iter().zip(&recording.intended).filter(|(op, _)| op.kind() == Kind::Append);
        let late_sends = appends().filter(|(op, at)| op.invoked.since(**at) > LATE_SEND_NS_MIN).count() as u64;
        let (longest_gap, longest_gaps) = gaps::longest(appends());
        let histograms = histograms(&samples, tags.len());
        let whole = |timed| figures(tags.iter().zip(&histograms).filter(|(tag, _)| tag.0 == timed).map(|(_, h)| h));
        let (produce, deliver) = (whole(Timed::Produce), whole(Timed::Deliver));
        let (commit, transaction) = (whole(Timed::Commit), whole(Timed::Transaction));
        let phases = by_phase(&tags, &histograms);
        let sends = appends().count() as u64;
        let timing =
            Timing { produce, deliver, commit, transaction, phases, sends, late_sends, longest_gap, longest_gaps };
        Latency { timing, samples, tags, epoch: recording.history.names.epoch }
    }
}

fn histograms(samples: &[Sample], tags: usize) -> Vec<Histogram<u64>> {
    let mut histograms: Vec<_> = (0..tags).map(|_| histogram()).collect();
    samples.iter().for_each(|sample| histograms[usize::from(sample.tag)].saturating_record(sample.ns));
    histograms
}

fn by_phase(tags: &[(Timed, String)], histograms: &[Histogram<u64>]) -> Vec<PhaseFigures> {
    let of = |((timed, phase), histogram): (&(Timed, String), &Histogram<u64>)| PhaseFigures {
        timed: *timed,
        phase: phase.clone(),
        figures: Figures::of(histogram),
    };
    let mut phases: Vec<_> = tags.iter().zip(histograms).map(of).collect();
    phases.sort_by(|a, b| (a.timed, a.phase != QUIET, &a.phase).cmp(&(b.timed, b.phase != QUIET, &b.phase)));
    phases
}

fn figures<'a>(histograms: impl Iterator<Item = &'a Histogram<u64>>) -> Figures {
    let mut all = histogram();
    histograms.for_each(|part| all.add(part).expect("both have the same bounds"));
    Figures::of(&all)
}

fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LATENCY_NS_MAX, SIGNIFICANT_DIGITS)
        .expect("constant bounds: 1 ≤ 2·1 ≤ max, digits ≤ 5")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::phase::Window;
    use history::{Names, Offset, Op, Outcome, ProcessId, ProcessName, Record, Role, Value, WriterId};

    const MS: u64 = 1_000_000;

    /// Process 0 produces, 1 consumes, 2 drains.
    fn recording() -> Recording {
        let process = |name: &str, role| ProcessName { name: name.into(), role, writer: None };
        let processes = vec![process("p", Role::Producer), process("c", Role::Consumer), process("d", Role::Drain)];
        let mut recording = Recording::default();
        recording.history.names = Names { processes, ..Names::default() };
        recording
    }

    /// Times in ms.
    fn append(to: &mut Recording, sequence: u64, [intended, invoked, returned]: [u64; 3], outcome: Outcome) {
        let log = LogId(sequence as u32 % 2);
        let op = Op::invoke(Kind::Append, ProcessId(0), log, Nanos(invoked * MS));
        let op = op.complete(outcome, Nanos(returned * MS), Offset(0));
        to.history.ops.push(op.with_detail(Value::new(WriterId(3), sequence).0));
        to.intended.push(Nanos(intended * MS));
    }

    fn poll(to: &mut Recording, process: u32, returned: u64, sequences: &[u64]) {
        let op = Op::invoke(Kind::Poll, ProcessId(process), LogId(0), Nanos(0));
        let op = op.complete(Outcome::Ok, Nanos(returned * MS), Offset(0));
        let record = |sequence: &u64| Record { offset: Offset(0), value: Value::new(WriterId(3), *sequence) };
        to.history.push_read(op, &sequences.iter().map(record).collect::<Vec<_>>());
        to.intended.push(Nanos(0));
    }

    fn near(ns: u64, ms: u64) -> bool {
        ns.abs_diff(ms * MS) <= ms * MS / 1000
    }

    #[test]
    fn a_record_is_timed_from_its_plan_to_its_ack_and_to_its_first_delivery_to_a_consumer() {
        let mut run = recording();
        append(&mut run, 7, [100, 150, 160], Outcome::Ok);
        poll(&mut run, 2, 170, &[7]);
        poll(&mut run, 1, 300, &[7]);
        poll(&mut run, 1, 200, &[7, 7, 99]);
        let timing = Latency::measure(&run, &Phases::default()).timing;
        assert!(timing.produce.count == 1 && near(timing.produce.max_ns, 60), "{timing:?}");
        assert!(timing.deliver.count == 1 && near(timing.deliver.p50_ns, 100), "{timing:?}");
        assert_eq!((timing.sends, timing.late_sends), (1, 1));
    }

    #[test]
    fn an_append_without_an_ack_has_no_produce_latency_and_may_be_delivered() {
        let mut run = recording();
        append(&mut run, 0, [0, 0, 10], Outcome::Fail);
        append(&mut run, 1, [0, 0, 20], Outcome::Unknown);
        poll(&mut run, 1, 30, &[1]);
        let timing = Latency::measure(&run, &Phases::default()).timing;
        assert_eq!((timing.produce.count, timing.deliver.count), (0, 1));
    }

    #[test]
    fn operations_that_overlap_an_episode_belong_to_it() {
        let mut run = recording();
        append(&mut run, 0, [0, 0, 10], Outcome::Ok);
        append(&mut run, 1, [15, 15, 90], Outcome::Ok);
        let window = Window { name: "kill, leader".into(), from: Nanos(50 * MS), to: Nanos(60 * MS) };
        let timing = Latency::measure(&run, &Phases::new(vec![window])).timing;
        let phases: Vec<_> = timing.phases.iter().map(|p| (p.phase.as_str(), p.figures.count)).collect();
        assert_eq!(phases, [("quiet", 1), ("kill--leader", 1)]);
    }

    #[test]
    fn the_longest_gap_is_between_acks_while_sends_were_wanted() {
        let mut run = recording();
        for (sequence, times) in [(0, [0, 0, 5]), (2, [20, 20, 400]), (1, [30, 30, 35]), (3, [500, 500, 501])] {
            append(&mut run, sequence, times, Outcome::Ok);
        }
        let timing = Latency::measure(&run, &Phases::default()).timing;
        assert_eq!(timing.longest_gap, Some(Gap { from: Nanos(35 * MS), ns: 365 * MS }));
        let of_log = [
            (LogId(0), Gap { from: Nanos(5 * MS), ns: 395 * MS }),
            (LogId(1), Gap { from: Nanos(35 * MS), ns: 466 * MS }),
        ];
        assert_eq!(timing.longest_gaps, of_log);
    }

    #[test]
    fn a_log_without_any_ack_is_one_gap_and_a_run_without_appends_has_none() {
        let mut run = recording();
        assert_eq!(Latency::measure(&run, &Phases::default()).timing, Timing::default());
        append(&mut run, 0, [10, 10, 0], Outcome::Unknown);
        append(&mut run, 2, [90, 95, 0], Outcome::Fail);
        let timing = Latency::measure(&run, &Phases::default()).timing;
        assert_eq!(timing.longest_gap, Some(Gap { from: Nanos(10 * MS), ns: 85 * MS }));
    }
}
