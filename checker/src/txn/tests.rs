//! Each anomaly beside its near-miss; cycles against brute force.

use super::{
    Because, CycleKind, CycleShape, Dependency, Extent, Finding, FindingKind, MicroOp, Place, PositionRead, Status,
    Transaction, View, gather, judge,
};
use history::{LogId, Names, Nanos, Offset, ProcessId, Record, Value, WriterId};

mod brute;
mod visible;

fn value(n: u64) -> Value {
    Value::new(WriterId(1), n)
}

fn append(log: u32, n: u64, offset: i64) -> MicroOp {
    let place = if offset >= 0 { Place::At(Offset(offset)) } else { Place::Untold };
    MicroOp::Append { log: LogId(log), value: value(n), place }
}

fn read(log: u32, from: i64, records: &[(i64, u64)], extent: Extent) -> MicroOp {
    let records = records.iter().map(|(o, n)| Record { offset: Offset(*o), value: value(*n) }).collect();
    MicroOp::Read { log: LogId(log), from: Offset(from), records, extent, view: View::Committed }
}

fn store(offset: i64) -> MicroOp {
    MicroOp::Position { group: 1, log: LogId(9), offset: Offset(offset) }
}

fn txn(status: Status, invoked: u64, returned: impl Into<Option<u64>>, ops: Vec<MicroOp>) -> Transaction {
    let returned = returned.into().map(Nanos);
    Transaction { id: invoked, process: ProcessId(0), invoked: Nanos(invoked), returned, status, ops }
}

fn ok(invoked: u64, returned: u64, ops: Vec<MicroOp>) -> Transaction {
    txn(Status::Committed, invoked, returned, ops)
}

fn position(offset: i64, invoked: u64) -> PositionRead {
    let (invoked, returned) = (Nanos(invoked), Nanos(invoked + 1));
    PositionRead { group: 1, log: LogId(9), offset: Offset(offset), invoked, returned }
}

fn found(transactions: &[Transaction], positions: &[PositionRead]) -> Vec<&'static str> {
    let report = judge(transactions, positions, &Names::default());
    report.findings.iter().map(|f| f.kind.name()).collect()
}

/// What is found in all of `transactions`, and that nothing is once `innocent` stands in place of the last.
fn assert_pair(transactions: &[Transaction], names: &[&str], innocent: Transaction) {
    assert_eq!(found(transactions, &[]), names);
    let mut other = transactions.to_vec();
    if let Some(last) = other.last_mut() {
        *last = innocent;
    }
    assert_eq!(found(&other, &[]), [""; 0]);
}

use Extent::{Some as Part, Tail, Window};
use Status::{Aborted, Unknown};

#[test]
fn an_aborted_record_that_is_read_is_g1a_and_one_of_unknown_fate_is_not() {
    let reader = ok(2, 3, vec![read(0, 0, &[(0, 1)], Part)]);
    assert_eq!(found(&[reader.clone(), txn(Aborted, 0, 1, vec![append(0, 1, 0)])], &[]), ["aborted-read"]);
    assert_eq!(found(&[reader, txn(Unknown, 0, 1, vec![append(0, 1, 0)])], &[]), [""; 0]);
}

#[test]
fn a_complete_read_that_ends_within_a_transaction_is_g1b() {
    let writer = ok(0, 1, vec![append(0, 1, 0), append(0, 2, 1)]);
    let reader = |records: &[(i64, u64)], extent| ok(0, 3, vec![read(0, 0, records, extent)]);
    let twice = [writer.clone(), reader(&[(0, 1), (1, 2)], Part), reader(&[(0, 1)], Tail)];
    assert_pair(&twice, &["G-single", "intermediate-read"], reader(&[(0, 1)], Part));
    let holed = [writer, reader(&[(0, 1), (1, 2)], Part), reader(&[(0, 1), (2, 9)], Window)];
    assert_pair(&holed, &["intermediate-read"], reader(&[(0, 1), (1, 2)], Window));
}

#[test]
fn a_transaction_that_reads_what_it_has_not_committed_is_named() {
    let reads_own = |n: i64| ok(2, 3, vec![append(0, 2, 1), read(0, n - 1, &[(n - 1, n as u64)], Part)]);
    assert_pair(&[ok(0, 1, vec![append(0, 1, 0)]), reads_own(2)], &["own-uncommitted-read"], reads_own(1));
}

#[test]
fn a_transaction_visible_in_part_is_torn_once_the_rest_is_known_to_be_absent() {
    let writer = |offset| ok(0, 1, vec![append(0, 1, 0), append(1, 2, offset)]);
    let other = ok(0, 1, vec![append(1, 3, 6)]);
    let reader = |op| ok(2, 3, vec![read(0, 0, &[(0, 1)], Window), op]);
    let passed = read(1, 5, &[(6, 3)], Window);
    assert_pair(
        &[writer(5), other.clone(), reader(passed)],
        &["torn-transaction"],
        reader(read(1, 6, &[(6, 3)], Window)),
    );
    let ended = |from| read(1, from, &[], Tail);
    let torn = [writer(5), other.clone(), reader(ended(5))];
    assert!(found(&torn, &[]).contains(&"torn-transaction"));
    let untold = |from| [writer(-1), reader(read(1, from, &[], Tail))];
    assert_eq!(found(&untold(0), &[]), ["torn-transaction"]);
    assert_eq!(found(&untold(1), &[]), [""; 0], "nobody knows where the log starts");
    let untold = [writer(-1), other, reader(read(1, 0, &[(6, 3)], Tail))];
    assert_eq!(found(&untold, &[]), ["torn-transaction"]);
}

