//! The verdict: every claim of the contract judged over a history and, where there are any, the replicas' logs.
//!
//! **Invariant:** a verdict is [`Verdict::Pass`] only if every forbidden claim was judged and held.

use crate::anomaly::{Anomaly, AnomalyKind};
use crate::beyond::{self, Beyond};
use crate::claim::Claim;
use crate::claims::{Case, DEFINITIONS, Definition, Instance};
use crate::contract::{Contract, Promises, Status};
use crate::group::group;
use crate::groups::{Delivery, Guarantee};
use crate::log::facts::{Facts, LogFacts};
use crate::log::inquiry::Inquiry;
use crate::log::leads::{Leads, Sums};
use crate::shards::{Sifted, sift};
use crate::source::{Fold, Source};
use history::{History, Kind, LogId, Names, ReplicaLog};
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What became of a claim.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "finding", rename_all = "kebab-case")]
pub enum Finding {
    /// There was enough to judge it by, and it held.
    Held,
    /// It was broken and must not be.
    Violated,
    /// It was broken, so many times, and may be.
    Permitted {
        /// How many times.
        count: u64,
    },
    /// It could not be judged, or was not to be.
    NotJudged {
        /// What was missing.
        why: String,
    },
}

/// A claim, what the contract says of it, and what became of it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ClaimResult {
    /// The claim.
    pub claim: Claim,
    /// The contract's word.
    pub status: Status,
    /// What became of it.
    pub verdict: Finding,
    /// How many findings.
    pub count: u64,
    /// The first few, in words.
    pub examples: Vec<String>,
}

/// A run in one word.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Verdict {
    /// Every forbidden claim was judged and held.
    Pass,
    /// A forbidden anomaly is witnessed.
    Violation,
    /// None is witnessed, and some forbidden claim could not be judged.
    Inconclusive,
}

/// Operations of one kind by outcome.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct KindCount {
    /// The kind.
    pub kind: Kind,
    /// It happened.
    pub ok: u64,
    /// It did not.
    pub fail: u64,
    /// Nobody can tell.
    pub unknown: u64,
}

/// What the history held.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Counts {
    /// Operations by kind and outcome; kinds that do not occur are left out.
    pub ops: Vec<KindCount>,
    /// Appends acknowledged.
    pub acked: u64,
    /// Of these, without an offset.
    pub acked_untold: u64,
    /// Records returned by reads, re-reads included.
    pub records_read: u64,
    /// Offsets that were read at least once.
    pub offsets_read: u64,
    /// Acknowledged records lost for sure.
    pub lost: u64,
    /// Acknowledged records neither read nor shown to be lost.
    pub undecided: u64,
    /// Unknown appends that turned out to have happened.
    pub unknown_seen: u64,
    /// Logs with any operation.
    pub logs: u64,
    /// Logs read from start to end after the heal.
    pub logs_drained: u64,
    /// What groups were delivered, log by log.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub groups: Vec<GroupCount>,
}

/// What a group was delivered of a log, as measured.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct GroupCount {
    /// The group's number.
    pub group: u32,
    /// The log's name.
    pub log: String,
    /// In a word.
    pub guarantee: Guarantee,
    /// Records delivered, each counted once.
    pub delivered: u64,
    /// Deliveries beyond each record's first.
    pub redelivered: u64,
    /// Records that the group or its position passed and that never reached it.
    pub skipped: u64,
    /// Records beyond everything delivered or committed.
    pub to_come: u64,
}

/// Everything there is to say of a run.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Judgement {
    /// One entry a claim, in the order of [`Claim::ALL`].
    pub claims: Vec<ClaimResult>,
    /// Every anomaly, of claims in scope.
    pub anomalies: Vec<Anomaly>,
    /// What the history held.
    pub counts: Counts,
}

