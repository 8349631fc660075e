//! What holds whatever clients do and whenever time passes, tried with random members of all kinds.
//!
//! The laws: a generation never goes back; in a group at work every member has been told of the generation and has one
//! share; nobody is told twice and everybody in the end; a commit is taken only from a member of the generation that is;
//! and what another coordinator reads from the log is what this one holds.

use super::*;
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    Join { who: usize },
    Sync { who: usize },
    Beat { who: usize },
    Leave { who: usize },
    Commit { who: usize },
    Pass { ms: u64 },
    Fail,
    Move,
}

fn step() -> impl Strategy<Value = Step> {
    let who = 0..6_usize;
    prop_oneof![
        4 => who.clone().prop_map(|who| Step::Join { who }),
        4 => who.clone().prop_map(|who| Step::Sync { who }),
        2 => who.clone().prop_map(|who| Step::Beat { who }),
        1 => who.clone().prop_map(|who| Step::Leave { who }),
        2 => who.prop_map(|who| Step::Commit { who }),
        3 => prop_oneof![0..2000_u64, Just(SESSION_MS), Just(REBALANCE_MS)].prop_map(|ms| Step::Pass { ms }),
        1 => Just(Step::Fail),
        1 => Just(Step::Move),
    ]
}

/// A client: what it believes, and what it waits for. The last two are static members.
#[derive(Clone, Default)]
struct Client {
    member: String,
    generation: i32,
    leads: bool,
    waits: Option<Waiter>,
}

struct Play {
    world: World,
    clients: Vec<Client>,
    ids: usize,
    peers: Vec<String>,
    failing: bool,
    position: Option<i64>,
    generation: i32,
}

impl Play {
    fn new(initial_delay_ms: u64) -> Play {
        Play {
            world: world(Settings { initial_delay_ms, ..settings() }),
            clients: vec![Client::default(); 6],
            ids: 0,
            peers: Vec::new(),
            failing: false,
            position: None,
            generation: 0,
        }
    }