#[test]
fn a_record_written_after_its_transaction_ended_is_a_zombies() {
    let seen = ok(0, 90, vec![read(0, 0, &[(7, 2), (8, 1)], Part)]);
    let newer = |invoked| ok(invoked, 20, vec![append(0, 2, 7)]);
    let names = ["aborted-read", "zombie-write"];
    let old = txn(Aborted, 0, 5, vec![append(0, 1, -1)]);
    assert_eq!(found(&[old.clone(), seen.clone(), newer(6)], &[]), names);
    assert_eq!(found(&[old, seen, newer(5)], &[]), ["aborted-read"]);
}

#[test]
fn a_position_of_an_aborted_transaction_is_named_and_an_overwritten_one_is_not() {
    let aborted = txn(Aborted, 0, 1, vec![store(5), append(0, 1, -1)]);
    assert_eq!(found(std::slice::from_ref(&aborted), &[position(5, 2)]), ["position-without-transaction"]);
    assert_eq!(found(&[aborted, ok(0, 1, vec![store(5)])], &[position(5, 2)]), [""; 0]);
}

#[test]
fn a_position_whose_transaction_left_no_records_is_named() {
    let half = |offset| [txn(Unknown, 0, 1, vec![store(5), append(0, 1, offset)]), ok(0, 1, vec![append(0, 2, 1)])];
    let drained = ok(8, 9, vec![read(0, 0, &[(1, 2)], Window)]);
    let [a, b] = half(0);
    assert_eq!(found(&[a, b, drained.clone()], &[position(5, 2)]), ["position-without-transaction"]);
    let [a, b] = half(2);
    assert_eq!(found(&[a, b, drained], &[position(5, 2)]), [""; 0]);
}

#[test]
fn a_transaction_whose_position_was_not_stored_is_named() {
    let before = ok(0, 1, vec![store(3)]);
    let after = |invoked| ok(invoked, 5, vec![store(5), append(0, 1, 0)]);
    assert_eq!(found(&[before.clone(), after(2)], &[position(3, 9)]), ["transaction-without-position"]);
    assert_eq!(found(&[before.clone(), after(1)], &[position(3, 9)]), [""; 0], "they were concurrent");
    assert_eq!(found(&[before.clone(), after(2)], &[position(3, 5)]), [""; 0], "the read was concurrent");
    assert_eq!(found(&[before, after(2)], &[position(7, 9)]), [""; 0], "somebody else's");
    assert_eq!(found(&[after(2)], &[position(-1, 9)]), ["transaction-without-position"]);
}

fn shapes(transactions: &[Transaction]) -> Vec<CycleShape> {
    let report = judge(transactions, &[], &Names::default());
    let shape = |f: &Finding| if let FindingKind::Cycle(shape) = f.kind { Some(shape) } else { None };
    report.findings.iter().filter_map(shape).collect()
}

fn shape(kind: CycleKind, realtime: bool, ww: bool) -> CycleShape {
    CycleShape { kind, realtime, ww }
}

#[test]
fn writes_that_interleave_are_g0_and_writes_that_do_not_are_not() {
    let pair = |a: i64, b: i64| {
        let one = ok(0, 9, vec![append(0, 1, 0), append(0, 2, b)]);
        [one, ok(0, 9, vec![append(0, 3, a)])]
    };
    assert_eq!(shapes(&pair(1, 2)), [shape(CycleKind::G0, false, true)]);
    assert_eq!(shapes(&pair(2, 1)), []);
    let [one, other] = pair(0, 2);
    assert_eq!(shapes(&[ok(0, 1, vec![append(0, 1, 5)]), ok(2, 3, vec![append(0, 2, 4)])]).len(), 1);
    assert_eq!(shapes(&[one, other]), []);
}

#[test]
fn each_reading_the_other_is_g1c_without_the_order_of_writes() {
    let one = |n: u64, log: u32, other: u32| ok(0, 9, vec![append(log, n, 0), read(other, 0, &[(0, 3 - n)], Part)]);
    assert_eq!(shapes(&[one(1, 0, 1), one(2, 1, 0)]), [shape(CycleKind::G1c, false, false)]);
    assert_eq!(shapes(&[one(1, 0, 1), ok(0, 9, vec![append(1, 2, 0)])]), []);
}

#[test]
fn a_read_of_the_future_is_g1c_in_real_time() {
    let reader = ok(0, 1, vec![read(0, 0, &[(0, 1)], Part)]);
    assert_eq!(shapes(&[reader.clone(), ok(2, 3, vec![append(0, 1, 0)])]), [shape(CycleKind::G1c, true, false)]);
    assert_eq!(shapes(&[reader, ok(1, 3, vec![append(0, 1, 0)])]), []);
}