impl Judgement {
    /// The run in one word.
    pub fn verdict(&self) -> Verdict {
        let forbidden = || self.claims.iter().filter(|c| c.status == Status::Forbidden);
        if forbidden().any(|c| c.verdict == Finding::Violated) {
            return Verdict::Violation;
        }
        match forbidden().all(|c| c.verdict == Finding::Held) {
            true => Verdict::Pass,
            false => Verdict::Inconclusive,
        }
    }

    /// The result of `claim`.
    pub fn claim(&self, claim: Claim) -> Option<&ClaimResult> {
        self.claims.iter().find(|c| c.claim == claim)
    }
}

/// Operations below which a thread costs more than it saves.
const OPS_A_THREAD_MIN: usize = 1 << 15;

/// Judges `history`, with the replicas' logs where they were collected (each whole, as it stood on its disk).
pub fn judge(history: &History, replicas: &[ReplicaLog], contract: &Contract, promises: &Promises) -> Judgement {
    let cores = match history.ops.len() {
        0..OPS_A_THREAD_MIN => 1,
        _ => std::thread::available_parallelism().map_or(1, |n| n.get()),
    };
    judge_on(history, replicas, contract, promises, cores)
}

/// The same from any source of operations, on at most `cores` threads.
pub fn judge_on(
    source: &dyn Source,
    replicas: &[ReplicaLog],
    contract: &Contract,
    promises: &Promises,
    cores: usize,
) -> Judgement {
    let sifted = sift(source, replicas, promises, cores);
    let (mut found, broken) = question(source, replicas, contract, promises, &sifted);
    let mut beyond = beyond::judge(source, contract, promises);
    found.append(&mut beyond.found);
    let delivered = beyond.deliveries().iter().map(|delivery| group_count(source.names(), delivery)).collect();
    let data = Data::new(&sifted, replicas, beyond);
    let groups = group(source.names(), found);
    let claims = Claim::ALL.into_iter().map(|claim| {
        let status = contract.status(claim).clone();
        let mine = || groups.iter().filter(|a| a.claim == claim);
        let count = mine().map(|a| a.count).sum();
        let verdict = match (&status, count) {
            (Status::OutOfScope { because }, _) => Finding::NotJudged { why: because.clone() },
            (Status::Forbidden, 1..) => Finding::Violated,
            (Status::Allowed { .. }, 1..) => Finding::Permitted { count },
            (_, 0) => match sifted.failed.clone().or_else(|| broken.clone()).or_else(|| data.missing(claim)) {
                Some(why) => Finding::NotJudged { why },
                None => Finding::Held,
            },
        };
        let examples = mine().take(EXAMPLES_MAX).map(|a| a.sentence.clone()).collect();
        ClaimResult { claim, status, verdict, count, examples }
    });
    let claims = claims.collect();
    let counts = Counts { groups: delivered, ..counts(&sifted, &groups) };
    Judgement { claims, anomalies: groups, counts }
}

const EXAMPLES_MAX: usize = 3;

/// Questions what the first pass could not let go. Says why where that failed.
fn question(
    source: &dyn Source,
    replicas: &[ReplicaLog],
    contract: &Contract,
    promises: &Promises,
    sifted: &Sifted,
) -> (Vec<(LogId, AnomalyKind, Instance)>, Option<String>) {
    if sifted.leads.iter().all(Leads::clean) {
        return (Vec::new(), None);
    }
    let asked = catch_unwind(AssertUnwindSafe(|| {
        let facts = inquire(source, replicas, promises, &sifted.leads);
        accuse(source.names(), replicas, contract, (&sifted.leads, &facts))
    }));
    match asked {
        Ok(found) => (found, None),
        Err(_) => (Vec::new(), Some("the checker failed on the suspicious part of this history".into())),
    }
}

