//! All groups whose state is kept in one partition of `__consumer_offsets`.
//!
//! **Invariant:** a group is here if the log says something of it, or somebody is about to be a member of it.

use std::collections::BTreeMap;

use bytes::Bytes;
use kafka_protocol::ResponseError;

use super::commit::Committer;
use super::effects::{Effects, Undo, Waiter};
use super::group::{Group, State};
use super::join::Join;
use super::live::Leaver;
use super::member::Member;
use super::record::{OffsetValue, Record};
use super::settings::{Now, Settings, Turn};
use super::sync::Sync;
use crate::bugs::Bug;
use crate::ids::{Offset, TopicPartition};

/// Most groups of one partition; whoever would begin another is told that nobody coordinates it.
const GROUPS_MAX: usize = 100_000;

/// What the log's records are taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The past, replayed.
    Replaying,
    /// The past, all of it; the first call begins to count time.
    Replayed,
    /// What was just decided here.
    Live,
}

/// A group as DescribeGroups shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Described {
    /// Kafka's name of its state.
    pub state: &'static str,
    /// `consumer`, `connect`, … or empty.
    pub protocol_type: String,
    /// The protocol taken, if it is at work.
    pub protocol: String,
    /// Its members.
    pub members: Vec<DescribedMember>,
}

/// A member as DescribeGroups shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescribedMember {
    /// Member id.
    pub id: String,
    /// `group.instance.id`
    pub instance: Option<String>,
    /// `client.id`
    pub client: String,
    /// Address it was seen at.
    pub host: String,
    /// Its subscription, if the group is at work.
    pub metadata: Bytes,
    /// Its share, if the group is at work.
    pub assignment: Bytes,
}

/// A group as ListGroups shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub name: String,
    /// Kafka's name of its state.
    pub state: &'static str,
    /// `consumer`, `connect`, … or empty.
    pub protocol_type: String,
}

/// See the module.
#[derive(Debug)]
pub struct Groups {
    settings: Settings,
    phase: Phase,
    groups: BTreeMap<String, Group>,
}

impl Groups {
    /// No groups, and a log to replay.
    pub fn new(settings: Settings) -> Groups {
        Groups { settings, phase: Phase::Replaying, groups: BTreeMap::new() }
    }

    /// Takes a record that the log has; one in a producer's transaction counts when that is committed.
    pub fn apply(&mut self, record: Record, producer: Option<i64>, at: Offset) {
        let live = self.phase == Phase::Live;
        let name = record.group().to_owned();
        let group = self.groups.entry(name.clone()).or_insert_with(|| Group::new(&name));
        match (record, producer) {
            (Record::Offset(_, partition, value), None) => {
                let goes_back = !live && self.settings.bugs.has(Bug::CommitGoesBack);
                if !goes_back || group.offsets.get(&partition).is_none() {
                    group.offsets.settle(partition, value, at);
                }
            }
            (Record::Offset(_, partition, value), Some(producer)) => {
                group.offsets.pend(producer, partition, value, at);
            }
            (Record::NoOffset(_, partition), _) => group.offsets.forget(&partition),
            (Record::Group(_, value), _) => group.take(value, live),
            (Record::NoGroup(_), _) => {
                let offsets = std::mem::take(&mut group.offsets);
                *group = Group { offsets, ..Group::new(&name) };
            }
        }
        self.drop_blank(&name);
    }

    /// A producer's transaction ended.
    pub fn mark(&mut self, producer: i64, commit: bool) {
        let commit = commit && !self.settings.bugs.has(Bug::PositionsForgotten);
        self.groups.values_mut().for_each(|group| group.offsets.mark(producer, commit));
        self.groups.retain(|_, group| !group.is_blank());
    }

    /// The whole log was applied.
    pub fn replayed(&mut self) {
        self.phase = Phase::Replayed;
    }

    /// To be called before anything is asked of a replayed log: sessions begin.
    pub fn wake(&mut self, now: Now) {
        if self.phase == Phase::Replayed {
            self.phase = Phase::Live;
            self.groups.values_mut().for_each(|group| group.start_sessions(now));
        }
    }

    /// See [`Join`].
    pub fn join(&mut self, name: &str, join: Join, (waiter, now): (Waiter, Now), out: &mut Effects) {
        let (min, max) = (*self.settings.session_ms.start(), *self.settings.session_ms.end());
        let session_ms = i64::try_from(join.offer.session_timeout_ms).unwrap_or(i64::MAX);
        if !(min..=max).contains(&session_ms) {
            return out.not_joined(waiter, ResponseError::InvalidSessionTimeout, &join.member);
        }
        if !join.member.is_empty() && !self.groups.contains_key(name) {
            return out.not_joined(waiter, ResponseError::UnknownMemberId, &join.member);
        }
        if self.is_full_for(name) {
            return out.not_joined(waiter, ResponseError::CoordinatorNotAvailable, &join.member);
        }
        let group = self.groups.entry(name.to_owned()).or_insert_with(|| Group::new(name));
        group.join(join, Turn { waiter, now, settings: &self.settings }, out);
        self.drop_blank(name);
    }

