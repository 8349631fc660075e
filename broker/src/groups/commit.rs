//! Who may store a group's positions, when they grow too old, and who may delete them.

use std::collections::BTreeSet;

use kafka_protocol::ResponseError;

use super::group::{Group, State};
use super::live::Leaver;
use super::protocols;
use super::settings::{Now, Settings};
use crate::bugs::Bug;
use crate::ids::TopicPartition;

/// Who stores positions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committer {
    /// Empty id and no instance: a consumer outside of the group.
    pub who: Leaver,
    /// Negative for such a consumer.
    pub generation: i32,
}

impl Committer {
    fn is_outside(&self) -> bool {
        self.generation < 0 && self.who.member.is_empty() && self.who.instance.is_none()
    }
}

impl Group {
    /// Whether positions are taken from this one. A consumer outside may store them only in a group without members;
    /// `transactional` ones from old producers, which do not say who they are, also in others.
    pub(super) fn may_commit(
        &mut self,
        by: &Committer,
        transactional: bool,
        (now, settings): (Now, &Settings),
    ) -> Result<(), ResponseError> {
        if settings.bugs.has(Bug::GenerationUnchecked) || (by.generation < 0 && self.state == State::Empty) {
            return Ok(());
        }
        if by.is_outside() {
            return if transactional { Ok(()) } else { Err(ResponseError::UnknownMemberId) };
        }
        self.check(&by.who.member, by.who.instance.as_deref())?;
        self.check_generation(by.generation)?;
        if self.state == State::Completing && !transactional {
            return Err(ResponseError::RebalanceInProgress);
        }
        self.heard(&by.who.member, now);
        Ok(())
    }

    /// The positions that are older than they may be. In a group without members they age from when it lost its last one;
    /// in one at work only those of topics that nobody subscribes to; of a group that never had members, from when they
    /// were stored (KIP-211).
    pub(super) fn expired(&self, now: Now, settings: &Settings) -> Vec<TopicPartition> {
        let (ages, none) = ((now.wall_ms, settings.retention_ms), BTreeSet::new());
        if settings.bugs.has(Bug::LiveOffsetsExpire) {
            return self.offsets.expired(ages, |value| value.committed_ms, &none);
        }
        let consumers = self.protocol_type.as_deref() == Some(protocols::CONSUMER);
        match (&self.state, &self.protocol_type, &self.subscribed) {
            (State::Empty, Some(_), _) => {
                self.offsets.expired(ages, |value| self.since_ms.unwrap_or(value.committed_ms), &none)
            }
            (_, None, _) => self.offsets.expired(ages, |value| value.committed_ms, &none),
            (State::Stable, _, Some(subscribed)) if consumers => {
                self.offsets.expired(ages, |value| value.committed_ms, subscribed)
            }
            _ => Vec::new(),
        }
    }

    /// Whether a position may be deleted by hand.
    pub(super) fn may_forget(&self, partition: &TopicPartition) -> Result<(), ResponseError> {
        match &self.subscribed {
            _ if self.state == State::Empty => Ok(()),
            Some(topics) if topics.contains(&partition.topic) => Err(ResponseError::GroupSubscribedToTopic),
            Some(_) => Ok(()),
            None => Err(ResponseError::NonEmptyGroup),
        }
    }
}
