//! The claims that no single log can be asked for: transactions and groups.
//!
//! **Invariant:** where there was nothing to judge a claim by, or the judge failed, it is said so and never held.

use crate::anomaly::AnomalyKind;
use crate::claim::Claim;
use crate::claims::Instance;
use crate::contract::{Contract, Promises, Status};
use crate::groups::{self, Delivery, Guarantee};
use crate::source::Source;
use crate::txn;
use history::LogId;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What was found beyond single logs.
pub(crate) struct Beyond {
    pub(crate) found: Vec<(LogId, AnomalyKind, Instance)>,
    transactions: Option<txn::Answers>,
    groups: Option<groups::Answers>,
}

const OF_TRANSACTIONS: [Claim; 5] =
    [Claim::AtomicTxn, Claim::NoOwnUncommittedRead, Claim::TxnCycles, Claim::TxnSerializable, Claim::ContiguousSends];
const OF_GROUPS: [Claim; 5] = [
    Claim::CommittedOffsetMonotonic,
    Claim::GroupAtLeastOnce,
    Claim::GroupAtMostOnce,
    Claim::OneOwner,
    Claim::GenerationFenced,
];

/// Judges what of it is in scope.
pub(crate) fn judge(source: &dyn Source, contract: &Contract, promises: &Promises) -> Beyond {
    let in_scope = |claim: &Claim| !matches!(contract.status(*claim), Status::OutOfScope { .. });
    let wanted = |claims: &[Claim]| claims.iter().any(in_scope);
    let transactions = wanted(&OF_TRANSACTIONS).then(|| guarded(|| txn::anomalies(source, promises)));
    let groups = wanted(&OF_GROUPS).then(|| guarded(|| groups::anomalies(source)));
    let (mut transactions, mut groups) = (transactions.flatten(), groups.flatten());
    let mut found = transactions.as_mut().map(|t| std::mem::take(&mut t.found)).unwrap_or_default();
    found.extend(groups.as_mut().map(|g| std::mem::take(&mut g.found)).unwrap_or_default());
    found.retain(|(_, kind, _)| in_scope(&kind.definition().claim));
    Beyond { found, transactions, groups }
}

/// A judge that fails has no answer.
fn guarded<T>(judge: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(judge)).ok()
}

impl Beyond {
    /// What each group was delivered of each log.
    pub(crate) fn deliveries(&self) -> &[Delivery] {
        self.groups.as_ref().map_or(&[], |groups| &groups.deliveries)
    }

    /// What is missing to judge `claim` by, if anything.
    pub(crate) fn missing(&self, claim: Claim) -> Option<String> {
        const FAILED: &str = "the checker failed on this part of the history";
        let unless = |has: bool, why: &str| (!has).then(|| why.to_owned());
        match (OF_TRANSACTIONS.contains(&claim), &self.transactions, &self.groups) {
            (true, Some(t), _) => unless(t.happened > 0, "no transaction was committed")
                .or_else(|| unless(!t.budget_spent, "the budget for the search of cycles was spent")),
            (false, _, Some(g)) => match claim {
                Claim::CommittedOffsetMonotonic => unless(g.stored, "no position was stored"),
                Claim::OneOwner | Claim::GenerationFenced => unless(g.assigned, "no member was given a log"),
                _ => unless(
                    g.deliveries.iter().any(|d| d.guarantee != Guarantee::Nothing),
                    "no group was handed a record",
                ),
            },
            _ => Some(FAILED.to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use history::{History, Kind, Nanos, Offset, Op, Outcome, ProcessId, Record, Value, WriterId};
    use rand::{Rng, SeedableRng};
    use rand_pcg::Pcg64Mcg;

    fn any_op(dice: &mut Pcg64Mcg) -> Op {
        let kind = Kind::ALL[dice.random_range(0..Kind::ALL.len())];
        let (call, took) = (dice.random_range(0..100u64), dice.random_range(0..20));
        let log = LogId([0, 0, 1, u32::MAX][dice.random_range(0..4)]);
        let op = Op::invoke(kind, ProcessId(dice.random_range(0..4)), log, Nanos(call));
        let outcome = [Outcome::Ok, Outcome::Ok, Outcome::Fail, Outcome::Unknown][dice.random_range(0..4)];
        let returned = if dice.random_bool(0.9) { Nanos(call + took) } else { Nanos::NEVER };
        let far = [i64::MIN, i64::MAX, -1, 1 << 40][dice.random_range(0..4)];
        let offset = if dice.random_bool(0.9) { dice.random_range(0..8) } else { far };
        let op = op.complete(outcome, returned, Offset(offset));
        match kind {
            Kind::Append => op.with_detail(any_value(dice).0),
            _ => op.with_group(dice.random_range(0..2), dice.random_range(0..4)),
        }
    }

    fn any_value(dice: &mut Pcg64Mcg) -> Value {
        let reserved = [Value::CORRUPT, Value::FOREIGN, Value::MARKER, Value(u64::MAX)][dice.random_range(0..4)];
        let ordinary = Value::new(WriterId(dice.random_range(0..2)), dice.random_range(0..6));
        if dice.random_bool(0.95) { ordinary } else { reserved }
    }

    #[test]
    fn any_history_at_all_is_judged_without_failing() {
        let mut dice = Pcg64Mcg::seed_from_u64(1);
        let contract = Claim::ALL.into_iter().fold(Contract::durable(), Contract::forbid);
        for _ in 0..20_000 {
            let mut history = History::default();
            for _ in 0..dice.random_range(1..40) {
                let op = any_op(&mut dice);
                match op.kind().reads_records() {
                    true => {
                        let count = dice.random_range(0..4);
                        let from = op.offset.0;
                        let offset = |at: i64| Offset(from.saturating_add(at));
                        let records: Vec<Record> =
                            (0..count).map(|at| Record { offset: offset(at), value: any_value(&mut dice) }).collect();
                        history.push_read(op, &records);
                    }
                    false => history.ops.push(op),
                }
            }
            let beyond = judge(&history, &contract, &Promises::strict());
            assert!(beyond.transactions.is_some() && beyond.groups.is_some(), "{history:?}");
        }
    }
}
