//! SyncGroup: the leader says who does what, and everybody is told its share once that is replicated.

use std::collections::BTreeMap;

use bytes::Bytes;
use kafka_protocol::ResponseError;

use super::effects::{Effects, Undo};
use super::group::{Group, State};
use super::member::Waits;
use super::record::Record;
use super::settings::Turn;
use crate::bugs::Bug;

/// A request for one's share, with all shares if the leader asks.
#[derive(Clone, Debug, Default)]
pub struct Sync {
    /// Who asks.
    pub member: String,
    /// `group.instance.id`
    pub instance: Option<String>,
    /// Of which generation.
    pub generation: i32,
    /// What the asker takes the group's protocol type for, if it says.
    pub protocol_type: Option<String>,
    /// What the asker takes the group's protocol for, if it says.
    pub protocol: Option<String>,
    /// Share by member id.
    pub shares: BTreeMap<String, Bytes>,
}

impl Group {
    /// Gives the waiter its share, now or later.
    pub(super) fn sync(&mut self, sync: Sync, turn: Turn<'_>, out: &mut Effects) {
        if let Err(error) = self.may_sync(&sync) {
            return out.not_synced(turn.waiter, error);
        }
        let Some(member) = self.members.get_mut(&sync.member) else { return };
        member.heard(turn.now);
        self.unsynced.0.remove(&sync.member);
        if self.state == State::Stable {
            let assignment = member.assignment.clone();
            return out.synced(turn.waiter, self.share(assignment));
        }
        if let Some(earlier) = member.take_sync() {
            out.not_synced(earlier, ResponseError::RebalanceInProgress);
        }
        member.waits = Waits::Sync(turn.waiter);
        if self.is_leader(&sync.member) {
            self.assign(sync.shares, turn, out);
        }
    }

    fn may_sync(&self, sync: &Sync) -> Result<(), ResponseError> {
        self.check(&sync.member, sync.instance.as_deref())?;
        self.check_generation(sync.generation)?;
        let differs = |said: &Option<String>, is: &Option<String>| said.is_some() && said != is;
        if differs(&sync.protocol_type, &self.protocol_type) || differs(&sync.protocol, &self.protocol) {
            return Err(ResponseError::InconsistentGroupProtocol);
        }
        match &self.state {
            State::Empty => Err(ResponseError::UnknownMemberId),
            State::Preparing(_) => Err(ResponseError::RebalanceInProgress),
            State::Completing | State::Stable => Ok(()),
        }
    }

    /// The leader has spoken: every member has a share, if only an empty one, and the group is at work when the log says
    /// so.
    fn assign(&mut self, mut shares: BTreeMap<String, Bytes>, turn: Turn<'_>, out: &mut Effects) {
        if turn.settings.bugs.has(Bug::TwoOwners) {
            let leaders = self.leader.as_ref().and_then(|leader| shares.get(leader)).cloned().unwrap_or_default();
            shares = self.members.keys().map(|id| (id.clone(), leaders.clone())).collect();
        }
        let shares: BTreeMap<String, Bytes> =
            self.members.keys().map(|id| (id.clone(), shares.remove(id).unwrap_or_default())).collect();
        self.since_ms = Some(turn.now.wall_ms);
        out.records.push(Record::Group(self.name.clone(), self.value(&shares)));
        out.undo.push(Undo::Assignment { group: self.name.clone() });
        for (id, share) in shares {
            let Some(member) = self.members.get_mut(&id) else { continue };
            if let Some(waiter) = member.take_sync() {
                member.heard(turn.now);
                let share = self.share(share);
                out.synced(waiter, share);
            }
        }
    }
}
