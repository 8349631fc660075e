//! What keeps a member in its group and what ends it: heartbeats, leaving, and time.

use kafka_protocol::ResponseError;

use super::effects::Effects;
use super::group::{Barrier, Group, State};
use super::settings::{Now, Settings};

/// Who leaves: a member id, a static member's instance id, or both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaver {
    /// Empty if only the instance is known.
    pub member: String,
    /// `group.instance.id`
    pub instance: Option<String>,
}

impl Group {
    /// A member says that it is there.
    pub(super) fn heartbeat(&mut self, who: &Leaver, generation: i32, now: Now) -> Result<(), ResponseError> {
        self.check(&who.member, who.instance.as_deref())?;
        self.check_generation(generation)?;
        if self.state == State::Empty {
            return Err(ResponseError::UnknownMemberId);
        }
        self.heard(&who.member, now);
        if matches!(self.state, State::Preparing(_)) { Err(ResponseError::RebalanceInProgress) } else { Ok(()) }
    }

    /// Starts a member's session anew.
    pub(super) fn heard(&mut self, member: &str, now: Now) {
        if let Some(member) = self.members.get_mut(member) {
            member.heard(now);
        }
    }

    /// A member goes.
    pub(super) fn leave(
        &mut self,
        who: &Leaver,
        (now, settings): (Now, &Settings),
        out: &mut Effects,
    ) -> Result<(), ResponseError> {
        let known = who.instance.as_ref().and_then(|instance| self.statics.get(instance)).cloned();
        match known {
            Some(member) if who.member.is_empty() => self.send_away(&member, now, out),
            _ if self.promised.remove(&who.member).is_some() => {}
            _ => {
                self.check(&who.member, who.instance.as_deref())?;
                self.send_away(&who.member, now, out);
            }
        }
        self.proceed(now, settings, out);
        Ok(())
    }

    /// Time has passed: sessions, promises and waits end.
    pub(super) fn tick(&mut self, now: Now, settings: &Settings, out: &mut Effects) {
        self.promised.retain(|_, until_ms| now.mono_ms < *until_ms);
        let silent = self.members.values().filter(|member| member.ends_ms().is_some_and(|ends| ends <= now.mono_ms));
        let silent: Vec<String> = silent.map(|member| member.who.id.clone()).collect();
        for member in silent {
            self.send_away(&member, now, out);
        }
        let (unsynced, until_ms) = &mut self.unsynced;
        if *until_ms <= now.mono_ms {
            for member in std::mem::take(unsynced) {
                self.send_away(&member, now, out);
            }
        }
        self.proceed(now, settings, out);
    }

    /// Sessions begin again at the coordinator that has just loaded the group.
    pub(super) fn start_sessions(&mut self, now: Now) {
        self.members.values_mut().for_each(|member| member.heard(now));
    }

    /// When time matters next.
    pub(super) fn next_ms(&self) -> Option<u64> {
        let barrier = match self.state {
            State::Preparing(Barrier::First { until_ms, .. } | Barrier::All { until_ms }) => Some(until_ms),
            State::Empty | State::Completing | State::Stable => None,
        };
        let unsynced = Some(self.unsynced.1).filter(|_| !self.unsynced.0.is_empty());
        let sessions = self.members.values().filter_map(|member| member.ends_ms());
        sessions.chain(self.promised.values().copied()).chain(barrier).chain(unsynced).min()
    }
}
