//! The machine against a model that knows only what the protocol promises: identities, an open set, an outcome.

use std::collections::BTreeSet;

use kafka_protocol::ResponseError;
use proptest::prelude::*;

use super::machine::{Identity, Moment};
use super::state::EPOCH_LAST;
use super::*;
use crate::bugs::{Bug, Bugs};
use crate::coordinator::{Decided, Entry, Machine as _};
use crate::ids::{LeaderEpoch, Offset, TopicPartition};
use crate::log::ProducerId;
use crate::log::marker::Outcome;

const ID: &str = "id";
const TIMEOUT_MS: i32 = 1000;

fn partition(index: i32) -> TopicPartition {
    TopicPartition { topic: format!("t{}", index % 2), index }
}

fn fresh_machine() -> Machine {
    Machine::new(&(), &partition(0), LeaderEpoch(3))
}

/// Decides, and puts the records into the machine by way of their stored form, as a log would.
fn act<T>(machine: &mut Machine, log: &mut Vec<Record>, decided: Decided<Record, T>) -> Result<T, ResponseError> {
    let decision = decided?;
    for record in decision.records {
        let stored = record.encode();
        let back = Record::decode(&stored.key, stored.value.as_deref()).unwrap();
        let kept = back.transaction.map(|transaction| Transaction {
            previous: record.transaction.as_ref().and_then(|record| record.previous),
            ..transaction
        });
        assert_eq!(kept, record.transaction, "what is stored says everything that must survive");
        machine.apply(Entry::Record { record: record.clone(), within: None }, Offset(0));
        log.push(record);
    }
    Ok(decision.answer)
}

fn replayed(log: &[Record]) -> Machine {
    let mut machine = fresh_machine();
    log.iter().for_each(|record| {
        let record = Record::decode(&record.encode().key, record.encode().value.as_deref()).unwrap();
        machine.apply(Entry::Record { record, within: None }, Offset(0));
    });
    machine.loaded();
    machine
}

#[derive(Clone, Copy, Debug)]
enum Step {
    /// A new producer, or the one with identity `n` going on.
    Init(Option<usize>),
    Add(usize, i32),
    End(usize, bool),
    /// Every marker is written.
    Complete,
    /// Time passes beyond the timeout.
    Overdue,
    /// The coordinator moves.
    Move,
}

/// What the protocol promises. Identities are numbered as they were given.
#[derive(Default)]
struct Model {
    given: Vec<(ProducerId, i16)>,
    current: Option<(ProducerId, i16)>,
    before: Option<(ProducerId, i16)>,
    open: Option<BTreeSet<TopicPartition>>,
    ending: Option<bool>,
    ended: Option<bool>,
    next_id: i64,
}

impl Model {
    fn holds(&self, who: usize) -> Result<(), ResponseError> {
        let (current, asks) = (self.current, self.given.get(who).copied());
        match (current, asks) {
            (Some(current), Some(asks)) if current == asks => Ok(()),
            (Some(current), Some(asks)) if current.0 == asks.0 => Err(ResponseError::ProducerFenced),
            _ => Err(ResponseError::InvalidProducerIdMapping),
        }
    }

    fn init(&mut self, bearer: Option<usize>) -> Result<Option<(ProducerId, i16)>, ResponseError> {
        let bearer = bearer.and_then(|who| self.given.get(who).copied());
        if self.ending.is_some() {
            return Err(ResponseError::ConcurrentTransactions);
        }
        let repeated = bearer.is_some() && bearer == self.before && self.current.is_some();
        if let (Some(bearer), Some(current)) = (bearer, self.current)
            && bearer != current
            && !repeated
        {
            return Err(ResponseError::ProducerFenced);
        }
        if self.open.is_some() {
            self.current = self.current.map(|(id, epoch)| (id, epoch + 1));
            (self.ending, self.before) = (Some(false), None);
            return Ok(None);
        }
        let next = match self.current {
            Some(current) if repeated => current,
            Some((id, epoch)) if epoch < EPOCH_LAST => (id, epoch + 1),
            _ => {
                self.next_id += 1;
                (ProducerId(self.next_id), 0)
            }
        };
        if !repeated {
            self.before = bearer.and(self.current);
        }
        (self.current, self.ended) = (Some(next), None);
        self.given.push(next);
        Ok(Some(next))
    }