    fn act(&mut self, act: impl FnOnce(&mut Groups, Now, &mut Effects)) {
        if std::mem::take(&mut self.failing) {
            self.world.act_in_vain(ResponseError::CoordinatorNotAvailable, act);
        } else {
            self.world.act(act);
        }
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Join { who } => self.join(who),
            Step::Sync { who } => self.sync(who),
            Step::Beat { who } => {
                let client = self.clients[who].clone();
                let _heard = self.world.beat(&client.member, client.generation);
            }
            Step::Leave { who } => {
                let member = self.clients[who].member.clone();
                let mut left = Err(ResponseError::UnknownServerError);
                self.act(|groups, now, out| left = groups.leave(G, &leaver(&member), now, out));
                if left.is_ok() {
                    self.clients[who].member.clear();
                }
            }
            Step::Commit { who } => self.commit(who),
            Step::Pass { ms } => {
                self.world.pass(ms);
                self.act(|groups, now, out| groups.tick(now, out));
            }
            Step::Fail => self.failing = true,
            Step::Move => {
                self.world = self.world.moved();
                self.clients.iter_mut().for_each(|client| client.waits = None);
            }
        }
        self.hear();
        self.check(matches!(step, Step::Move));
    }

    fn join(&mut self, who: usize) {
        if self.clients[who].waits.is_some() {
            return;
        }
        self.ids += 1;
        let mut join = join(&self.clients[who].member, &format!("m{}", self.ids));
        join.manners = [Manners::Old, Manners::TakesId, Manners::SkipsAssignment][who % 3];
        join.who.instance = (who >= 4).then(|| format!("i{who}"));
        let waiter = self.world.waiter();
        self.clients[who].waits = Some(waiter);
        self.act(|groups, now, out| groups.join(G, join, (waiter, now), out));
    }

    fn sync(&mut self, who: usize) {
        let client = self.clients[who].clone();
        if client.waits.is_some() {
            return;
        }
        let shares = self.peers.iter().map(|member| (member.clone(), share(member))).collect();
        let shares = if client.leads { shares } else { BTreeMap::new() };
        let waiter = self.world.waiter();
        self.clients[who].waits = Some(waiter);
        let sync = sync(&client.member, client.generation, shares);
        self.act(|groups, now, out| groups.sync(G, sync, (waiter, now), out));
    }

    fn commit(&mut self, who: usize) {
        let client = self.clients[who].clone();
        let next = self.position.unwrap_or(0) + 1;
        let known = self.world.groups.describe(G);
        let taken = self.world.commit(&client.member, client.generation, next);
        if taken.is_ok() {
            self.position = Some(next);
            let members = known.map(|group| group.members).unwrap_or_default();
            let is_member = members.iter().any(|member| member.id == client.member);
            assert!(is_member && client.generation == self.generation, "taken from {:?}", client.member);
        }
    }

    fn hear(&mut self) {
        for (who, client) in self.clients.iter_mut().enumerate() {
            let Some(answer) = client.waits.and_then(|waiter| self.world.told.get(&waiter)) else { continue };
            client.waits = None;
            match answer {
                Answer::Join(Ok(joined)) => {
                    (client.member, client.generation) = (joined.member.clone(), joined.generation);
                    client.leads = joined.leader == joined.member;
                    if client.leads {
                        self.peers = joined.members.iter().map(|peer| peer.id.clone()).collect();
                    }
                }
                Answer::Join(Err(why)) => client.member = why.member.clone(),
                // A static member inherits the share of its earlier self, which had another id.
                Answer::Sync(Ok(synced)) => {
                    let own = synced.assignment == share(&client.member);
                    let inherited = who >= 4 && synced.assignment.starts_with(b"share of ");
                    assert!(synced.assignment.is_empty() || own || inherited, "somebody else's share");
                }
                Answer::Sync(Err(_)) => {}
            }
        }
    }

    fn check(&mut self, moved: bool) {
        let Some(group) = self.world.groups.describe(G) else {
            assert_eq!(self.position, None, "a group with positions is gone");
            self.generation = 0;
            return;
        };
        if group.state == "Stable" {
            let mut shares: Vec<_> = group.members.iter().map(|member| &member.assignment).collect();
            shares.retain(|share| !share.is_empty());
            shares.sort();
            assert!(shares.windows(2).all(|pair| pair[0] != pair[1]), "two owners: {group:?}");
        }
        let generation = self.world.groups.generation(G);
        assert!(generation >= self.generation || moved, "a generation went back");
        self.generation = generation;
        let stored = self.world.groups.position(G, &partition(0), true).unwrap();
        assert_eq!(stored.map(|value| value.offset), self.position);
        let other = self.world.moved().groups;
        let settled = ["Stable", "Empty"].contains(&group.state);
        if settled && !self.failing {
            let there = other.describe(G).unwrap_or(Described { state: "Empty", ..group.clone() });
            if there.state == group.state {
                let names = |group: &Described| {
                    group.members.iter().map(|m| (m.id.clone(), m.assignment.clone())).collect::<Vec<_>>()
                };
                assert_eq!(names(&there), names(&group));
            }
        }
        assert_eq!(other.position(G, &partition(0), true).unwrap().map(|value| value.offset), self.position);
    }

    /// Nobody does anything any more, and time passes: whoever waits is told.
    fn end(&mut self) {
        for _ in 0..40 {
            self.world.pass(SESSION_MS);
            self.world.tick();
        }
        self.hear();
        assert!(self.clients.iter().all(|client| client.waits.is_none()), "somebody waits for ever");
        assert!(["Empty", "Dead"].contains(&self.world.state()));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_laws_hold_whatever_members_do(steps in prop::collection::vec(step(), 1..120), delay in prop_oneof![Just(0), Just(3000_u64)]) {
        let mut play = Play::new(delay);
        for step in &steps {
            play.step(step);
        }
        play.end();
    }

    #[test]
    fn no_bytes_are_taken_for_a_record_that_would_panic(
        key in prop::collection::vec(prop_oneof![3 => 0..4_u8, 1 => any::<u8>()], 0..40),
        value in prop::collection::vec(prop_oneof![3 => 0..4_u8, 1 => any::<u8>()], 0..120),
    ) {
        if let Ok(record) = Record::decode(&key, Some(&value)) {
            let mut world = plain();
            world.act(|_, _, out| out.records.push(record));
            world.moved();
        }
    }
}
