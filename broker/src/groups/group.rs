//! One group: its state, its members, and how it comes from one generation to the next.
//!
//! ```text
//!              first join                all joined, or time up            leader's sync
//!    Empty ──────────────► Preparing ─────────────────────► Completing ─────────────────────► Stable
//!      ▲                       │  ▲                             │ somebody joins, leaves, is silent │
//!      └──── nobody is left ───┘  └─────────────────────────────┴───────────────────────────────────┘
//!
//! A group that is deleted, or has nothing left to expire, is gone from the log and from here: Dead is what clients are
//! told of a group that does not exist.
//! ```
//!
//! **Invariants.** The generation grows by one with every completed rebalance. All members of a generation were asked to
//! join it, and whoever did not come in time is out before it begins. A waiter is answered exactly once. An assignment
//! is handed out only when it is replicated. What is to survive a move of the coordinator (generation, members,
//! assignment) is taken from the log's records by `take` alone, whether they are new or replayed.
//!
//! What a member is told by its own request is in `join`, `sync` and `live`; stored positions are in `offsets`.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use kafka_protocol::ResponseError;

use super::effects::{Effects, Joined, Peer, Synced};
use super::member::{Identity, Member, Offer, Protocol, Standing, Waits};
use super::offsets::Offsets;
use super::protocols;
use super::record::{GroupValue, MemberValue, Record};
use super::settings::{Now, Settings};

/// What a rebalance waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Barrier {
    /// For more members of a group that begins: until then, and again as long as newcomers come and time is left.
    First { until_ms: u64, left_ms: u64, newcomers: bool },
    /// For all members to join again.
    All { until_ms: u64 },
}

/// What a group is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It has no members.
    Empty,
    /// Members are to join.
    Preparing(Barrier),
    /// Members are to ask for their assignment, and the leader is to bring it.
    Completing,
    /// Members work.
    Stable,
}

impl State {
    /// Kafka's name of it.
    pub(super) fn name(&self) -> &'static str {
        match self {
            State::Empty => "Empty",
            State::Preparing(_) => "PreparingRebalance",
            State::Completing => "CompletingRebalance",
            State::Stable => "Stable",
        }
    }
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Group {
    pub(super) name: String,
    pub(super) state: State,
    pub(super) protocol_type: Option<String>,
    pub(super) protocol: Option<String>,
    pub(super) generation: i32,
    pub(super) leader: Option<String>,
    pub(super) members: BTreeMap<String, Member>,
    /// Ids given out to dynamic members that have not come back with them, and until when they may.
    pub(super) promised: BTreeMap<String, u64>,
    /// Members that have not asked for their assignment in this generation, and until when they may.
    pub(super) unsynced: (BTreeSet<String>, u64),
    /// Member ids by `group.instance.id`.
    pub(super) statics: BTreeMap<String, String>,
    /// What consumers subscribe to, if it can be told.
    pub(super) subscribed: Option<BTreeSet<String>>,
    /// Since when it is in its state, by the wall; none if unknown.
    pub(super) since_ms: Option<i64>,
    pub(super) offsets: Offsets,
}

impl Group {
    pub(super) fn new(name: &str) -> Group {
        Group {
            name: name.to_owned(),
            state: State::Empty,
            protocol_type: None,
            protocol: None,
            generation: 0,
            leader: None,
            members: BTreeMap::new(),
            promised: BTreeMap::new(),
            unsynced: (BTreeSet::new(), 0),
            statics: BTreeMap::new(),
            subscribed: None,
            since_ms: None,
            offsets: Offsets::default(),
        }
    }

    /// Whether it says nothing that a new group would not.
    pub(super) fn is_blank(&self) -> bool {
        self.generation == 0 && self.members.is_empty() && self.promised.is_empty() && self.offsets.is_empty()
    }

    pub(super) fn is_leader(&self, member: &str) -> bool {
        self.leader.as_deref() == Some(member)
    }

    /// Whether this is a member, and the static one it says it is.
    pub(super) fn check(&self, member: &str, instance: Option<&str>) -> Result<(), ResponseError> {
        match instance.map(|instance| self.statics.get(instance)) {
            None if self.members.contains_key(member) => Ok(()),
            None | Some(None) => Err(ResponseError::UnknownMemberId),
            Some(Some(current)) if current == member => Ok(()),
            Some(Some(_)) => Err(ResponseError::FencedInstanceId),
        }
    }

    /// Whether a member speaks of the generation of now.
    pub(super) fn check_generation(&self, generation: i32) -> Result<(), ResponseError> {
        if generation == self.generation { Ok(()) } else { Err(ResponseError::IllegalGeneration) }
    }

    pub(super) fn add(&mut self, member: Member, protocol_type: &str) {
        if self.members.is_empty() {
            self.protocol_type = Some(protocol_type.to_owned());
        }
        if let State::Preparing(Barrier::First { newcomers, .. }) = &mut self.state {
            *newcomers = true;
        }
        let id = member.who.id.clone();
        if let Some(instance) = &member.who.instance {
            self.statics.insert(instance.clone(), id.clone());
        }
        self.leader.get_or_insert_with(|| id.clone());
        self.promised.remove(&id);
        self.members.insert(id, member);
    }