    fn add(&mut self, who: usize, one: TopicPartition) -> Result<(), ResponseError> {
        self.holds(who)?;
        if self.ending.is_some() {
            return Err(ResponseError::ConcurrentTransactions);
        }
        self.ended = None;
        self.open.get_or_insert_default().insert(one);
        Ok(())
    }

    fn end(&mut self, who: usize, commit: bool) -> Result<(), ResponseError> {
        self.holds(who)?;
        match (self.ending, self.ended, &self.open) {
            (Some(ending), ..) if ending == commit => Err(ResponseError::ConcurrentTransactions),
            (None, Some(ended), _) if ended == commit => Ok(()),
            (None, None, Some(_)) => {
                self.ending = Some(commit);
                Ok(())
            }
            _ => Err(ResponseError::InvalidTxnState),
        }
    }

    fn complete(&mut self) {
        if let Some(ending) = self.ending.take() {
            (self.ended, self.open) = (Some(ending), None);
        }
    }
}

struct World {
    machine: Machine,
    log: Vec<Record>,
    model: Model,
    now_ms: i64,
}

impl World {
    fn new(epoch: i16) -> World {
        let mut world = World { machine: fresh_machine(), log: Vec::new(), model: Model::default(), now_ms: 0 };
        if epoch > 0 {
            let transaction = Transaction { producer: ProducerId(0), epoch, ..Transaction::default() };
            let decided = Ok(crate::coordinator::Decision::write(
                vec![Record { id: ID.to_owned(), transaction: Some(transaction) }],
                (),
            ));
            act(&mut world.machine, &mut world.log, decided).unwrap();
            world.model.current = Some((ProducerId(0), epoch));
        }
        world
    }

    fn at(&self) -> Moment {
        Moment { now_ms: self.now_ms, bugs: Bugs::NONE }
    }

    fn producer(&self, who: usize) -> Producer {
        let (producer, epoch) = self.model.given.get(who).copied().unwrap_or((ProducerId(99), 0));
        Producer { id: ID.to_owned(), producer, epoch }
    }

    fn step(&mut self, step: Step) {
        let at = self.at();
        let World { machine, log, .. } = self;
        match step {
            Step::Init(bearer) => {
                let bearer_identity = bearer.and_then(|who| self.model.given.get(who).copied());
                let ask = InitProducer { id: ID.to_owned(), timeout_ms: TIMEOUT_MS, bearer: bearer_identity };
                let fresh = Some(ProducerId(self.model.next_id + 1));
                let told = act(machine, log, machine.init(&ask, fresh, at));
                let expected = self.model.init(bearer).map(|given| match given {
                    Some((producer, epoch)) => Identity::Given(producer, epoch),
                    None => Identity::Later,
                });
                assert_eq!(told, expected);
            }
            Step::Add(who, index) => {
                let ask = AddPartitions { producer: self.producer(who), partitions: [partition(index)].into() };
                let World { machine, log, .. } = self;
                let told = act(machine, log, machine.add(&ask, at));
                assert_eq!(told, self.model.add(who, partition(index)));
            }
            Step::End(who, commit) => {
                let outcome = if commit { Outcome::Commit } else { Outcome::Abort };
                let producer = self.producer(who);
                let World { machine, log, .. } = self;
                let told = act(machine, log, machine.end(&producer, outcome, at));
                assert_eq!(told, self.model.end(who, commit));
            }
            Step::Complete => {
                if let Some(ended) = machine.get(ID).cloned() {
                    act(machine, log, machine.complete(ID, &ended, at.now_ms)).unwrap();
                }
                self.model.complete();
            }
            Step::Overdue => {
                self.now_ms += i64::from(TIMEOUT_MS) + 1;
                let World { machine, log, now_ms, model } = self;
                let aborted = act(machine, log, machine.abort_overdue(*now_ms)).unwrap();
                let overdue = model.open.is_some() && model.ending.is_none();
                assert_eq!(aborted, usize::from(overdue));
                if overdue {
                    model.current = model.current.map(|(id, epoch)| (id, epoch + 1));
                    (model.ending, model.before) = (Some(false), None);
                }
            }
            Step::Move => {
                self.machine = replayed(&self.log);
                self.model.before = None;
            }
        }
        self.agree();
    }

