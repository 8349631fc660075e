//! The last stable offset stands at a record whose transaction has ended: everything behind it is hidden from readers of committed
//! data, and nobody is going to change that.
//!
//! ```text
//! T1  append x @4, commit acknowledged   drain: stable 4 … stable 4, end 9     caught
//! T1  append x @4, and no end to it      drain: stable 4 … stable 4, end 9     innocent: it may be open
//! ```
//! Only what a drain was told counts, for by then everything is healed; markers are written soon after the decision, not with it, so
//! that it must have stood for a while.

use super::build::Gathered;
use super::finding::{Finding, FindingKind};
use super::stall::{Answers, answers};
use super::transaction::{MicroOp, Place, Status};
use history::{History, Kind, LogId, Offset, Role};

/// One finding for each log whose last stable offset stood for longer than `ended_ns_max`, as drains were told last, where a record of
/// a transaction stands that had surely ended before.
pub fn withheld(gathered: &Gathered, asked: &History, ended_ns_max: u64) -> Vec<Finding> {
    let logs = answers(asked, |op| asked.names.role(op.process()) == Role::Drain);
    logs.into_iter().filter_map(|(log, told)| in_log(gathered, asked, (log, &told), ended_ns_max)).collect()
}

fn in_log(gathered: &Gathered, asked: &History, (log, told): (LogId, &Answers), ended_ns_max: u64) -> Option<Finding> {
    let last = *told.stable.last()?;
    let stretch = told.stable.iter().rev().take_while(|op| op.offset == last.offset);
    let first = stretch.last()?;
    let beyond = told.ends.iter().find(|op| op.offset > last.offset)?;
    let stood = last.invoked.since(first.returned);
    let holder = holder(gathered, log, last.offset)?;
    let ended = gathered.transactions[holder].returned.filter(|returned| *returned <= first.invoked)?;
    if stood <= ended_ns_max || gathered.transactions[holder].status == Status::Unknown {
        return None;
    }
    let sentence = format!(
        "the last stable offset of {} still stood at {} after {:.3} s with nothing broken, while the log reached {}; the transaction \
         whose record stands there had ended {:.3} s before",
        asked.names.log(log),
        last.offset.0,
        stood as f64 / 1e9,
        beyond.offset.0,
        last.invoked.since(ended) as f64 / 1e9,
    );
    let found = Finding::new(FindingKind::StableEndStalled, vec![holder], sentence);
    let answers = vec![*first, *beyond, last];
    Some(Finding { answers, ..found.at(log, Some(last.offset), Vec::new()) })
}

/// The transaction, of those that were begun, whose record stands there.
fn holder(gathered: &Gathered, log: LogId, at: Offset) -> Option<usize> {
    let begun = |txn: &usize| gathered.evidence[*txn].0.kind() == Kind::TxnBegin;
    let appends = |op: &MicroOp| matches!(op, MicroOp::Append { log: of, place: Place::At(place), .. } if (*of, *place) == (log, at));
    let transactions = || gathered.transactions.iter().enumerate();
    let told = transactions().filter(|(txn, _)| begun(txn)).find(|(_, t)| t.ops.iter().any(appends));
    if let Some((txn, _)) = told {
        return Some(txn);
    }
    let read = transactions().flat_map(|(_, t)| &t.ops).find_map(|op| match op {
        MicroOp::Read { log: of, records, .. } if *of == log => records.iter().find(|record| record.offset == at),
        _ => None,
    })?;
    let wrote =
        |op: &MicroOp| matches!(op, MicroOp::Append { log: of, value, .. } if (*of, *value) == (log, read.value));
    transactions().filter(|(txn, _)| begun(txn)).find(|(_, t)| t.ops.iter().any(wrote)).map(|(txn, _)| txn)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::Bind;
    use crate::notation::read;
    use crate::source::extract;
    use crate::txn::{View, gather};

    fn found(text: &str) -> usize {
        let read = read(text).unwrap();
        let gathered = gather(&read.history, |_| View::Everything, Bind::Free);
        let asked = extract(&read.history, |op| matches!(op.kind(), Kind::StableEnd | Kind::EndOffset));
        withheld(&gathered, &asked, 50).len()
    }

    const STOOD: &str = "d1 end 3 [20 21]\nd1 stable 0 [22 23]\nd1 stable 0 [100 101]";

    fn after(transaction: &str) -> usize {
        found(&format!("w1 begin 1 [0 1]\nw1 append 1.0 @0 [2 3]\n{transaction}\n{STOOD}"))
    }

    #[test]
    fn a_stable_end_that_stands_at_a_record_of_an_ended_transaction_hides_what_is_behind_it() {
        assert_eq!(after("w1 commit 1 [4 5]"), 1);
        assert_eq!(after("w1 abort 1 [4 5]"), 1);
    }

    #[test]
    fn a_transaction_that_may_be_open_or_ended_only_just_may_hold_it() {
        assert_eq!(after("w1 commit 1 ? [4 5]"), 0);
        assert_eq!(after("w1 abort 1 ? [4 5]"), 0);
        assert_eq!(after(""), 0);
        assert_eq!(after("w1 commit 1 [4 60]"), 0);
    }

    #[test]
    fn one_that_moves_or_that_nobody_but_a_sampler_was_told_is_none() {
        let ended = "w1 begin 1 [0 1]\nw1 append 1.0 @0 [2 3]\nw1 commit 1 [4 5]\n";
        assert_eq!(found(&format!("{ended}d1 end 3 [20 21]\nd1 stable 0 [22 23]\nd1 stable 3 [100 101]")), 0);
        assert_eq!(found(&format!("{ended}d1 end 3 [20 21]\nd1 stable 0 [22 23]\nd1 stable 0 [60 61]")), 0);
        assert_eq!(found(&format!("{ended}s1 end 3 [20 21]\ns1 stable 0 [22 23]\ns1 stable 0 [100 101]")), 0);
    }
}
