//! SIGSTOP and SIGCONT in turn: who it is done to, how it stands, and what was seen of it.

use crate::actor::Actor;
use crate::cluster::{Cluster, NodeState, Refusal};
use crate::episode::Evidence;
use history::Nanos;

/// A duty cycle under way.
pub(crate) struct Throttling {
    who: Vec<Actor>,
    cycle_ms: (u64, u64),
    turn: Turn,
    stops: Vec<u32>,
    runs: Vec<u32>,
}

#[derive(Clone, Copy)]
enum Turn {
    Runs,
    Stands { since: Nanos },
}

impl Throttling {
    /// Of these, who run at the moment.
    pub(crate) fn of(who: &[Actor], cycle_ms: (u64, u64)) -> Throttling {
        let none = vec![0; who.len()];
        Throttling { who: who.to_vec(), cycle_ms, turn: Turn::Runs, stops: none.clone(), runs: none }
    }

    /// Stops what runs, or continues what has stood still long enough, and says when it is time again.
    pub(crate) fn turn(&mut self, cluster: &mut dyn Cluster) -> Result<Nanos, Refusal> {
        let now = cluster.now();
        match self.turn {
            Turn::Runs => {
                self.look(cluster);
                self.who.iter().try_for_each(|who| cluster.pause(*who))?;
                self.turn = Turn::Stands { since: now };
                Ok(now.plus_ms(self.cycle_ms.1))
            }
            Turn::Stands { since } if now < since.plus_ms(self.cycle_ms.1) => Ok(since.plus_ms(self.cycle_ms.1)),
            Turn::Stands { .. } => {
                self.look(cluster);
                self.who.iter().try_for_each(|who| cluster.resume(*who))?;
                self.turn = Turn::Runs;
                Ok(cluster.now().plus_ms(self.cycle_ms.0))
            }
        }
    }

    /// Lets all of them run again and says what was seen.
    pub(crate) fn end(&mut self, cluster: &mut dyn Cluster) -> Result<Vec<Evidence>, Refusal> {
        for who in &self.who {
            if let NodeState::Paused(_) = cluster.state(*who) {
                cluster.resume(*who)?;
            }
        }
        let seen = self.who.iter().zip(self.stops.iter().zip(&self.runs));
        Ok(seen.map(|(who, (stops, runs))| Evidence::Throttled { who: *who, stops: *stops, runs: *runs }).collect())
    }

    /// Looks whether everybody does what was last asked of them.
    fn look(&mut self, cluster: &dyn Cluster) {
        for (at, who) in self.who.iter().enumerate() {
            let Some(state) = cluster.process_state(*who) else { continue };
            match self.turn {
                Turn::Runs => self.runs[at] += u32::from(state != 'T'),
                Turn::Stands { .. } => self.stops[at] += u32::from(state == 'T'),
            }
        }
    }
}