    /// See [`Sync`].
    pub fn sync(&mut self, name: &str, sync: Sync, (waiter, now): (Waiter, Now), out: &mut Effects) {
        match self.groups.get_mut(name) {
            Some(group) => group.sync(sync, Turn { waiter, now, settings: &self.settings }, out),
            None => out.not_synced(waiter, ResponseError::UnknownMemberId),
        }
    }

    /// A member says that it is there, in this generation.
    ///
    /// # Errors
    /// What it must do about it.
    pub fn heartbeat(&mut self, name: &str, who: &Leaver, generation: i32, now: Now) -> Result<(), ResponseError> {
        let group = self.groups.get_mut(name).ok_or(ResponseError::UnknownMemberId)?;
        group.heartbeat(who, generation, now)
    }

    /// A member goes.
    ///
    /// # Errors
    /// Why it cannot: it is none, or another one.
    pub fn leave(&mut self, name: &str, who: &Leaver, now: Now, out: &mut Effects) -> Result<(), ResponseError> {
        let group = self.groups.get_mut(name).ok_or(ResponseError::UnknownMemberId)?;
        let left = group.leave(who, (now, &self.settings), out);
        self.drop_blank(name);
        left
    }

    /// Whether positions are taken from this one now; the caller brings the records.
    ///
    /// # Errors
    /// Why not.
    pub fn may_commit(
        &mut self,
        name: &str,
        by: &Committer,
        transactional: bool,
        now: Now,
    ) -> Result<(), ResponseError> {
        if self.is_full_for(name) {
            return Err(ResponseError::CoordinatorNotAvailable);
        }
        match self.groups.get_mut(name) {
            Some(group) => group.may_commit(by, transactional, (now, &self.settings)),
            None if by.generation < 0 || self.settings.bugs.has(Bug::GenerationUnchecked) => Ok(()),
            None => Err(ResponseError::IllegalGeneration),
        }
    }

    /// A stored position. With `stable` none is given while an open transaction is about to change it.
    ///
    /// # Errors
    /// UNSTABLE_OFFSET_COMMIT.
    pub fn position(
        &self,
        name: &str,
        partition: &TopicPartition,
        stable: bool,
    ) -> Result<Option<OffsetValue>, ResponseError> {
        let Some(group) = self.groups.get(name) else { return Ok(None) };
        if stable && group.offsets.is_pending(partition) {
            return Err(ResponseError::UnstableOffsetCommit);
        }
        Ok(group.offsets.get(partition).cloned())
    }

    /// All partitions a group has a position in.
    pub fn partitions(&self, name: &str) -> Vec<TopicPartition> {
        let group = self.groups.get(name);
        group.map(|group| group.offsets.all().map(|(partition, _)| partition.clone()).collect()).unwrap_or_default()
    }

    /// A group, if there is such a one.
    pub fn describe(&self, name: &str) -> Option<Described> {
        self.groups.get(name).map(describe)
    }

    /// All groups.
    pub fn list(&self) -> impl Iterator<Item = Listed> {
        self.groups.values().map(|group| Listed {
            name: group.name.clone(),
            state: group.state.name(),
            protocol_type: group.protocol_type.clone().unwrap_or_default(),
        })
    }

    /// Deletes a group without members.
    ///
    /// # Errors
    /// GROUP_ID_NOT_FOUND, NON_EMPTY_GROUP.
    pub fn delete(&mut self, name: &str, out: &mut Effects) -> Result<(), ResponseError> {
        let group = self.groups.get(name).ok_or(ResponseError::GroupIdNotFound)?;
        if group.state != State::Empty {
            return Err(ResponseError::NonEmptyGroup);
        }
        let positions = group.offsets.all().map(|(partition, _)| partition.clone()).collect();
        self.forget(name, positions, out);
        Ok(())
    }

