//! Zones against brute force, and each violation beside its near-miss.

use super::{Access, Action, Span, Violation, check};
use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;

fn write(value: u64, call: u64, ret: impl Into<Option<u64>>) -> Access {
    Access { action: Action::Write, value, call, ret: ret.into() }
}

fn read(value: u64, call: u64, ret: u64) -> Access {
    Access { action: Action::Read, value, call, ret: Some(ret) }
}

#[test]
fn a_value_that_came_back_is_named_with_the_one_in_between() {
    let ops = [write(1, 0, 1), write(2, 2, 3), read(1, 4, 5)];
    let value = Span { early: Some(0), late: Some(2) };
    let other = Span { early: Some(1), late: Some(1) };
    assert_eq!(check(&ops, None), [Violation::Returned { value, other }]);
    assert_eq!(check(&ops, None)[0].accesses(), [0, 1, 2]);
    assert_eq!(check(&[write(1, 0, 1), write(2, 2, 4), read(1, 4, 5)], None), []);
}

#[test]
fn two_values_each_seen_after_the_other_are_four_accesses() {
    let ops = [write(1, 0, 5), write(2, 0, 5), read(1, 6, 7), read(2, 6, 7), read(1, 8, 9), read(2, 8, 9)];
    assert_eq!(check(&ops, None).len(), 1);
    assert_eq!(check(&[ops[0], ops[1], ops[2], ops[4]], None), []);
}

#[test]
fn a_read_of_what_nobody_wrote_is_named_unless_it_was_there_at_first() {
    assert_eq!(check(&[read(7, 0, 1)], None), [Violation::NeverWritten { read: 0 }]);
    assert_eq!(check(&[read(7, 0, 1)], Some(7)), []);
    let ops = [write(1, 0, 1), read(7, 2, 3)];
    let (value, other) = (Span { early: None, late: Some(1) }, Span { early: Some(0), late: Some(0) });
    assert_eq!(check(&ops, Some(7)), [Violation::Returned { value, other }]);
}

#[test]
fn a_read_before_its_write_is_named_and_a_concurrent_one_is_not() {
    assert_eq!(check(&[read(1, 0, 1), write(1, 2, 3)], None), [Violation::ReadBeforeWrite { read: 0, write: 1 }]);
    assert_eq!(check(&[read(1, 0, 2), write(1, 2, 3)], None), []);
}

#[test]
fn a_write_without_a_reply_happened_or_did_not() {
    assert_eq!(check(&[write(1, 0, 1), write(2, 2, None), read(1, 9, 10)], None), []);
    assert_eq!(check(&[write(1, 0, 1), write(2, 2, None), read(2, 9, 10)], None), []);
    assert_eq!(check(&[write(1, 0, 1), write(2, 2, None), read(2, 5, 6), read(1, 9, 10)], None).len(), 1);
}

#[test]
fn a_value_written_twice_is_not_judged() {
    let ops = [write(1, 0, 1), write(1, 2, 3), read(1, 4, 5)];
    assert_eq!(check(&ops, None), [Violation::WrittenTwice { first: 0, second: 1 }]);
}

/// The definition, tried out.
fn brute(ops: &[Access], done: u32, value: u64) -> bool {
    let open = || (0..ops.len()).filter(|at| done >> at & 1 == 0);
    let Some(first) = open().filter_map(|at| ops[at].ret).min() else { return true };
    open().filter(|at| ops[*at].call <= first).any(|at| match ops[at].action {
        Action::Write => brute(ops, done | 1 << at, ops[at].value),
        Action::Read => ops[at].value == value && brute(ops, done | 1 << at, value),
    })
}

fn sample(dice: &mut Pcg64Mcg) -> Vec<Access> {
    let count = dice.random_range(2..8usize);
    let mut times: Vec<u64> = (0..2 * count).map(|_| dice.random_range(0..3 * count as u64)).collect();
    times.sort_unstable();
    (1..times.len()).for_each(|i| times.swap(i, i - dice.random_range(0..i.min(5) + 1)));
    let mut written = 0;
    let mut ops: Vec<Access> = Vec::new();
    for pair in times.chunks(2) {
        let (call, ret) = (pair[0].min(pair[1]), pair[0].max(pair[1]));
        ops.push(match dice.random_bool(0.5) {
            true => {
                written += 1;
                write(written, call, dice.random_bool(0.75).then_some(ret))
            }
            false => read(0, call, ret),
        });
    }
    for op in ops.iter_mut().filter(|op| op.action == Action::Read) {
        let strange = u64::from(dice.random_bool(0.05));
        op.value = dice.random_range(0..=written + strange);
    }
    ops
}

#[test]
fn zones_judge_as_by_brute_force() {
    let histories = std::env::var("STORMGLASS_HISTORIES").ok().and_then(|n| n.parse().ok()).unwrap_or(20_000u64);
    let mut dice = Pcg64Mcg::seed_from_u64(1);
    let mut verdicts = [0u64; 2];
    for _ in 0..histories {
        let ops = sample(&mut dice);
        let (expected, violations) = (brute(&ops, 0, 0), check(&ops, Some(0)));
        assert_eq!(violations.is_empty(), expected, "{ops:?} {violations:?}");
        verdicts[usize::from(expected)] += 1;
        for violation in violations {
            assert!(contradicts_itself(&ops, &violation), "{ops:?} {violation:?}");
        }
    }
    assert!(verdicts.iter().all(|n| *n > histories / 10), "one-sided sample: {verdicts:?}");
}

/// That the named accesses suffice: with the writes of their values, they alone cannot be put in order.
fn contradicts_itself(ops: &[Access], violation: &Violation) -> bool {
    let named = violation.accesses();
    let writes = ops.iter().filter(|op| op.action == Action::Write);
    let needed = writes.filter(|write| named.iter().any(|at| ops[*at].value == write.value));
    let mut part: Vec<Access> = named.iter().map(|at| ops[*at]).filter(|op| op.action == Action::Read).collect();
    part.extend(
        needed.map(|write| Access { ret: write.ret.filter(|_| named.iter().any(|at| ops[*at] == *write)), ..*write }),
    );
    !brute(&part, 0, 0)
}

#[test]
fn a_million_accesses_with_extreme_times_are_judged() {
    let mut ops: Vec<Access> = (0..500_000u64).map(|i| write(i + 1, 4 * i, 4 * i + 1)).collect();
    ops.extend((0..500_000u64).map(|i| read(i + 1, 4 * i + 2, 4 * i + 3)));
    ops.push(write(u64::MAX, u64::MAX, u64::MAX));
    assert_eq!(check(&ops, Some(0)), []);
    ops.push(read(1, u64::MAX, 0));
    assert_eq!(check(&ops, Some(0)).len(), 499_999);
}
