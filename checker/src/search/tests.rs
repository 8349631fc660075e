//! The search against brute force, on small random histories of every model; and the shapes that once fooled a search.

use super::models::{cas_register, key_value, lock, log, multi_register, queue, register, set};
use super::{Budget, Limit, Model, Operation, Partition, Refutation, Verdict, check, longest_prefix};
use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;
use std::collections::HashSet;

mod samples;
use samples::Sample;

type History<M> = Vec<Operation<<M as Model>::Input, <M as Model>::Output>>;

/// A history that is right but for a wrong answer now and then.
fn sample<M: Sample>(model: &M, dice: &mut Pcg64Mcg) -> History<M> {
    let count = if dice.random_bool(0.9) { dice.random_range(2..8) } else { dice.random_range(8..13) };
    let mut times: Vec<u64> = (0..2 * count).map(|_| dice.random_range(0..3 * count)).collect();
    if dice.random_bool(0.5) {
        times.sort_unstable();
        (1..times.len()).for_each(|i| times.swap(i, i - dice.random_range(0..i.min(4) + 1)));
    }
    let mut intervals: Vec<(u64, u64, u64)> = times
        .chunks(2)
        .map(|t| (t[0].min(t[1]), t[0].max(t[1])))
        .map(|(call, ret)| (dice.random_range(call..=ret), call, ret))
        .collect();
    intervals.sort_unstable();
    let mut states = std::collections::BTreeMap::new();
    let mut ops = History::<M>::new();
    for (process, (_, call, ret)) in (0..).zip(intervals) {
        let input = model.ask(dice);
        let state = states.entry(model.key(&input)).or_insert_with(|| model.initial());
        let output = model.answer(state, &input, None);
        let happens = dice.random_bool(0.8);
        if happens && let Some(next) = model.step(state, &input, Some(&output)) {
            *state = next;
        }
        let output = if dice.random_bool(0.1) { model.answer(state, &input, Some(dice)) } else { output };
        let replied = dice.random_bool(if happens { 0.8 } else { 0.1 });
        let told = dice.random_bool(if replied { 0.95 } else { 0.05 });
        ops.push(Operation { process, call, ret: replied.then_some(ret), input, output: told.then_some(output) });
    }
    ops
}

/// The definition, tried out: some order of all that replied and any of the rest.
fn brute<M: Model>(
    model: &M,
    ops: &[&Operation<M::Input, M::Output>],
    (done, state): (u32, M::State),
    failed: &mut HashSet<(u32, M::State)>,
) -> bool {
    let open = || ops.iter().enumerate().filter(|(i, _)| done >> i & 1 == 0);
    let Some(first) = open().filter_map(|(_, op)| op.ret).min() else { return true };
    let found = !failed.contains(&(done, state.clone()))
        && open().filter(|(_, op)| op.call <= first).any(|(i, op)| {
            let next = model.step(&state, &op.input, op.output.as_ref());
            next.is_some_and(|next| brute(model, ops, (done | 1 << i, next), failed))
        });
    if !found {
        failed.insert((done, state));
    }
    found
}

fn expected<M: Model>(model: &M, ops: &History<M>) -> bool {
    let keys: std::collections::BTreeSet<u64> = ops.iter().map(|op| model.key(&op.input)).collect();
    keys.into_iter().all(|key| {
        let part: Vec<_> = ops.iter().filter(|op| model.key(&op.input) == key).collect();
        brute(model, &part, (0, model.initial()), &mut HashSet::new())
    })
}

/// That `order` is what it says it is: every operation with a reply, each legal, none before one that returned earlier.
fn assert_order<M: Sample>(model: &M, ops: &History<M>, key: u64, order: &[usize]) {
    let mut state = model.initial();
    for (at, op) in order.iter().map(|i| &ops[*i]).enumerate() {
        state = model.step(&state, &op.input, op.output.as_ref()).expect("legal");
        assert!(
            order[at + 1..].iter().all(|later| ops[*later].ret.is_none_or(|ret| ret >= op.call)),
            "{ops:?} {order:?}"
        );
    }
    let required = (0..ops.len()).filter(|i| ops[*i].ret.is_some() && model.key(&ops[*i].input) == key);
    assert!(required.into_iter().all(|i| order.contains(&i)), "{ops:?} {order:?}");
}

/// How many histories to try: `STORMGLASS_HISTORIES`, or a few thousand.
fn histories() -> u64 {
    std::env::var("STORMGLASS_HISTORIES").ok().and_then(|n| n.parse().ok()).unwrap_or(4000)
}

fn agrees_with_brute_force<M: Sample>(model: &M, seed: u64) {
    let mut dice = Pcg64Mcg::seed_from_u64(seed);
    let mut verdicts = [0u64; 2];
    for _ in 0..histories() {
        let ops = sample(model, &mut dice);
        let outcome = check(model, &ops, &Budget::default());
        let expected = expected(model, &ops);
        verdicts[usize::from(expected)] += 1;
        match outcome.verdict {
            Verdict::Linearizable if expected => outcome.partitions.iter().for_each(|p| match p {
                Partition::Linearizable { key, order } => assert_order(model, &ops, *key, order),
                other => panic!("{other:?}"),
            }),
            Verdict::NotLinearizable { .. } if !expected => (),
            other => panic!("brute force says {expected}, the search {other:?}, of {ops:#?}"),
        }
    }
    assert!(verdicts.iter().all(|n| *n > histories() / 20), "one-sided sample: {verdicts:?}");
}