/// What the suspects are guilty of, by the definitions in scope.
fn accuse(
    names: &Names,
    replicas: &[ReplicaLog],
    contract: &Contract,
    (leads, facts): (&[Leads], &Facts),
) -> Vec<(LogId, AnomalyKind, Instance)> {
    let in_scope = |d: &&&Definition| !matches!(contract.status(d.claim), Status::OutOfScope { .. });
    let (mut found, none) = (Vec::new(), LogFacts::default());
    let mut disks: HashMap<LogId, Vec<&ReplicaLog>> = HashMap::new();
    replicas.iter().for_each(|replica| disks.entry(replica.log).or_default().push(replica));
    for leads in leads.iter().filter(|l| !l.clean()) {
        let held = disks.remove(&leads.log).unwrap_or_default();
        let log = facts.log(leads.log).unwrap_or(&none);
        let case = Case { names, leads, facts, log, replicas: &held };
        for definition in DEFINITIONS.iter().filter(in_scope) {
            let instances = (definition.find)(&case).into_iter();
            found.extend(instances.map(|i| (leads.log, definition.kind, i)));
        }
    }
    found
}

fn inquire(source: &dyn Source, replicas: &[ReplicaLog], promises: &Promises, leads: &[Leads]) -> Facts {
    let roles = source.names().processes.iter().map(|p| p.role).collect();
    let mut inquiry = Inquiry::new(leads, roles, promises);
    source.walk(&mut |batch| batch.ops.iter().for_each(|op| inquiry.add(op, batch.records_of(op))));
    inquiry.replicas(replicas);
    inquiry.finish()
}

fn group_count(names: &Names, delivery: &Delivery) -> GroupCount {
    let Delivery { group, log, guarantee, delivered, redeliveries, skipped_count, to_come, .. } = *delivery;
    let log = names.log(log);
    GroupCount { group, log, guarantee, delivered, redelivered: redeliveries, skipped: skipped_count, to_come }
}

fn counts(sifted: &Sifted, anomalies: &[Anomaly]) -> Counts {
    use AnomalyKind::{LostMiddle, LostPostfix, LostPrefix};
    let sum = |of: fn(&Sums) -> u64| sifted.leads.iter().map(|l| of(&l.sums)).sum();
    let lost = anomalies.iter().filter(|a| matches!(a.kind, LostPrefix | LostMiddle | LostPostfix));
    Counts {
        ops: sifted.tally.counts(),
        acked: sum(|s| s.acked),
        acked_untold: sum(|s| s.acked_untold),
        records_read: sum(|s| s.records_read),
        offsets_read: sum(|s| s.offsets_read),
        lost: lost.map(|a| a.count).sum(),
        undecided: sum(|s| s.undecided),
        unknown_seen: sum(|s| s.unknown_seen),
        logs: sifted.leads.len() as u64,
        logs_drained: sifted.leads.iter().filter(|l| l.edges.coverage.whole).count() as u64,
        groups: Vec::new(),
    }
}

/// What there was to judge by.
struct Data {
    sums: Vec<Sums>,
    undrained: Option<String>,
    unevidenced: Option<String>,
    beyond: Beyond,
}

impl Data {
    fn new(sifted: &Sifted, replicas: &[ReplicaLog], beyond: Beyond) -> Data {
        let undrained = |l: &&Leads| l.sums.acked > 0 && !l.edges.coverage.whole;
        let why = |l: &Leads| match l.edges.coverage.end {
            Some(end) => {
                format!("log {} was read only to offset {} of {end}", sifted.name(l.log), l.edges.coverage.reached)
            }
            None => format!("log {} was not read to its end after the heal", sifted.name(l.log)),
        };
        let held: HashSet<LogId> = replicas.iter().map(|replica| replica.log).collect();
        let unevidenced = |l: &&Leads| undrained(l) && !held.contains(&l.log);
        Data {
            sums: sifted.leads.iter().map(|l| l.sums).collect(),
            undrained: sifted.leads.iter().find(undrained).map(why),
            unevidenced: sifted.leads.iter().find(unevidenced).map(|l| why(l) + " and no replica of it was collected"),
            beyond,
        }
    }