    pub(super) fn remove(&mut self, id: &str) -> Option<Member> {
        let member = self.members.remove(id)?;
        if let Some(instance) = &member.who.instance {
            self.statics.remove(instance);
        }
        self.unsynced.0.remove(id);
        if self.is_leader(id) {
            self.leader = self.members.keys().next().cloned();
        }
        Some(member)
    }

    /// Sends a member away, whatever it waits for, and has the others share its work.
    pub(super) fn send_away(&mut self, id: &str, now: Now, out: &mut Effects) {
        let Some(mut member) = self.remove(id) else { return };
        if let Some(waiter) = member.take_join() {
            out.not_joined(waiter, ResponseError::UnknownMemberId, "");
        }
        if let Some(waiter) = member.take_sync() {
            out.not_synced(waiter, ResponseError::UnknownMemberId);
        }
        self.rebalance(now, 0, out);
    }

    /// Begins a rebalance unless one waits for members already.
    pub(super) fn rebalance(&mut self, now: Now, initial_delay_ms: u64, out: &mut Effects) {
        let longest_ms = self.longest_rebalance_ms();
        let barrier = match &self.state {
            State::Preparing(_) => return,
            State::Empty => Barrier::First {
                until_ms: now.mono_ms + initial_delay_ms,
                left_ms: longest_ms.saturating_sub(initial_delay_ms),
                newcomers: false,
            },
            State::Completing | State::Stable => Barrier::All { until_ms: now.mono_ms + longest_ms },
        };
        if self.state == State::Completing {
            self.withhold(ResponseError::RebalanceInProgress, now, out);
        }
        self.unsynced.0.clear();
        self.change(State::Preparing(barrier), now);
    }

    /// Gives nobody an assignment, and says why.
    pub(super) fn withhold(&mut self, error: ResponseError, now: Now, out: &mut Effects) {
        for member in self.members.values_mut() {
            member.assignment = Bytes::new();
            if let Some(waiter) = member.take_sync() {
                member.heard(now);
                out.not_synced(waiter, error);
            }
        }
    }

    /// Ends the wait for members if all are here or the time is up.
    pub(super) fn proceed(&mut self, now: Now, settings: &Settings, out: &mut Effects) {
        let State::Preparing(barrier) = self.state else { return };
        match barrier {
            Barrier::First { until_ms, .. } if now.mono_ms < until_ms => {}
            Barrier::First { left_ms, newcomers: true, .. } if left_ms > 0 => {
                let delay_ms = settings.initial_delay_ms.min(left_ms);
                let (until_ms, left_ms) = (now.mono_ms + delay_ms, left_ms - delay_ms);
                self.state = State::Preparing(Barrier::First { until_ms, left_ms, newcomers: false });
            }
            Barrier::First { .. } => self.complete(now, out),
            Barrier::All { until_ms } => {
                let all = self.promised.is_empty() && self.members.values().all(Member::joins);
                if all || now.mono_ms >= until_ms {
                    self.complete(now, out);
                }
            }
        }
    }

    /// Begins the next generation with those who joined. Static members keep their place while their session lasts.
    fn complete(&mut self, now: Now, out: &mut Effects) {
        let late = self.members.values().filter(|member| !member.joins() && member.who.instance.is_none());
        let late: Vec<String> = late.map(|member| member.who.id.clone()).collect();
        for id in late {
            self.remove(&id);
        }
        if self.members.is_empty() {
            return self.empty(now, out);
        }
        if !self.elect_leader() {
            let until_ms = now.mono_ms + self.longest_rebalance_ms();
            return self.change(State::Preparing(Barrier::All { until_ms }), now);
        }
        self.generation = next(self.generation);
        self.protocol = protocols::elect(&self.members);
        self.subscribed = self.subscriptions();
        let until_ms = now.mono_ms + self.longest_rebalance_ms();
        self.unsynced = (self.members.keys().cloned().collect(), until_ms);
        self.change(State::Completing, now);
        self.announce(now, out);
    }

    /// Leadership stays with a member that joined; whether there is one.
    fn elect_leader(&mut self) -> bool {
        let joins = |id: &String| self.members.get(id).is_some_and(Member::joins);
        if self.leader.as_ref().is_some_and(joins) {
            return true;
        }
        let joined = self.members.values().find(|member| member.joins());
        let Some(joined) = joined.map(|member| member.who.id.clone()) else { return false };
        self.leader = Some(joined);
        true
    }

    fn announce(&mut self, now: Now, out: &mut Effects) {
        let ids: Vec<String> = self.members.keys().cloned().collect();
        for id in ids {
            let joined = self.joined(&id, self.is_leader(&id));
            let Some(member) = self.members.get_mut(&id) else { continue };
            if let Some(waiter) = member.take_join() {
                member.heard(now);
                out.joined(waiter, joined);
            }
            member.standing = Standing::Known;
        }
    }

