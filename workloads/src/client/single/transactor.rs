//! An application that appends in raw transactions: InitProducerId, AddPartitionsToTxn, Produce, EndTxn, each by itself.
//!
//! **Invariants:** a transaction's beginning, its appends and its end are journalled in that order under one process; an end
//! is journalled before it is asked for, and asked for once. After anything that leaves it open what the brokers have, the
//! application takes a new epoch, which aborts what was open and fences what is still on its way.

use super::{append, number};
use crate::client::generator::Plan;
use crate::client::status::{Counts, Tally};
use crate::client::{ClientError, Context};
use crate::clock::{self, Deadline};
use crate::journal::{Answer, Subject};
use crate::spec::{LogPlace, TransactorSpec};
use crate::wire::{Append, Cluster, Producer, Transactional};
use history::{Kind, LogId, Offset, Outcome, Value};
use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

const STEP_MS: u64 = 5_000;
const AGAIN_MS: u64 = 100;
const TIMEOUT_MS: i32 = 30_000;
const ALL: i16 = -1;

/// Runs it until the process is asked to stop.
pub fn transact(context: &Context, spec: &TransactorSpec) -> Result<Tally, ClientError> {
    let seed = context.spec.seed ^ u64::from(spec.writer.0).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mut work = Work {
        context,
        spec,
        counts: Counts::default(),
        cluster: Cluster::new(&context.spec.bootstrap, &context.spec.name),
        sequence: 0,
        number: 0,
        random: Pcg64Mcg::seed_from_u64(seed),
    };
    let plan = Plan::new(clock::now(), spec.per_second);
    while !context.stop.asked() {
        match work.epoch() {
            Some(of) => work.go_on(&of, &plan)?,
            None => _ = context.stop.wait(Deadline::in_ms(AGAIN_MS)),
        }
    }
    let sent = work.counts.sent.load(Ordering::Relaxed);
    Ok(work.counts.tally(spec.process, sent, 0))
}

/// Whether an epoch is still of use.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Then {
    GoOn,
    Renew,
}

struct Work<'a> {
    context: &'a Context,
    spec: &'a TransactorSpec,
    counts: Counts,
    cluster: Cluster,
    sequence: u64,
    number: u64,
    random: Pcg64Mcg,
}

impl Work<'_> {
    fn epoch(&mut self) -> Option<Transactional> {
        let id = self.spec.properties.get("transactional.id").cloned().unwrap_or_default();
        let timeout_ms = number(&self.spec.properties, "transaction.timeout.ms", TIMEOUT_MS);
        let begun = self.cluster.init_transactions(&id, timeout_ms, Deadline::in_ms(STEP_MS));
        begun.inspect_err(|error| self.counts.error(&error.name())).ok()
    }

    /// Transaction after transaction, until the epoch is of no more use or the process is asked to stop.
    fn go_on(&mut self, of: &Transactional, plan: &Plan) -> Result<(), ClientError> {
        let mut sequences = BTreeMap::new();
        let mut then = Then::GoOn;
        while then == Then::GoOn {
            self.number += 1;
            // One that is behind begins at once: transactions are not piled up.
            if self.context.stop.wait(Deadline(plan.due(self.number))) {
                return Ok(());
            }
            then = self.transaction(of, &mut sequences)?;
        }
        Ok(())
    }

    fn subject(&self, kind: Kind) -> Subject {
        Subject { process: self.spec.process, kind, log: LogId(0), detail: self.number }
    }

    fn transaction(&mut self, of: &Transactional, sequences: &mut BTreeMap<LogId, i32>) -> Result<Then, ClientError> {
        let context = self.context;
        context.journal.invoke(self.subject(Kind::TxnBegin), clock::now())?;
        context.journal.complete(self.subject(Kind::TxnBegin), Answer::ok(Offset::UNKNOWN))?;
        let logs = &context.spec.logs;
        let logs = &logs[..self.spec.logs.min(logs.len()).max(1)];
        let first = self.random.random_range(0..logs.len());
        let chosen: Vec<&LogPlace> = (0..self.spec.records as usize).map(|n| &logs[(first + n) % logs.len()]).collect();
        let places = chosen.iter().take(logs.len()).map(|place| (place.topic.as_str(), place.partition));
        if let Err(error) = self.cluster.add_partitions(of, places, Deadline::in_ms(STEP_MS)) {
            self.counts.error(&error.name());
            return Ok(Then::Renew);
        }
        for place in chosen {
            if self.append(of, place, sequences)? == Then::Renew {
                return Ok(Then::Renew);
            }
        }
        let aborts = self.random.random_range(0..100) < self.spec.abort_percent;
        self.end(of, !aborts)
    }

    fn append(
        &mut self,
        of: &Transactional,
        place: &LogPlace,
        sequences: &mut BTreeMap<LogId, i32>,
    ) -> Result<Then, ClientError> {
        let value = Value::new(self.spec.writer, self.sequence);
        self.sequence += 1;
        let mut payload = Vec::new();
        history::payload::encode(self.context.spec.run, place.id, value, self.spec.record_bytes, &mut payload);
        let subject = Subject { process: self.spec.process, kind: Kind::Append, log: place.id, detail: value.0 };
        self.context.journal.invoke(subject, clock::now())?;
        self.counts.sent.fetch_add(1, Ordering::Relaxed);
        let sequence = sequences.entry(place.id).or_default();
        let producer = Some(Producer { id: of.producer, epoch: of.epoch, sequence: *sequence });
        let values = [payload.as_slice()];
        let one = Append { values: &values, producer, transaction: Some(&of.id), acks: ALL, ..Append::default() };
        let answer = append(&mut self.cluster, place, one, &self.counts);
        *sequence += 1;
        self.counts.outcome(answer.outcome);
        self.context.journal.complete(subject, answer)?;
        Ok(if answer.outcome == Outcome::Ok { Then::GoOn } else { Then::Renew })
    }

    /// Asks for the transaction's end, once.
    fn end(&mut self, of: &Transactional, commits: bool) -> Result<Then, ClientError> {
        let subject = self.subject(if commits { Kind::TxnCommit } else { Kind::TxnAbort });
        self.context.journal.invoke(subject, clock::now())?;
        let ended = self.cluster.end_transaction_once(of, commits, Deadline::in_ms(STEP_MS));
        let answer = match &ended {
            Ok(()) => Answer::ok(Offset::UNKNOWN),
            Err(error) => {
                self.counts.error(&error.name());
                Answer::error(Outcome::Unknown, error.code())
            }
        };
        self.counts.outcome(answer.outcome);
        self.context.journal.complete(subject, answer)?;
        Ok(if ended.is_ok() { Then::GoOn } else { Then::Renew })
    }
}