    /// What is missing to judge `claim` by, if anything.
    fn missing(&self, claim: Claim) -> Option<String> {
        let any = |has: fn(&Sums) -> bool| self.sums.iter().any(has);
        let unless = |has: bool, why: &str| (!has).then(|| why.to_owned());
        let acked = unless(any(|s| s.acked > 0), "nothing was acknowledged");
        let read = unless(any(|s| s.offsets_read > 0), "nothing was read");
        match claim {
            Claim::NoAckedLoss => acked.or_else(|| self.unevidenced.clone()),
            Claim::AllReadAfterHeal | Claim::NoUnreadTrim => acked.or_else(|| self.undrained.clone()),
            Claim::TrueAck => unless(any(|s| s.acked > s.acked_untold), "no offset was acknowledged").or(read),
            Claim::StablePrefix => unless(any(|s| s.offsets_reread > 0), "no offset was read twice"),
            Claim::ConsumerOrder | Claim::NoSkip => unless(any(|s| s.polled > 1), "no reader was handed two records"),
            Claim::LinearizableLog => unless(any(|s| s.acked > 0 || s.offsets_read > 0), "no reply said anything"),
            Claim::MonotoneObservables => unless(any(|s| s.answers > 1), "no counter was asked twice"),
            Claim::NoDuplicate
            | Claim::OneValuePerOffset
            | Claim::ProducerOrder
            | Claim::NoAbortedRead
            | Claim::NoPhantom
            | Claim::NoCorruption
            | Claim::NoMisroute => read,
            Claim::AtomicTxn
            | Claim::NoOwnUncommittedRead
            | Claim::TxnCycles
            | Claim::TxnSerializable
            | Claim::CommittedOffsetMonotonic
            | Claim::GroupAtLeastOnce
            | Claim::GroupAtMostOnce
            | Claim::OneOwner
            | Claim::GenerationFenced
            | Claim::ContiguousSends => self.beyond.missing(claim),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shards::FirstPass;
    use crate::synth::injury::{INJURIES, inflict};
    use crate::synth::rng::Rng;
    use crate::synth::{Shape, Synthetic, correct};

    /// The anomalies found when the operations are dealt out to `shards` folds at random.
    fn judged_in_shards(made: &Synthetic, shards: usize, rng: &mut Rng) -> Vec<Anomaly> {
        let (history, promises, contract) = (&made.history, Promises::strict(), Contract::durable());
        let fresh = || FirstPass::new(&history.names, &made.replicas, &promises);
        let leads = dealt(history, (0..shards).map(|_| fresh()).collect(), rng).map_or(Vec::new(), |f| f.finish().0);
        let roles = || history.names.processes.iter().map(|p| p.role).collect();
        let inquiries = (0..shards).map(|_| Inquiry::new(&leads, roles(), &promises)).collect();
        let facts = dealt(history, inquiries, rng).map(|mut inquiry| {
            inquiry.replicas(&made.replicas);
            inquiry.finish()
        });
        let facts = facts.unwrap_or_default();
        group(&history.names, accuse(&history.names, &made.replicas, &contract, (&leads, &facts)))
    }

    fn dealt<F: Fold>(history: &History, mut folds: Vec<F>, rng: &mut Rng) -> Option<F> {
        for op in &history.ops {
            let shard = rng.below(folds.len() as u64) as usize;
            folds[shard].add(op, history.records_of(op));
        }
        folds.into_iter().reduce(|mut all, shard| {
            all.merge(shard);
            all
        })
    }

    #[test]
    fn operations_dealt_out_to_shards_are_judged_as_in_one() {
        for seed in 0..40 {
            for kind in INJURIES {
                let (mut made, mut rng) = (correct(Shape::small(seed)), Rng::new(seed));
                inflict(&mut made, kind, seed);
                let whole = judge(&made.history, &made.replicas, &Contract::durable(), &Promises::strict());
                for shards in [1, 3] {
                    assert_eq!(judged_in_shards(&made, shards, &mut rng), whole.anomalies, "seed {seed}, {kind}");
                }
            }
        }
    }
}
