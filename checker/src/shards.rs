//! The first pass over all logs: each thread walks the source and keeps the logs that are its own.
//!
//! Logs are independent, so that nothing is shared and nothing merged but whether there are transactions at all.
//! **Invariant:** a thread that fails makes the claims unjudged, never held.

use crate::contract::Promises;
use crate::judge::KindCount;
use crate::log::leads::Leads;
use crate::log::sieve::{Setting, Sieve};
use crate::source::{Batch, Fold, Source};
use history::{Kind, LogId, Names, Op, Record, ReplicaLog, Role};
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Logs found by index; the rest by map.
const INDEXED_MAX: usize = 1 << 16;

/// Operations by kind and outcome.
#[derive(Clone, Debug)]
pub(crate) struct Tally([[u64; 4]; Kind::ALL.len() + 1]);

impl Default for Tally {
    fn default() -> Tally {
        Tally([[0; 4]; Kind::ALL.len() + 1])
    }
}

impl Tally {
    #[inline]
    fn add(&mut self, op: &Op) {
        self.0[op.kind() as usize][op.outcome() as usize] += 1;
    }

    fn merge(&mut self, other: &Tally) {
        let cells = self.0.iter_mut().flatten().zip(other.0.iter().flatten());
        cells.for_each(|(mine, theirs)| *mine += theirs);
    }

    /// The kinds that occur.
    pub fn counts(&self) -> Vec<KindCount> {
        let count = |kind: Kind| {
            let [_, ok, fail, unknown] = self.0[kind as usize];
            KindCount { kind, ok, fail, unknown }
        };
        Kind::ALL.into_iter().map(count).filter(|c| c.ok + c.fail + c.unknown > 0).collect()
    }
}

/// What the first pass found.
pub(crate) struct Sifted {
    pub leads: Vec<Leads>,
    pub tally: Tally,
    pub failed: Option<String>,
    names: Vec<String>,
}

impl Sifted {
    /// The log's name.
    pub fn name(&self, log: LogId) -> String {
        self.names.get(log.0 as usize).cloned().unwrap_or_else(|| log.0.to_string())
    }
}

/// What one thread found.
type Found = (Vec<Leads>, Tally);

/// Runs the first pass on at most `cores` threads.
pub(crate) fn sift(source: &dyn Source, replicas: &[ReplicaLog], promises: &Promises, cores: usize) -> Sifted {
    let names = source.names();
    let shards = cores.clamp(1, names.logs.len().max(1));
    let taken = on_threads((0..shards).collect(), |shard| {
        take(source, FirstPass::new(names, replicas, promises), (shard, shards))
    });
    // Where there are transactions on any log, offsets of all may be markers.
    let transactions = taken.iter().flatten().any(|pass| pass.transactions);
    let done: Vec<Option<Found>> = on_threads(taken, |pass| {
        pass.map(|mut pass| {
            pass.transactions = transactions;
            pass.finish()
        })
    })
    .into_iter()
    .map(Option::flatten)
    .collect();
    let failed = done.iter().any(Option::is_none).then(|| "the checker failed on a part of this history".to_owned());
    let (mut leads, mut tally) = (Vec::new(), Tally::default());
    for (found, counted) in done.into_iter().flatten() {
        leads.extend(found);
        tally.merge(&counted);
    }
    leads.sort_unstable_by_key(|l| l.log);
    Sifted { leads, tally, failed, names: names.logs.clone() }
}

/// Does each piece of work on a thread of its own, a single one on this; nothing in place of one that fails.
fn on_threads<T: Send, R: Send>(pieces: Vec<T>, work: impl Fn(T) -> R + Sync) -> Vec<Option<R>> {
    let guarded = |piece| catch_unwind(AssertUnwindSafe(|| work(piece))).ok();
    if pieces.len() == 1 {
        return pieces.into_iter().map(guarded).collect();
    }
    std::thread::scope(|scope| {
        let threads: Vec<_> = pieces.into_iter().map(|piece| scope.spawn(move || guarded(piece))).collect();
        threads.into_iter().map(|thread| thread.join().ok().flatten()).collect()
    })
}

