//! JoinGroup: how one becomes a member, or says that one still is.
//!
//! A dynamic member of version 4 or later is first told an id and counted when it comes back with it, so that joins
//! whose answers were lost leave no ghosts (KIP-394). A static member that comes without its id takes the place of its
//! earlier self, which is fenced (KIP-345); if nothing about its protocols changed, nobody else notices.

use std::collections::BTreeMap;

use kafka_protocol::ResponseError;

use super::effects::{Answer, Effects, Joined, Undo, Waiter};
use super::group::{Group, State};
use super::member::{Identity, Member, Offer, Waits};
use super::protocols;
use super::record::Record;
use super::settings::{Now, Settings, Turn};

/// Most ids of one group that were given out and nobody has come back with.
const PROMISES_MAX: usize = 10_000;

/// What a joining client understands, by the version it speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Manners {
    /// It is counted at once, whatever its id.
    Old,
    /// It comes back with the id it is told (version 4).
    TakesId,
    /// As leader it can be told to leave the assignment as it is (version 9, KIP-814).
    SkipsAssignment,
}

/// A request to join.
#[derive(Clone, Debug)]
pub struct Join {
    /// The id it believes to have; empty if none.
    pub member: String,
    /// Who it is; `id` is the one it gets if it has none.
    pub who: Identity,
    /// What it offers.
    pub offer: Offer,
    /// `consumer`, `connect`, …
    pub protocol_type: String,
    /// What it understands.
    pub manners: Manners,
}

impl Group {
    /// Joins, now or later; the waiter hears of it.
    pub(super) fn join(&mut self, join: Join, turn: Turn<'_>, out: &mut Effects) {
        if let Err(error) = self.try_join(&join, turn, out) {
            out.not_joined(turn.waiter, error, &join.member);
        }
        self.proceed(turn.now, turn.settings, out);
    }

    fn try_join(&mut self, join: &Join, turn: Turn<'_>, out: &mut Effects) -> Result<(), ResponseError> {
        if !self.has_room(&join.member, turn.settings) {
            self.send_away(&join.member, turn.now, out);
            return Err(ResponseError::GroupMaxSizeReached);
        }
        if !self.understands(join) {
            return Err(ResponseError::InconsistentGroupProtocol);
        }
        if !join.member.is_empty() {
            return self.join_again(join, turn, out);
        }
        let earlier = join.who.instance.as_ref().and_then(|instance| self.statics.get(instance)).cloned();
        match earlier {
            Some(earlier) => self.replace(&earlier, join, turn, out),
            None if join.who.instance.is_none() && join.manners >= Manners::TakesId => {
                self.promise(join.who.id.clone(), turn.now.mono_ms + join.offer.session_timeout_ms);
                out.not_joined(turn.waiter, ResponseError::MemberIdRequired, &join.who.id);
            }
            None => self.admit(join, join.who.clone(), turn, out),
        }
        Ok(())
    }

    /// A group that begins takes anybody; one that waits for its members counts those who came, so that the last ones of
    /// a group too large are left outside.
    fn has_room(&self, member: &str, settings: &Settings) -> bool {
        let known = self.members.get(member);
        let promised = self.promised.len() - usize::from(self.promised.contains_key(member));
        if promised >= PROMISES_MAX && known.is_none() {
            return false;
        }
        match &self.state {
            State::Empty => promised < settings.members_max,
            State::Preparing(_) => {
                let here = self.members.values().filter(|member| member.joins()).count();
                known.is_some_and(Member::joins) || here + promised < settings.members_max
            }
            State::Completing | State::Stable => {
                known.is_some() || self.members.len() + promised < settings.members_max
            }
        }
    }

    fn understands(&self, join: &Join) -> bool {
        let offered = &join.offer.protocols;
        if self.members.is_empty() {
            return !join.protocol_type.is_empty() && !offered.is_empty();
        }
        self.protocol_type.as_deref() == Some(&join.protocol_type) && protocols::common(offered, &self.members)
    }

    fn admit(&mut self, join: &Join, who: Identity, turn: Turn<'_>, out: &mut Effects) {
        self.add(Member::new(who, join.offer.clone(), turn.waiter, turn.now), &join.protocol_type);
        self.rebalance(turn.now, turn.settings.initial_delay_ms, out);
    }