    /// Deletes a position.
    ///
    /// # Errors
    /// GROUP_ID_NOT_FOUND, GROUP_SUBSCRIBED_TO_TOPIC, NON_EMPTY_GROUP (of other protocols than `consumer`).
    pub fn delete_position(
        &self,
        name: &str,
        partition: &TopicPartition,
        out: &mut Effects,
    ) -> Result<(), ResponseError> {
        let group = self.groups.get(name).ok_or(ResponseError::GroupIdNotFound)?;
        group.may_forget(partition)?;
        if group.offsets.get(partition).is_some() {
            out.records.push(Record::NoOffset(name.to_owned(), partition.clone()));
        }
        Ok(())
    }

    /// Whether a group by this name exists.
    pub fn knows(&self, name: &str) -> bool {
        self.groups.contains_key(name)
    }

    /// Time has passed.
    pub fn tick(&mut self, now: Now, out: &mut Effects) {
        let due = self.groups.values_mut().filter(|group| group.next_ms().is_some_and(|next| next <= now.mono_ms));
        due.for_each(|group| group.tick(now, &self.settings, out));
        if out.records.is_empty() {
            self.groups.retain(|_, group| !group.is_blank());
        }
    }

    /// Whether time matters now.
    pub fn is_due(&self, now: Now) -> bool {
        self.phase == Phase::Live && self.groups.values().filter_map(Group::next_ms).any(|next| next <= now.mono_ms)
    }

    /// Forgets positions that are too old, and groups that nothing is left of.
    pub fn expire(&mut self, now: Now, out: &mut Effects) {
        let expired: Vec<_> =
            self.groups.values().map(|group| (group.name.clone(), group.expired(now, &self.settings))).collect();
        for (name, partitions) in expired {
            self.forget(&name, partitions, out);
        }
    }

    /// Forgets the positions in topics that are gone.
    pub fn forget_topics(&mut self, gone: impl Fn(&str) -> bool, out: &mut Effects) {
        for group in self.groups.values() {
            let partitions = group.offsets.of_topics(&gone);
            out.records.extend(partitions.into_iter().map(|partition| Record::NoOffset(group.name.clone(), partition)));
        }
    }

    /// The records could not be appended; nobody is told what they would have said.
    pub fn undo(&mut self, undo: &mut Effects, error: ResponseError, now: Now) {
        let mut out = Effects::default();
        for step in std::mem::take(&mut undo.undo) {
            match step {
                Undo::Assignment { group } => {
                    let Some(group) = self.groups.get_mut(&group) else { continue };
                    group.withhold(error, now, &mut out);
                    group.rebalance(now, self.settings.initial_delay_ms, &mut out);
                }
                Undo::Replacement { group, old, new } => {
                    if let Some(group) = self.groups.get_mut(&group) {
                        group.keep_id(*old, &new, now);
                    }
                }
            }
        }
        let told = std::mem::take(&mut undo.when_safe).into_iter();
        out.at_once.extend(told.map(|(waiter, answer)| (waiter, answer.unsafe_because(error))));
        undo.records.clear();
        undo.at_once.append(&mut out.at_once);
    }

    /// Tombstones for positions, and for the group if it is then without members and positions.
    fn forget(&self, name: &str, partitions: Vec<TopicPartition>, out: &mut Effects) {
        let Some(group) = self.groups.get(name) else { return };
        let left = group.offsets.all().count() - partitions.len();
        out.records.extend(partitions.into_iter().map(|partition| Record::NoOffset(name.to_owned(), partition)));
        let nothing = left == 0 && group.state == State::Empty && group.promised.is_empty();
        if nothing && !group.offsets.has_pending() {
            out.records.push(Record::NoGroup(name.to_owned()));
        }
    }

    fn is_full_for(&self, name: &str) -> bool {
        self.groups.len() >= GROUPS_MAX && !self.groups.contains_key(name)
    }

    fn drop_blank(&mut self, name: &str) {
        if self.groups.get(name).is_some_and(Group::is_blank) {
            self.groups.remove(name);
        }
    }
}

fn describe(group: &Group) -> Described {
    let at_work = group.state == State::Stable;
    let protocol = group.protocol.clone().filter(|_| at_work).unwrap_or_default();
    let member = |member: &Member| DescribedMember {
        id: member.who.id.clone(),
        instance: member.who.instance.clone(),
        client: member.who.client.clone(),
        host: member.who.host.clone(),
        metadata: if at_work { member.metadata(&protocol) } else { Bytes::new() },
        assignment: if at_work { member.assignment.clone() } else { Bytes::new() },
    };
    Described {
        state: group.state.name(),
        protocol_type: group.protocol_type.clone().unwrap_or_default(),
        protocol: protocol.clone(),
        members: group.members.values().map(member).collect(),
    }
}

#[cfg(test)]
impl Groups {
    pub(super) fn generation(&self, name: &str) -> i32 {
        self.groups.get(name).map_or(0, |group| group.generation)
    }
}
