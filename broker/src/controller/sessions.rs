//! Which brokers have been heard of lately.
//!
//! Pure: the time is handed in, as a duration since whenever. **Invariant:** only time during which the controller itself was running
//! counts. After it was stopped (SIGSTOP, a stalled machine) every session is as old as it was before, so that the heartbeats that
//! queued up meanwhile are read before anybody is fenced.
//!
//! Not replicated: a controller that takes over grants everybody a fresh session.

use std::{collections::BTreeMap, time::Duration};

use crate::metadata::ids::BrokerId;

/// See the module.
#[derive(Clone, Debug)]
pub struct Sessions {
    timeout: Duration,
    tick: Duration,
    deadlines: BTreeMap<BrokerId, Duration>,
    last_tick: Duration,
}

impl Sessions {
    /// Nobody has a session. `tick` is how often [`Sessions::silent`] will be asked.
    pub fn new(timeout: Duration, tick: Duration, now: Duration) -> Self {
        Self { timeout, tick, deadlines: BTreeMap::new(), last_tick: now }
    }

    /// A broker was heard of.
    pub fn touch(&mut self, broker: BrokerId, now: Duration) {
        self.deadlines.insert(broker, now + self.timeout);
    }

    /// Who among `alive` has not been heard of for the timeout. Who has no session yet gets one.
    pub fn silent(&mut self, alive: impl Iterator<Item = BrokerId>, now: Duration) -> Vec<BrokerId> {
        let stopped_for = now.saturating_sub(self.last_tick).saturating_sub(self.tick * 2);
        self.last_tick = now;
        self.deadlines.values_mut().for_each(|deadline| *deadline += stopped_for);
        let fresh = now + self.timeout;
        alive.filter(|broker| *self.deadlines.entry(*broker).or_insert(fresh) <= now).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn sessions() -> Sessions {
        let mut sessions = Sessions::new(SECOND * 3, SECOND / 10, Duration::ZERO);
        sessions.touch(BrokerId(1), Duration::ZERO);
        sessions.touch(BrokerId(2), Duration::ZERO);
        sessions
    }

    fn silent_at_each_tick(sessions: &mut Sessions, from_tick: u32, upto_tick: u32) -> Vec<BrokerId> {
        let ticks = (from_tick..=upto_tick).map(|tick| SECOND / 10 * tick);
        ticks.flat_map(|now| sessions.silent([BrokerId(1), BrokerId(2)].into_iter(), now)).collect()
    }

    #[test]
    fn who_is_silent_for_the_timeout_is_told_and_who_spoke_in_between_is_not() {
        let mut sessions = sessions();
        assert_eq!(silent_at_each_tick(&mut sessions, 1, 29), []);
        sessions.touch(BrokerId(2), SECOND * 2);
        assert_eq!(silent_at_each_tick(&mut sessions, 30, 30), [BrokerId(1)]);
    }

    #[test]
    fn time_the_controller_was_stopped_does_not_count() {
        let mut sessions = sessions();
        assert_eq!(silent_at_each_tick(&mut sessions, 1, 10), []);
        assert_eq!(silent_at_each_tick(&mut sessions, 600, 610), []);
        assert_eq!(silent_at_each_tick(&mut sessions, 611, 625).first(), Some(&BrokerId(1)));
    }

    #[test]
    fn who_has_no_session_gets_a_fresh_one() {
        let mut sessions = Sessions::new(SECOND, SECOND / 10, Duration::ZERO);
        let mut silent = |tick: u32| sessions.silent([BrokerId(7)].into_iter(), SECOND / 10 * tick);
        assert_eq!(silent(1), []);
        assert!((2..11).all(|tick| silent(tick).is_empty()));
        assert_eq!(silent(11), [BrokerId(7)]);
    }
}