    /// The group is left by all; its positions begin to age.
    fn empty(&mut self, now: Now, out: &mut Effects) {
        self.generation = next(self.generation);
        self.protocol = None;
        self.leader = None;
        self.subscribed = Some(BTreeSet::new());
        self.change(State::Empty, now);
        out.records.push(Record::Group(self.name.clone(), self.value(&BTreeMap::new())));
    }

    pub(super) fn change(&mut self, state: State, now: Now) {
        self.state = state;
        self.since_ms = Some(now.wall_ms);
    }

    /// The generation as this member is told of it.
    pub(super) fn joined(&self, member: &str, with_members: bool) -> Joined {
        let protocol = self.protocol.clone().unwrap_or_default();
        let peer = |member: &Member| Peer {
            id: member.who.id.clone(),
            instance: member.who.instance.clone(),
            metadata: member.metadata(&protocol),
        };
        Joined {
            generation: self.generation,
            protocol_type: self.protocol_type.clone(),
            protocol: self.protocol.clone(),
            leader: self.leader.clone().unwrap_or_default(),
            member: member.to_owned(),
            members: if with_members { self.members.values().map(peer).collect() } else { Vec::new() },
            skip_assignment: false,
        }
    }

    pub(super) fn share(&self, assignment: Bytes) -> Synced {
        Synced { protocol_type: self.protocol_type.clone(), protocol: self.protocol.clone(), assignment }
    }

    /// The generation as a record, with these assignments instead of those the members have.
    pub(super) fn value(&self, shares: &BTreeMap<String, Bytes>) -> GroupValue {
        let protocol = self.protocol.clone().unwrap_or_default();
        let member = |member: &Member| MemberValue {
            id: member.who.id.clone(),
            instance: member.who.instance.clone(),
            client: member.who.client.clone(),
            host: member.who.host.clone(),
            rebalance_timeout_ms: i32::try_from(member.offer.rebalance_timeout_ms).unwrap_or(i32::MAX),
            session_timeout_ms: i32::try_from(member.offer.session_timeout_ms).unwrap_or(i32::MAX),
            subscription: member.metadata(&protocol),
            assignment: shares.get(&member.who.id).unwrap_or(&member.assignment).clone(),
        };
        GroupValue {
            protocol_type: self.protocol_type.clone().unwrap_or_default(),
            generation: self.generation,
            protocol: self.protocol.clone(),
            leader: self.leader.clone(),
            since_ms: self.since_ms.unwrap_or(-1),
            members: self.members.values().map(member).collect(),
        }
    }

    pub(super) fn subscriptions(&self) -> Option<BTreeSet<String>> {
        if self.protocol_type.as_deref() != Some(protocols::CONSUMER) {
            return None;
        }
        protocols::subscribed(&self.members, self.protocol.as_deref()?)
    }

    /// Keeps a promised id for a while.
    pub(super) fn promise(&mut self, id: String, until_ms: u64) {
        self.promised.insert(id, until_ms);
    }

    /// A generation from the log. While it is live the members are those who were told of it, and only their assignment
    /// is news; while the log is replayed they are what the record says.
    pub(super) fn take(&mut self, value: GroupValue, live: bool) {
        self.state = if value.members.is_empty() { State::Empty } else { State::Stable };
        self.protocol_type = Some(value.protocol_type).filter(|name| !name.is_empty());
        (self.generation, self.protocol, self.leader) = (value.generation, value.protocol, value.leader);
        self.since_ms = Some(value.since_ms).filter(|ms| *ms >= 0);
        if live {
            for told in value.members {
                if let Some(member) = self.members.get_mut(&told.id) {
                    member.assignment = told.assignment;
                }
            }
            return;
        }
        let protocol = self.protocol.clone().unwrap_or_default();
        let members = value.members.into_iter().map(|member| (member.id.clone(), restored(member, &protocol)));
        self.members = members.collect();
        let statics =
            self.members.values().filter_map(|member| Some((member.who.instance.clone()?, member.who.id.clone())));
        self.statics = statics.collect();
        self.subscribed = if self.members.is_empty() { Some(BTreeSet::new()) } else { self.subscriptions() };
    }

    fn longest_rebalance_ms(&self) -> u64 {
        self.members.values().map(|member| member.offer.rebalance_timeout_ms).max().unwrap_or(0)
    }
}

/// Generations are never negative, whatever a log says.
fn next(generation: i32) -> i32 {
    generation.checked_add(1).unwrap_or(1)
}

fn restored(value: MemberValue, protocol: &str) -> Member {
    let ms = |ms: i32| u64::try_from(ms).unwrap_or(0);
    Member {
        who: Identity { id: value.id, instance: value.instance, client: value.client, host: value.host },
        offer: Offer {
            rebalance_timeout_ms: ms(value.rebalance_timeout_ms),
            session_timeout_ms: ms(value.session_timeout_ms),
            protocols: vec![Protocol { name: protocol.to_owned(), metadata: value.subscription }],
        },
        assignment: value.assignment,
        waits: Waits::Nothing,
        standing: Standing::Known,
        deadline_ms: u64::MAX,
    }
}
