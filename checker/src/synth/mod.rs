//! Histories made up from a seed: correct ones of any size, and the same with one thing wrong.
//!
//! For benchmarks, for property tests, and for the proof that comes with a certificate: the checker must find what was
//! put in. **Invariant:** a seed and a shape give the same history on every machine.

pub mod injury;
pub mod repeated;
pub mod rng;

use history::{
    History, Kind, LeaderEpoch, LogId, Nanos, NodeId, Offset, Op, Outcome, ProcessId, ProcessName, Record, ReplicaLog,
    ReplicaRecord, Role, Value, WriterId,
};
use rng::Rng;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// What a made-up history looks like.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shape {
    /// Everything follows from it.
    pub seed: u64,
    /// Operations under load; the drain comes on top.
    pub ops: usize,
    /// Logs.
    pub logs: u32,
    /// Processes under load: half append, one a log consumes, the others look at the ends of logs.
    pub clients: u32,
    /// Of a thousand appends, how many get no reply; half of these happened.
    pub unknown_per_mille: u32,
    /// Most records of a fetch under load; a consumer's read may have [`POLL_FACTOR`] times as many.
    pub records_max: u32,
    /// Replicas of each log whose disks are given.
    pub replicas: u32,
}

impl Shape {
    /// A few dozen operations.
    pub fn small(seed: u64) -> Shape {
        Shape { seed, ops: 60, logs: 2, clients: 6, unknown_per_mille: 100, records_max: 4, replicas: 2 }
    }

    /// `ops` operations as a benchmark wants them: one log, 50 clients, one append in a hundred without a reply.
    pub fn large(ops: usize) -> Shape {
        Shape { seed: 7, ops, logs: 1, clients: 50, unknown_per_mille: 10, records_max: 10, replicas: 0 }
    }
}

/// A history and the replicas' logs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Synthetic {
    /// Operations.
    pub history: History,
    /// Disks.
    pub replicas: Vec<ReplicaLog>,
}

/// How many times as much as a fetch a consumer takes, so that it keeps up.
pub const POLL_FACTOR: u64 = 8;
/// Records of one read of the drain.
const DRAIN_RECORDS: usize = 500;
/// Longest delay between invocation, effect and reply, ns.
const DELAY_NS_MAX: u64 = 1_000_000;

/// One process under load.
struct Client {
    process: ProcessId,
    writer: Option<WriterId>,
    log: LogId,
    position: usize,
    sequence: u64,
    invoked: u64,
}

struct Cluster {
    logs: Vec<Vec<Value>>,
    history: History,
    rng: Rng,
    shape: Shape,
}

/// A history in which every claim holds, strictly.
pub fn correct(shape: Shape) -> Synthetic {
    let shape = Shape { logs: shape.logs.max(1), clients: shape.clients.max(2), ..shape };
    let mut cluster = Cluster {
        logs: vec![Vec::new(); shape.logs as usize],
        history: History::default(),
        rng: Rng::new(shape.seed),
        shape,
    };
    cluster.history.names.logs = (0..shape.logs).map(|log| format!("log-{log}")).collect();
    cluster.history.ops.reserve(shape.ops + 16);
    let clients = cluster.clients();
    let end = cluster.load(clients);
    cluster.drain(end + 1);
    let replicas = cluster.replicas();
    Synthetic { history: cluster.history, replicas }
}

impl Cluster {
    fn process(&mut self, name: String, role: Role, writer: Option<WriterId>) -> ProcessId {
        let processes = &mut self.history.names.processes;
        processes.push(ProcessName { name, role, writer });
        ProcessId(processes.len() as u32 - 1)
    }

    fn clients(&mut self) -> Vec<Client> {
        let mut clients = Vec::new();
        for n in 0..self.shape.clients {
            let (name, role, writer) = match n % 4 {
                0 | 2 => (format!("producer-{n}"), Role::Producer, Some(WriterId(n))),
                1 if n / 4 < self.shape.logs => (format!("consumer-{n}"), Role::Consumer, None),
                _ => (format!("sampler-{n}"), Role::Sampler, None),
            };
            let process = self.process(name, role, writer);
            let log = LogId(n / 4 % self.shape.logs);
            clients.push(Client {
                process,
                writer,
                log,
                position: 0,
                sequence: 0,
                invoked: 1 + self.rng.below(DELAY_NS_MAX),
            });
        }
        clients
    }

    /// Effects happen in the order of the heap; every operation's effect lies between its invocation and its reply.
    fn load(&mut self, mut clients: Vec<Client>) -> u64 {
        let mut heap = BinaryHeap::new();
        for (n, client) in clients.iter().enumerate() {
            heap.push(Reverse((client.invoked + 1 + self.rng.below(DELAY_NS_MAX), n)));
        }
        let mut end = 0;
        while self.history.ops.len() < self.shape.ops {
            let Some(Reverse((now, n))) = heap.pop() else { break };
            let client = &mut clients[n];
            let returned = now + 1 + self.rng.below(DELAY_NS_MAX);
            end = end.max(returned);
            match client.writer {
                Some(writer) => self.append(client, writer, returned),
                None => self.ask(client, returned),
            }
            let pipelined = client.writer.is_some() && self.rng.below(2) == 0;
            client.invoked =
                if pipelined { client.invoked + 1 } else { returned + 1 } + self.rng.below(DELAY_NS_MAX / 50);
            heap.push(Reverse((now.max(client.invoked) + 1 + self.rng.below(DELAY_NS_MAX), n)));
        }
        end
    }

