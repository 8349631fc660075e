//! Groups as their members see them, and as the log does.
//!
//! `World` is one shard with a log that never fails unless told: what is decided is appended and applied, and a move of
//! the coordinator is a new shard that replays the log.

mod commits;
mod joining;
mod laws;
mod statics;

use std::collections::BTreeMap;

use bytes::Bytes;
use kafka_protocol::ResponseError;

use super::*;
use crate::bugs::{Bug, Bugs};
use crate::ids::{Offset, TopicPartition};

const SESSION_MS: u64 = 10_000;
const REBALANCE_MS: u64 = 30_000;
const G: &str = "g";

struct World {
    groups: Groups,
    settings: Settings,
    log: Vec<(Record, Option<i64>)>,
    now: Now,
    waiters: u64,
    told: BTreeMap<Waiter, Answer>,
}

fn settings() -> Settings {
    Settings {
        session_ms: 6000..=60_000,
        initial_delay_ms: 0,
        members_max: 100,
        metadata_bytes_max: 4096,
        retention_ms: 1000,
        bugs: Bugs::NONE,
    }
}

fn world(settings: Settings) -> World {
    let mut groups = Groups::new(settings.clone());
    let now = Now { mono_ms: 1000, wall_ms: 1_000_000 };
    groups.replayed();
    groups.wake(now);
    World { groups, settings, log: Vec::new(), now, waiters: 0, told: BTreeMap::new() }
}

fn plain() -> World {
    world(settings())
}

fn broken(bug: Bug) -> World {
    world(Settings { bugs: Bugs::default().with(bug), ..settings() })
}

fn partition(index: i32) -> TopicPartition {
    TopicPartition { topic: "t".to_owned(), index }
}

fn leaver(member: &str) -> Leaver {
    Leaver { member: member.to_owned(), instance: None }
}

/// A subscription to these topics as consumers write it.
fn subscription(topics: &[&str]) -> Bytes {
    let mut bytes = vec![0, 0];
    bytes.extend((topics.len() as i32).to_be_bytes());
    for topic in topics {
        bytes.extend((topic.len() as i16).to_be_bytes());
        bytes.extend(topic.as_bytes());
    }
    bytes.into()
}

fn join(member: &str, fresh: &str) -> Join {
    Join {
        member: member.to_owned(),
        who: Identity { id: fresh.to_owned(), instance: None, client: "c".to_owned(), host: "/::1".to_owned() },
        offer: Offer {
            rebalance_timeout_ms: REBALANCE_MS,
            session_timeout_ms: SESSION_MS,
            protocols: vec![Protocol { name: "range".to_owned(), metadata: subscription(&["t"]) }],
        },
        protocol_type: "consumer".to_owned(),
        manners: Manners::Old,
    }
}

impl World {
    fn pass(&mut self, ms: u64) {
        self.now.mono_ms += ms;
        self.now.wall_ms += ms as i64;
    }

    fn act<T>(&mut self, act: impl FnOnce(&mut Groups, Now, &mut Effects) -> T) -> T {
        self.act_for(None, act)
    }

    fn act_for<T>(&mut self, producer: Option<i64>, act: impl FnOnce(&mut Groups, Now, &mut Effects) -> T) -> T {
        let mut out = Effects::default();
        let answer = act(&mut self.groups, self.now, &mut out);
        for record in out.records {
            self.groups.apply(record.clone(), producer, Offset(self.log.len() as i64));
            self.log.push((record, producer));
        }
        for (waiter, answer) in out.at_once.into_iter().chain(out.when_safe) {
            assert_eq!(self.told.insert(waiter, answer), None, "nobody is told twice");
        }
        answer
    }

    /// As `act`, at a log that takes nothing.
    fn act_in_vain(&mut self, error: ResponseError, act: impl FnOnce(&mut Groups, Now, &mut Effects)) {
        let mut out = Effects::default();
        act(&mut self.groups, self.now, &mut out);
        self.groups.undo(&mut out, error, self.now);
        assert!(out.records.is_empty() && out.when_safe.is_empty());
        self.told.extend(out.at_once);
    }

    fn waiter(&mut self) -> Waiter {
        self.waiters += 1;
        Waiter(self.waiters)
    }

    fn join(&mut self, join: Join) -> Waiter {
        let waiter = self.waiter();
        self.act(|groups, now, out| groups.join(G, join, (waiter, now), out));
        waiter
    }