    /// The machine remembers what the model does, and looks for markers to write exactly when it should.
    fn agree(&self) {
        let Some(known) = self.machine.get(ID) else { return assert_eq!(self.model.current, None) };
        assert_eq!(Some((known.producer, known.epoch)), self.model.current);
        assert_eq!(known.partitions, self.model.open.clone().unwrap_or_default());
        assert_eq!(known.state.decided().map(|outcome| outcome == Outcome::Commit), self.model.ending);
        assert_eq!(self.machine.ending().is_empty(), self.model.ending.is_none());
    }
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => prop::option::of(0..6usize).prop_map(Step::Init),
        6 => (0..6usize, 0..4).prop_map(|(who, index)| Step::Add(who, index)),
        4 => (0..6usize, any::<bool>()).prop_map(|(who, commit)| Step::End(who, commit)),
        3 => Just(Step::Complete),
        1 => Just(Step::Overdue),
        1 => Just(Step::Move),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_producers_do_the_machine_says_what_the_model_says(
        steps in prop::collection::vec(step(), 1..60),
        epoch in prop::sample::select(vec![0, 5, EPOCH_LAST - 2, EPOCH_LAST]),
    ) {
        let mut world = World::new(epoch);
        steps.into_iter().for_each(|step| world.step(step));
    }

    #[test]
    fn no_bytes_in_the_log_are_a_panic(key in prop::collection::vec(0..4u8, 0..20), value in prop::collection::vec(any::<u8>(), 0..60)) {
        let _understood = Record::decode(&key, Some(&value));
    }
}

#[test]
fn a_record_is_laid_out_as_kafka_lays_it_out() {
    let transaction = Transaction {
        producer: ProducerId(1000),
        epoch: 2,
        timeout_ms: 60_000,
        state: State::Ongoing,
        partitions: [partition(1), partition(3)].into(),
        updated_ms: 7,
        started_ms: Some(5),
        previous: None,
    };
    let stored = Record { id: ID.to_owned(), transaction: Some(transaction) }.encode();
    assert_eq!(stored.key, b"\0\0\0\x02id");
    let value = [
        &b"\0\0"[..],
        &1000_i64.to_be_bytes(),
        b"\0\x02\0\0\xea\x60\x01\0\0\0\x01\0\x02t1\0\0\0\x02\0\0\0\x01\0\0\0\x03",
        &7_i64.to_be_bytes(),
        &5_i64.to_be_bytes(),
    ];
    assert_eq!(stored.value.unwrap(), value.concat());
}

/// A producer with identity 0 is replaced by another, and goes on as if it was not.
fn zombie_adds(bugs: Bugs) -> Result<(), ResponseError> {
    let (mut machine, mut log) = (fresh_machine(), Vec::new());
    let at = Moment { now_ms: 0, bugs };
    let ask = InitProducer { id: ID.to_owned(), timeout_ms: TIMEOUT_MS, bearer: None };
    for _ in 0..2 {
        let decided = machine.init(&ask, Some(ProducerId(1)), at);
        act(&mut machine, &mut log, decided).unwrap();
    }
    let producer = Producer { id: ID.to_owned(), producer: ProducerId(1), epoch: 0 };
    let decided = machine.add(&AddPartitions { producer, partitions: [partition(0)].into() }, at);
    act(&mut machine, &mut log, decided)
}

#[test]
fn a_replaced_producer_is_fenced_unless_the_planted_bug_lets_it_go_on() {
    assert_eq!(zombie_adds(Bugs::NONE), Err(ResponseError::ProducerFenced));
    assert_eq!(zombie_adds(Bugs::NONE.with(Bug::ProducerFencingSkipped)), Ok(()));
}

#[test]
fn only_an_idle_id_is_forgotten() {
    let mut world = World::new(0);
    world.step(Step::Init(None));
    world.step(Step::Add(0, 0));
    let forget = |world: &mut World, now_ms| {
        let World { machine, log, .. } = world;
        act(machine, log, machine.forget_idle(now_ms, 100)).unwrap();
        world.machine.get(ID).is_none()
    };
    assert!(!forget(&mut world, 1000), "open");
    world.step(Step::End(0, true));
    world.step(Step::Complete);
    assert!(!forget(&mut world, 99), "not for long enough");
    assert!(forget(&mut world, 100));
    assert!(replayed(&world.log).get(ID).is_none());
}

#[test]
fn a_transaction_decided_before_a_move_is_found_by_the_successor() {
    let mut world = World::new(0);
    for step in [Step::Init(None), Step::Add(0, 1), Step::End(0, true), Step::Move] {
        world.step(step);
    }
    assert_eq!(world.machine.ending(), [ID]);
    assert!(world.machine.has_inherited(ID));
}