macro_rules! agreement {
    ($($name:ident: $model:expr, $seed:expr;)*) => {$(
        #[test]
        fn $name() {
            agrees_with_brute_force(&$model, $seed);
        }
    )*};
}

agreement! {
    a_register_is_judged_as_by_brute_force: register::Register { initial: Some(0) }, 1;
    a_cas_register_is_judged_as_by_brute_force: cas_register::CasRegister::default(), 2;
    a_store_is_judged_as_by_brute_force: key_value::KeyValue, 3;
    a_set_is_judged_as_by_brute_force: set::Set, 4;
    a_queue_is_judged_as_by_brute_force: queue::Queue, 5;
    a_log_is_judged_as_by_brute_force: log::Log, 6;
    a_lock_is_judged_as_by_brute_force: lock::Lock, 7;
    a_multi_register_is_judged_as_by_brute_force: multi_register::MultiRegister, 8;
}

fn op<I, O>(call: u64, ret: impl Into<Option<u64>>, input: I, output: impl Into<Option<O>>) -> Operation<I, O> {
    Operation { process: 0, call, ret: ret.into(), input, output: output.into() }
}

fn write(value: i64, call: u64, ret: impl Into<Option<u64>>) -> Operation<register::Input, register::Output> {
    op(call, ret, register::Input::Write(value), register::Output::Written)
}

fn read(value: i64, call: u64, ret: u64) -> Operation<register::Input, register::Output> {
    op(call, ret, register::Input::Read, register::Output::Value(Some(value)))
}

fn verdict(ops: &[Operation<register::Input, register::Output>]) -> Verdict {
    check(&register::Register::default(), ops, &Budget::default()).verdict
}

#[test]
fn a_write_of_the_current_value_may_be_needed_later() {
    let ops = [write(1, 0, 1), write(1, 2, 20), write(2, 3, 6), read(2, 7, 8), read(1, 9, 10)];
    assert_eq!(verdict(&ops), Verdict::Linearizable);
}

#[test]
fn an_operation_called_at_the_time_of_a_return_is_concurrent_with_it() {
    assert_eq!(verdict(&[write(1, 0, 5), write(2, 5, 9), read(1, 10, 11)]), Verdict::Linearizable);
    assert!(matches!(
        verdict(&[write(1, 0, 5), write(2, 6, 9), read(1, 10, 11)]),
        Verdict::NotLinearizable { refutation: Refutation::Exhausted(_), .. }
    ));
}

#[test]
fn a_read_of_what_nobody_wrote_is_refuted_with_the_write_that_came_too_late() {
    for (ops, too_late) in [(vec![read(7, 0, 1)], None), (vec![read(7, 0, 1), write(7, 2, 3)], Some(1))] {
        let refutation = Refutation::NeverPossible { operation: 0, too_late };
        assert_eq!(verdict(&ops), Verdict::NotLinearizable { key: 0, refutation });
    }
}

#[test]
fn a_history_without_replies_is_linearizable() {
    assert_eq!(verdict(&[]), Verdict::Linearizable);
    assert_eq!(verdict(&[write(1, 0, None), write(2, 0, None)]), Verdict::Linearizable);
}

#[test]
fn what_cannot_be_placed_is_named_with_the_prefix_before_it() {
    let ops = [write(1, 0, 1), write(2, 2, 3), read(1, 4, 5), write(3, 6, 7)];
    assert!(matches!(verdict(&ops), Verdict::NotLinearizable { refutation: Refutation::Exhausted(_), .. }));
    let progress = longest_prefix(&register::Register::default(), &ops, 0, &Budget::default()).unwrap();
    assert_eq!((progress.prefix, progress.placed, progress.required), (vec![0, 1], 2, 4));
    assert_eq!((progress.stuck, progress.frontier), (vec![2], 0));
    assert_eq!(longest_prefix(&register::Register::default(), &ops[..2], 0, &Budget::default()), None);
}

/// Writes of many values at once, then reads that force all orders to be tried.
fn hard(writers: u64) -> Vec<Operation<register::Input, register::Output>> {
    let mut ops: Vec<_> = (0..writers).map(|w| write(w as i64 % 5, 0, 1000 + w)).collect();
    ops.extend((0..writers).map(|r| read((r * 7 % 5) as i64, 10 + r * 2, 11 + r * 2)));
    ops.extend([write(9, 3000, 3001), read(8, 3002, 3003), write(8, 3003, 3004), write(7, 3004, 3005)]);
    ops.extend([read(7, 3010, 3011), read(8, 3012, 3013)]);
    ops
}