    fn sync(&mut self, sync: Sync) -> Waiter {
        let waiter = self.waiter();
        self.act(|groups, now, out| groups.sync(G, sync, (waiter, now), out));
        waiter
    }

    fn beat(&mut self, member: &str, generation: i32) -> Result<(), ResponseError> {
        self.act(|groups, now, _| groups.heartbeat(G, &leaver(member), generation, now))
    }

    fn leave(&mut self, leaver: &Leaver) -> Result<(), ResponseError> {
        self.act(|groups, now, out| groups.leave(G, leaver, now, out))
    }

    fn commit(&mut self, member: &str, generation: i32, offset: i64) -> Result<(), ResponseError> {
        let by = Committer { who: leaver(member), generation };
        let value = self.value(offset);
        self.act(|groups, now, out| {
            groups.may_commit(G, &by, false, now)?;
            out.records.push(Record::Offset(G.to_owned(), partition(0), value));
            Ok(())
        })
    }

    fn value(&self, offset: i64) -> OffsetValue {
        let committed_ms = self.now.wall_ms;
        OffsetValue { offset, leader_epoch: -1, metadata: String::new(), committed_ms, expires_ms: None }
    }

    fn position(&self) -> Option<i64> {
        self.groups.position(G, &partition(0), true).unwrap().map(|value| value.offset)
    }

    fn tick(&mut self) {
        self.act(|groups, now, out| groups.tick(now, out));
    }

    fn expire(&mut self) {
        self.act(|groups, now, out| groups.expire(now, out));
    }

    fn state(&self) -> &'static str {
        self.groups.describe(G).map_or("Dead", |group| group.state)
    }

    fn answer(&self, waiter: Waiter) -> Option<&Answer> {
        self.told.get(&waiter)
    }

    fn joined(&self, waiter: Waiter) -> Joined {
        match self.answer(waiter) {
            Some(Answer::Join(Ok(joined))) => joined.clone(),
            other => panic!("not joined: {other:?}"),
        }
    }

    fn refused(&self, waiter: Waiter) -> (ResponseError, String) {
        match self.answer(waiter) {
            Some(Answer::Join(Err(why))) => (why.error, why.member.clone()),
            Some(Answer::Sync(Err(error))) => (*error, String::new()),
            other => panic!("not refused: {other:?}"),
        }
    }

    fn share(&self, waiter: Waiter) -> Bytes {
        match self.answer(waiter) {
            Some(Answer::Sync(Ok(synced))) => synced.assignment.clone(),
            other => panic!("no share: {other:?}"),
        }
    }

    /// The group at work with these members; the first is its leader. Gives the generation.
    fn at_work(&mut self, members: &[&str]) -> i32 {
        let first = self.join(join("", members[0]));
        let mut waits = vec![(members[0], first)];
        for member in &members[1..] {
            let waiter = self.join(join("", member));
            waits.push((member, waiter));
        }
        if members.len() > 1 {
            waits[0].1 = self.join(join(members[0], "unused"));
        }
        self.tick();
        let generation = self.joined(waits[0].1).generation;
        let shares = members.iter().map(|member| ((*member).to_owned(), share(member))).collect();
        for member in members.iter().rev() {
            self.sync(sync(
                member,
                generation,
                if *member == members[0] { shares_of(&shares) } else { BTreeMap::new() },
            ));
        }
        assert_eq!(self.state(), "Stable");
        generation
    }

    /// The coordinator moves: another one reads the log.
    fn moved(&self) -> World {
        let mut groups = Groups::new(self.settings.clone());
        for (at, (record, producer)) in (0..).zip(&self.log) {
            groups.apply(record.clone(), *producer, Offset(at));
        }
        groups.replayed();
        groups.wake(self.now);
        let (settings, log, told) = (self.settings.clone(), self.log.clone(), BTreeMap::new());
        World { groups, settings, log, now: self.now, waiters: self.waiters, told }
    }
}

fn shares_of(shares: &BTreeMap<String, Bytes>) -> BTreeMap<String, Bytes> {
    shares.clone()
}

fn share(member: &str) -> Bytes {
    Bytes::from(format!("share of {member}"))
}

fn sync(member: &str, generation: i32, shares: BTreeMap<String, Bytes>) -> Sync {
    Sync { member: member.to_owned(), generation, shares, ..Sync::default() }
}