    fn append(&mut self, client: &mut Client, writer: WriterId, returned: u64) {
        let log = LogId(self.rng.below(u64::from(self.shape.logs)) as u32);
        let value = Value::new(writer, client.sequence);
        client.sequence += 1;
        let op = Op::invoke(Kind::Append, client.process, log, Nanos(client.invoked)).with_detail(value.0);
        let unknown = self.rng.below(1000) < u64::from(self.shape.unknown_per_mille);
        let held = &mut self.logs[log.0 as usize];
        let offset = Offset(held.len() as i64);
        if !unknown || self.rng.below(2) == 0 {
            held.push(value);
        }
        self.history.ops.push(if unknown { op } else { op.complete(Outcome::Ok, Nanos(returned), offset) });
    }

    fn ask(&mut self, client: &mut Client, returned: u64) {
        let consumer = self.history.names.role(client.process) == Role::Consumer;
        let held = &self.logs[client.log.0 as usize];
        let op = |kind| Op::invoke(kind, client.process, client.log, Nanos(client.invoked));
        let most = u64::from(self.shape.records_max) * if consumer { POLL_FACTOR } else { 1 };
        let count = 1 + self.rng.below(most) as usize;
        if consumer {
            let (from, to) = (client.position, held.len().min(client.position + count));
            client.position = to;
            let op = op(Kind::Poll).complete(Outcome::Ok, Nanos(returned), Offset(from as i64));
            push_read(&mut self.history, op, from, &held[from..to]);
        } else if self.rng.below(5) == 0 {
            self.history.ops.push(op(Kind::EndOffset).complete(
                Outcome::Ok,
                Nanos(returned),
                Offset(held.len() as i64),
            ));
        } else {
            let from = held.len().saturating_sub(self.rng.below(12) as usize);
            let to = held.len().min(from + count);
            let op = op(Kind::Fetch).complete(Outcome::Ok, Nanos(returned), Offset(from as i64));
            push_read(&mut self.history, op, from, &held[from..to]);
        }
    }

    fn drain(&mut self, from: u64) {
        let process = self.process("drain".into(), Role::Drain, None);
        let mut now = from;
        let mut step = |kind, log, answer: i64| {
            now += 2;
            Op::invoke(kind, process, log, Nanos(now)).complete(Outcome::Ok, Nanos(now + 1), Offset(answer))
        };
        for (n, held) in self.logs.iter().enumerate() {
            let log = LogId(n as u32);
            self.history.ops.push(step(Kind::LogStart, log, 0));
            self.history.ops.push(step(Kind::EndOffset, log, held.len() as i64));
            for (window, values) in held.chunks(DRAIN_RECORDS).enumerate() {
                let at = window * DRAIN_RECORDS;
                push_read(&mut self.history, step(Kind::Fetch, log, at as i64), at, values);
            }
        }
    }

    fn replicas(&self) -> Vec<ReplicaLog> {
        let mut replicas = Vec::new();
        for (n, held) in self.logs.iter().enumerate() {
            let record = |(i, value): (usize, &Value)| ReplicaRecord {
                offset: Offset(i as i64),
                value: *value,
                epoch: LeaderEpoch(0),
            };
            let records: Vec<ReplicaRecord> = held.iter().enumerate().map(record).collect();
            replicas.extend((0..self.shape.replicas).map(|node| ReplicaLog {
                repeats: Vec::new(),
                node: NodeId(node as i32 + 1),
                log: LogId(n as u32),
                start: Offset(0),
                end: Offset(held.len() as i64),
                high_watermark: Some(Offset(held.len() as i64)),
                epochs: Vec::new(),
                records: records.clone(),
            }));
        }
        replicas
    }
}

fn push_read(history: &mut History, op: Op, from: usize, values: &[Value]) {
    let start = history.records.len();
    let record = |(i, value): (usize, &Value)| Record { offset: Offset((from + i) as i64), value: *value };
    history.records.extend(values.iter().enumerate().map(record));
    history.ops.push(op.with_records(start, values.len()));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::{Contract, Promises, Status};
    use crate::judge::{ClaimResult, Finding, judge};

    #[test]
    fn a_seed_gives_the_same_history_and_another_one_another() {
        assert_eq!(correct(Shape::small(1)), correct(Shape::small(1)));
        assert_ne!(correct(Shape::small(1)), correct(Shape::small(2)));
    }

    #[test]
    fn every_claim_holds_in_a_correct_history() {
        for seed in 0..500 {
            let ops = if seed % 2 == 0 { 60 } else { 400 };
            let made = correct(Shape { ops, ..Shape::small(seed) });
            let judgement = judge(&made.history, &made.replicas, &Contract::durable(), &Promises::strict());
            assert!(judgement.anomalies.is_empty(), "seed {seed}: {:#?}", judgement.anomalies);
            let in_scope = |c: &&ClaimResult| !matches!(c.status, Status::OutOfScope { .. });
            for claim in judgement.claims.iter().filter(|_| ops == 400).filter(in_scope) {
                assert_eq!(claim.verdict, Finding::Held, "seed {seed}: {}", claim.claim);
            }
        }
    }
}