    fn join_again(&mut self, join: &Join, turn: Turn<'_>, out: &mut Effects) -> Result<(), ResponseError> {
        if self.promised.contains_key(&join.member) && join.who.instance.is_none() {
            let who = Identity { id: join.member.clone(), ..join.who.clone() };
            self.admit(join, who, turn, out);
            return Ok(());
        }
        self.check(&join.member, join.who.instance.as_deref())?;
        let same = self.members.get(&join.member).is_some_and(|member| member.offer.protocols == join.offer.protocols);
        let leads = self.is_leader(&join.member);
        match &self.state {
            State::Empty => return Err(ResponseError::UnknownMemberId),
            State::Completing if same => out.joined(turn.waiter, self.joined(&join.member, leads)),
            State::Stable if same && !leads => out.joined(turn.waiter, self.joined(&join.member, false)),
            State::Preparing(_) | State::Completing | State::Stable => {
                self.take_part(join, turn.waiter, out);
                self.rebalance(turn.now, turn.settings.initial_delay_ms, out);
            }
        }
        if let Some(member) = self.members.get_mut(&join.member).filter(|member| !member.joins()) {
            member.heard(turn.now);
        }
        Ok(())
    }

    /// A member joins again with what it offers now. If it was waiting already, the earlier wait is over.
    fn take_part(&mut self, join: &Join, waiter: Waiter, out: &mut Effects) {
        let Some(member) = self.members.get_mut(&join.member) else { return };
        if let Some(earlier) = member.take_join() {
            out.not_joined(earlier, ResponseError::RebalanceInProgress, &join.member);
        }
        if let Some(earlier) = member.take_sync() {
            out.not_synced(earlier, ResponseError::RebalanceInProgress);
        }
        member.offer = join.offer.clone();
        member.waits = Waits::Join(waiter);
    }

    /// A static member comes without its id: it takes the place of its earlier self under a new one.
    fn replace(&mut self, earlier: &str, join: &Join, turn: Turn<'_>, out: &mut Effects) {
        let (led, leader) = (self.is_leader(earlier), self.leader.clone().unwrap_or_default());
        let Some(old) = self.remove(earlier) else { return };
        fence(old.clone(), out);
        let mut member = Member { who: join.who.clone(), offer: join.offer.clone(), ..old.clone() };
        member.waits = Waits::Nothing;
        member.heard(turn.now);
        let id = member.who.id.clone();
        self.put_back(member, led);
        if self.state == State::Stable && protocols::elect(&self.members) == self.protocol {
            out.records.push(Record::Group(self.name.clone(), self.value(&BTreeMap::new())));
            out.when_safe.push((turn.waiter, Answer::Join(Ok(self.unnoticed(&id, leader, join.manners)))));
            let old = Box::new(Member { waits: Waits::Nothing, ..old });
            out.undo.push(Undo::Replacement { group: self.name.clone(), old, new: id });
            return;
        }
        if let Some(member) = self.members.get_mut(&id) {
            member.waits = Waits::Join(turn.waiter);
        }
        self.rebalance(turn.now, turn.settings.initial_delay_ms, out);
    }

    /// What a static member is told whose return changed nothing. Before version 9 a leader must not know that it leads:
    /// it would share out work that nobody asks for.
    fn unnoticed(&self, id: &str, leader_before: String, manners: Manners) -> Joined {
        let leads = self.is_leader(id) && manners >= Manners::SkipsAssignment;
        let mut told = self.joined(id, leads);
        if manners < Manners::SkipsAssignment {
            told.leader = leader_before;
        }
        told.skip_assignment = leads;
        told
    }

    pub(super) fn put_back(&mut self, member: Member, leads: bool) {
        let id = member.who.id.clone();
        if let Some(instance) = &member.who.instance {
            self.statics.insert(instance.clone(), id.clone());
        }
        if leads || self.leader.is_none() {
            self.leader = Some(id.clone());
        }
        self.members.insert(id, member);
    }

    /// The new id of a static member could not be made safe: it has its old one still.
    pub(super) fn keep_id(&mut self, mut old: Member, new: &str, now: Now) {
        let leads = self.is_leader(new);
        if self.remove(new).is_some() {
            old.heard(now);
            self.put_back(old, leads);
        }
    }
}

/// Whoever still speaks for the earlier self is told that it is one too many.
fn fence(mut old: Member, out: &mut Effects) {
    let sync = old.take_sync();
    if let Some(waiter) = old.take_join() {
        out.not_joined(waiter, ResponseError::FencedInstanceId, &old.who.id);
    }
    if let Some(waiter) = sync {
        out.not_synced(waiter, ResponseError::FencedInstanceId);
    }
}