fn take<'a>(source: &dyn Source, mut pass: FirstPass<'a>, (shard, shards): (usize, usize)) -> FirstPass<'a> {
    let mask = shards.wrapping_sub(1);
    let mine = |log: LogId| match shards & mask {
        0 => log.0 as usize & mask == shard,
        _ => log.0 as usize % shards == shard,
    };
    pass.replicas.retain(|r| mine(r.log));
    source.walk_logs(&mine, &mut |batch: Batch<'_>| {
        for op in batch.ops.iter().filter(|op| mine(op.log)) {
            let records = if op.kind().reads_records() { batch.records_of(op) } else { &[] };
            pass.add(op, records);
        }
    });
    pass
}

/// The first pass over any logs: a sieve for each.
pub(crate) struct FirstPass<'a> {
    promises: &'a Promises,
    replicas: Vec<&'a ReplicaLog>,
    roles: Vec<Role>,
    tally: Tally,
    transactions: bool,
    sieves: Sieves,
}

/// The sieves by log.
#[derive(Default)]
struct Sieves {
    indexed: Vec<Option<Box<Sieve>>>,
    rest: HashMap<LogId, Box<Sieve>>,
}

impl<'a> FirstPass<'a> {
    pub(crate) fn new(names: &Names, replicas: &'a [ReplicaLog], promises: &'a Promises) -> FirstPass<'a> {
        FirstPass {
            promises,
            replicas: replicas.iter().collect(),
            roles: names.processes.iter().map(|p| p.role).collect(),
            tally: Tally::default(),
            transactions: false,
            sieves: Sieves::default(),
        }
    }

    /// Where there are transactions, offsets may be markers.
    #[inline]
    fn notice(&mut self, op: &Op) {
        self.transactions |= matches!(op.kind(), Kind::TxnBegin | Kind::TxnCommit | Kind::TxnAbort);
    }
}

impl Sieves {
    #[inline(always)]
    fn of(&mut self, log: LogId) -> &mut Sieve {
        let at = log.0 as usize;
        if self.indexed.get(at).is_none_or(Option::is_none) {
            return self.make(log);
        }
        self.indexed[at].get_or_insert_default()
    }

    #[cold]
    fn make(&mut self, log: LogId) -> &mut Sieve {
        let at = log.0 as usize;
        if at >= INDEXED_MAX {
            return self.rest.entry(log).or_default();
        }
        if at >= self.indexed.len() {
            self.indexed.resize_with(at + 1, || None);
        }
        self.indexed[at].get_or_insert_default()
    }

    fn each(self) -> impl Iterator<Item = (LogId, Sieve)> {
        let indexed = self.indexed.into_iter().enumerate().filter_map(|(i, s)| Some((LogId(i as u32), *s?)));
        indexed.chain(self.rest.into_iter().map(|(log, sieve)| (log, *sieve)))
    }
}

impl Fold for FirstPass<'_> {
    type Found = Found;

    #[inline]
    fn add(&mut self, op: &Op, records: &[Record]) {
        self.notice(op);
        self.tally.add(op);
        let role = self.roles.get(op.process().0 as usize).copied().unwrap_or(Role::Consumer);
        self.sieves.of(op.log).add(op, records, role, self.promises);
    }

    fn merge(&mut self, other: Self) {
        self.tally.merge(&other.tally);
        self.transactions |= other.transactions;
        for (log, sieve) in other.sieves.each() {
            self.sieves.of(log).merge(sieve);
        }
    }

    fn finish(mut self) -> Found {
        let mut disks: HashMap<LogId, Vec<&ReplicaLog>> = HashMap::new();
        for replica in std::mem::take(&mut self.replicas) {
            self.sieves.of(replica.log);
            disks.entry(replica.log).or_default().push(replica);
        }
        let (promises, transactions) = (self.promises, self.transactions);
        let leads = self.sieves.each().map(|(log, sieve)| {
            let replicas = disks.get(&log).map_or(&[][..], Vec::as_slice);
            sieve.finish(log, Setting { promises, replicas, transactions })
        });
        (leads.collect(), self.tally)
    }
}