#[test]
fn a_search_that_meets_its_limit_says_how_far_it_got() {
    for (budget, limit) in [
        (Budget { nodes_max: 500, ..Budget::default() }, Limit::Nodes),
        (Budget { bytes_max: 40_000, ..Budget::default() }, Limit::Bytes),
    ] {
        let outcome = check(&register::Register::default(), &hard(40), &budget);
        assert_eq!(outcome.verdict, Verdict::Undecided);
        let [Partition::Undecided { limit: met, progress, .. }] = &outcome.partitions[..] else {
            panic!("{outcome:?}")
        };
        assert_eq!(*met, Some(limit));
        assert!(progress.placed > 20 && progress.frontier > 0 && !progress.prefix.is_empty(), "{progress:?}");
        assert!(outcome.nodes <= 20_000 && outcome.bytes < 200_000);
    }
}

#[test]
fn more_at_one_time_than_a_configuration_holds_is_undecided() {
    let ops: Vec<_> = (0..5000).map(|i| write(i, 0, 10)).chain([read(5, 11, 12)]).collect();
    let outcome = check(&register::Register::default(), &ops, &Budget::default());
    assert!(matches!(outcome.partitions[..], [Partition::Undecided { limit: Some(Limit::Concurrency), .. }]));
}

#[test]
fn wide_histories_are_decided() {
    for width in [60, 70, 500, 3000] {
        let ops: Vec<_> = (0..width).map(|i| write(i, 0, 10)).chain([read(5, 11, 12)]).collect();
        assert_eq!(verdict(&ops), Verdict::Linearizable, "{width}");
    }
}

#[test]
fn a_million_operations_without_reply_are_a_verdict() {
    let ops: Vec<_> = (0..1_000_000)
        .map(|i| write(i, 0, None))
        .chain((0..100).map(|i| read(i, 2 * i as u64, 2 * i as u64 + 1)))
        .collect();
    assert_eq!(verdict(&ops), Verdict::Linearizable);
}

#[test]
fn a_return_before_its_call_is_taken_for_one_at_its_call() {
    assert_eq!(verdict(&[write(1, 5, 3), read(1, 6, 7)]), Verdict::Linearizable);
}

/// Clients in a closed loop on one register, each operation taking effect somewhere within its interval.
fn closed_loop(
    clients: usize,
    count: usize,
    values: i64,
    silent: f64,
) -> Vec<Operation<register::Input, register::Output>> {
    let mut dice = Pcg64Mcg::seed_from_u64(clients as u64 ^ count as u64);
    let mut next: Vec<u64> = (0..clients).map(|_| dice.random_range(0..1000)).collect();
    let mut drafts = Vec::new();
    for i in 0..count {
        let client = (0..clients).min_by_key(|c| next[*c]).unwrap();
        let call = next[client];
        let ret = call + dice.random_range(1..1000);
        let value = dice.random_bool(0.5).then(|| dice.random_range(0..values));
        drafts.push((dice.random_range(call..=ret), call, ret, value, dice.random_bool(silent), i));
        next[client] = ret + dice.random_range(1..20);
    }
    drafts.sort_unstable_by_key(|d| (d.0, d.5));
    let mut state = 0;
    let effect = |(_, call, ret, value, silent, _): (u64, u64, u64, Option<i64>, bool, usize)| match value {
        Some(value) => {
            state = value;
            write(value, call, (!silent).then_some(ret))
        }
        None => read(state, call, ret),
    };
    drafts.into_iter().map(effect).collect()
}

#[test]
fn twenty_clients_and_five_thousand_operations_each_are_decided() {
    for (count, values, silent) in [(5000, 5, 0.0), (5000, 5, 0.02), (100_000, 5, 0.0), (100_000, 1 << 40, 0.02)] {
        let ops = closed_loop(20, count, values, silent);
        let outcome = check(&register::Register { initial: Some(0) }, &ops, &Budget::default());
        assert_eq!(outcome.verdict, Verdict::Linearizable, "{count} {values} {silent}: {} nodes", outcome.nodes);
    }
}

/// A read in the middle of a long history gives a value of long before.
#[test]
fn a_stale_read_among_many_operations_is_refuted() {
    for (count, values, silent) in [(5000, 100, 0.0), (5000, 1 << 40, 0.02), (100_000, 1 << 40, 0.0)] {
        let mut ops = closed_loop(20, count, values, silent);
        let reads: Vec<usize> = (0..ops.len()).filter(|at| ops[*at].input == register::Input::Read).collect();
        let old = ops[reads[reads.len() / 2 - 200]].output;
        let stale = reads[reads.len() / 2..].iter().find(|at| ops[**at].output != old).unwrap();
        ops[*stale].output = old;
        let outcome = check(&register::Register { initial: Some(0) }, &ops, &Budget::default());
        assert!(matches!(outcome.verdict, Verdict::NotLinearizable { .. }), "{count} {values} {:?}", outcome.verdict);
        assert!(outcome.nodes < 10 * count as u64, "{count} {values}: {} nodes", outcome.nodes);
    }
}
