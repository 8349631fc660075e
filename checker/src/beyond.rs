//! The claims that no single log can be asked for: transactions and groups.
//!
//! **Invariant:** where there was nothing to judge a claim by, or the judge failed, it is said so and never held.

use crate::anomaly::AnomalyKind;
use crate::claim::Claim;
use crate::claims::Instance;
use crate::contract::{Contract, Promises, Status};
use crate::source::Source;
use crate::{groups, txn};
use history::LogId;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What was found beyond single logs.
pub(crate) struct Beyond {
    pub(crate) found: Vec<(LogId, AnomalyKind, Instance)>,
    transactions: Option<txn::Answers>,
    groups: Option<groups::Answers>,
}

const OF_TRANSACTIONS: [Claim; 4] =
    [Claim::AtomicTxn, Claim::NoOwnUncommittedRead, Claim::TxnCycles, Claim::TxnSerializable];
const OF_GROUPS: [Claim; 4] =
    [Claim::CommittedOffsetMonotonic, Claim::GroupAtLeastOnce, Claim::GroupAtMostOnce, Claim::OneOwner];

/// Judges what of it is in scope.
pub(crate) fn judge(source: &dyn Source, contract: &Contract, promises: &Promises) -> Beyond {
    let in_scope = |claim: &Claim| !matches!(contract.status(*claim), Status::OutOfScope { .. });
    let wanted = |claims: &[Claim]| claims.iter().any(in_scope);
    let transactions = wanted(&OF_TRANSACTIONS).then(|| guarded(|| txn::anomalies(source, promises.empty_fetches)));
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
    /// What is missing to judge `claim` by, if anything.
    pub(crate) fn missing(&self, claim: Claim) -> Option<String> {
        const FAILED: &str = "the checker failed on this part of the history";
        let unless = |has: bool, why: &str| (!has).then(|| why.to_owned());
        match (OF_TRANSACTIONS.contains(&claim), &self.transactions, &self.groups) {
            (true, Some(t), _) => unless(t.happened > 0, "no transaction was committed")
                .or_else(|| unless(!t.budget_spent, "the budget for the search of cycles was spent")),
            (false, _, Some(g)) => match claim {
                Claim::CommittedOffsetMonotonic => unless(g.stored, "no position was stored"),
                Claim::OneOwner => unless(g.assigned, "no member was given a log"),
                _ => unless(g.delivered, "no group was handed a record"),
            },
            _ => Some(FAILED.to_owned()),
        }
    }
}