#[test]
fn a_stale_read_is_g_single_in_real_time() {
    let write = ok(0, 1, vec![append(0, 1, 0)]);
    assert_eq!(
        shapes(&[write.clone(), ok(2, 3, vec![read(0, 0, &[], Tail)])]),
        [shape(CycleKind::GSingle, true, false)]
    );
    assert_eq!(shapes(&[write, ok(1, 3, vec![read(0, 0, &[], Tail)])]), []);
}

#[test]
fn two_that_each_missed_the_other_are_write_skew() {
    let skew = |n: u64, log: u32, missed: u32| ok(0, 9, vec![read(missed, 0, &[], Tail), append(log, n, 0)]);
    assert_eq!(shapes(&[skew(1, 0, 1), skew(2, 1, 0)]), [shape(CycleKind::G2, false, false)]);
    assert_eq!(shapes(&[skew(1, 0, 1), ok(0, 9, vec![append(1, 2, 0)])]), []);
}

#[test]
fn a_cycle_is_told_in_words() {
    let names = Names { logs: vec!["a".into(), "b".into()], ..Names::default() };
    let one = |n: u64, log: u32, other: u32| {
        let mut t = ok(0, 9, vec![append(log, n, 0), read(other, 0, &[(0, 3 - n)], Part)]);
        (t.id, t.process) = (n, ProcessId(n as u32));
        t
    };
    let report = judge(&[one(1, 0, 1), one(2, 1, 0)], &[], &names);
    assert_eq!(
        report.findings[0].sentence,
        "no order explains this (G1c): transaction 2 of process 2 read 1.1 at offset 0 of a, which transaction 1 of \
         process 1 wrote; transaction 1 of process 1 read 1.2 at offset 0 of b, which transaction 2 of process 2 wrote"
    );
    assert!(matches!(report.findings[0].steps[0].because, Because::Wr { offset: Offset(0), .. }));
}

#[test]
fn a_history_is_gathered_into_its_transactions() {
    let text = "
        w1 begin 1 [1 2]
        w1 append/0 1.0 @0 [3 4]
        w1 append/1 1.1 ? [3 -]
        w1 commit 1 [5 6]
        w1 begin 2 [7 8]
        w1 append/0 1.2 @1 [9 10]
        w1 abort 2 [11 12]
        w2 append/0 2.0 @2 [9 10]
        w2 append/5 2.1 @0 [9 10]
        w3 begin 1 [1 2]
        w3 append/1 3.0 @3 [3 4]
        d1 fetch/0 @0 0:1.0 [20 21]
        d1 fetch/0 @1 2:2.0 [22 23]
        d1 fetch/0 @3 [24 25]
        d1 fetch/1 @0 [26 27]
    ";
    let told = crate::notation::read(text).unwrap();
    let gathered = gather(&told.history, |_| View::Committed, crate::contract::Bind::Binds);
    let statuses: Vec<Status> = gathered.transactions.iter().map(|t| t.status).collect();
    use Status::Committed;
    assert_eq!(statuses, [Committed, Aborted, Aborted, Committed, Committed, Committed]);
    let MicroOp::Read { records, extent, .. } = &gathered.transactions[4].ops[0] else { panic!("the drain") };
    assert_eq!((records.len(), *extent), (2, Tail));
    let report = judge(&gathered.transactions, &gathered.positions, &told.history.names);
    assert_eq!(report.findings.iter().map(|f| f.kind.name()).collect::<Vec<_>>(), [""; 0]);
}

#[test]
fn hostile_numbers_are_a_report() {
    let far = [i64::MAX, i64::MAX - 1, 0, 1 << 40, i64::MIN];
    let writes = far.iter().zip(0..).map(|(o, n)| ok(0, u64::MAX, vec![append(u32::MAX, n << 38, *o)]));
    let records: Vec<(i64, u64)> = far.iter().zip(0..).map(|(o, n)| (*o, n << 38)).collect();
    let reads = [Part, Window, Tail].map(|extent| ok(u64::MAX, 0, vec![read(u32::MAX, i64::MAX, &records, extent)]));
    let all: Vec<Transaction> = writes.chain(reads).collect();
    judge(&all, &[position(i64::MIN, u64::MAX - 1)], &Names::default());
    judge(&[], &[], &Names::default());
}

/// A long chain of stale reads: one component of half a million transactions, and no recursion.
#[test]
fn a_component_of_half_a_million_is_reported_within_its_budget() {
    let count = 250_000;
    let writes = (0..count).map(|n| ok(4 * n, 4 * n + 1, vec![append(0, n, n as i64)]));
    let reads = (0..count).map(|n| ok(4 * n + 2, 4 * n + 3, vec![read(0, n as i64, &[], Tail)]));
    let all: Vec<Transaction> = writes.chain(reads).collect();
    let report = super::Graph::new(&all, &[], &Names::default()).judge(3_000_000);
    assert!(!report.findings.is_empty());
}
