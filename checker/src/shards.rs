//! The first pass over all logs: each thread walks the source and keeps the logs that are its own.
//!
//! Logs are independent, so nothing is shared and nothing is merged. **Invariant:** a thread that fails makes the claims
//! unjudged, never held.

use crate::contract::Promises;
use crate::judge::KindCount;
use crate::log::sieve::{Leads, Setting, Sieve};
use crate::source::{Batch, Source};
use history::{Kind, LogId, Names, Op, ReplicaLog, Role};
use std::collections::HashMap;

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

    fn transactions(&self) -> bool {
        [Kind::TxnBegin, Kind::TxnCommit, Kind::TxnAbort].iter().any(|k| self.0[*k as usize] != [0; 4])
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

/// Runs the first pass on at most `cores` threads.
pub(crate) fn sift(source: &dyn Source, replicas: &[ReplicaLog], promises: &Promises, cores: usize) -> Sifted {
    let names = source.names();
    let shards = cores.clamp(1, names.logs.len().max(1));
    let run = |shard| sift_shard(source, replicas, promises, (shard, shards));
    let done: Vec<Option<(Vec<Leads>, Tally)>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..shards).map(|shard| scope.spawn(move || run(shard))).collect();
        threads.into_iter().map(|t| t.join().ok()).collect()
    });
    let failed = done.iter().any(Option::is_none).then(|| "the checker failed on a part of this history".to_owned());
    let tally = done.iter().flatten().next().map(|d| d.1.clone()).unwrap_or_default();
    let mut leads: Vec<Leads> = done.into_iter().flatten().flat_map(|d| d.0).collect();
    leads.sort_unstable_by_key(|l| l.log);
    Sifted { leads, tally, failed, names: names.logs.clone() }
}

fn sift_shard(
    source: &dyn Source,
    replicas: &[ReplicaLog],
    promises: &Promises,
    (shard, shards): (usize, usize),
) -> (Vec<Leads>, Tally) {
    let (mut sieves, mut tally) = (Sieves::new(source.names()), Tally::default());
    source.walk(&mut |batch: Batch<'_>| {
        for op in batch.ops {
            tally.add(op);
            if shards == 1 || op.log.0 as usize % shards == shard {
                sieves.add(op, &batch, promises);
            }
        }
    });
    for replica in replicas.iter().filter(|r| r.log.0 as usize % shards == shard) {
        sieves.of(replica.log);
    }
    let transactions = tally.transactions();
    let mut disks: HashMap<LogId, Vec<&ReplicaLog>> = HashMap::new();
    replicas.iter().for_each(|r| disks.entry(r.log).or_default().push(r));
    let leads = sieves.into_each().map(|(log, sieve)| {
        let replicas = disks.get(&log).map_or(&[][..], Vec::as_slice);
        sieve.finish(log, Setting { promises, replicas, transactions })
    });
    (leads.collect(), tally)
}

/// A sieve a log.
struct Sieves {
    roles: Vec<Role>,
    indexed: Vec<Option<Box<Sieve>>>,
    rest: HashMap<LogId, Box<Sieve>>,
}

impl Sieves {
    fn new(names: &Names) -> Sieves {
        let roles = names.processes.iter().map(|p| p.role).collect();
        Sieves { roles, indexed: Vec::new(), rest: HashMap::new() }
    }

    #[inline]
    fn add(&mut self, op: &Op, batch: &Batch<'_>, promises: &Promises) {
        let role = self.roles.get(op.process().0 as usize).copied().unwrap_or(Role::Consumer);
        let records = if op.kind().reads_records() { batch.records_of(op) } else { &[] };
        self.of(op.log).add(op, records, role, promises);
    }

    #[inline]
    fn of(&mut self, log: LogId) -> &mut Sieve {
        let at = log.0 as usize;
        if at >= INDEXED_MAX {
            return self.rest.entry(log).or_default();
        }
        if at >= self.indexed.len() {
            self.indexed.resize_with(at + 1, || None);
        }
        self.indexed[at].get_or_insert_default()
    }

    fn into_each(self) -> impl Iterator<Item = (LogId, Sieve)> {
        let indexed = self.indexed.into_iter().enumerate().filter_map(|(i, s)| Some((LogId(i as u32), *s?)));
        indexed.chain(self.rest.into_iter().map(|(log, sieve)| (log, *sieve)))
    }
}
