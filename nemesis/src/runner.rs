//! Executes a plan, one episode at a time, driven by ticks.
//!
//! ```text
//! Quiet ──due──▶ Hurting ──▶ Healing ──every node runs──▶ Recovering ──in sync, answering──▶ Quiet … Closing ──▶ Done
//!   └─ no target: again on another log, at last skipped
//! ```
//! **Invariants:** one episode at a time. No sleep, no thread: [`Runner::tick`] does what is due and says when it wants
//! to be called again. However the cluster answers, and also after [`Runner::interrupt`], the way to `Done` leads
//! through healing; `Done` comes, because healing and recovery are given up after `recovery_ms_max`, and then
//! [`Runner::unhealed`] says so. Every planned episode gives exactly one record.

use crate::act::{Active, Progress, unplaced};
use crate::cluster::Cluster;
use crate::episode::{Episode, Outcome};
use crate::fault::Asked;
use crate::heal::{Unhealed, heal_all};
use crate::plan::{Plan, Planned};
use crate::scene::{Scene, Skip};
use history::{LogId, Nanos};

const RETRY_MS: u64 = 250;
const HEAL_EVERY_MS: u64 = 200;
const ATTEMPTS_MIN: u32 = 4;
const ATTEMPTS_MAX: u32 = 32;

/// What the runner wants next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Next {
    /// To be called at this moment; earlier is harmless.
    At(Nanos),
    /// Nothing: the plan is over.
    Done,
}

/// A plan under way.
pub struct Runner {
    plan: Plan,
    started: Nanos,
    next: usize,
    state: State,
    interrupted: bool,
    finished: Vec<Episode>,
    unhealed: Option<Unhealed>,
}

enum State {
    Quiet { due: Nanos, attempts: u32 },
    Hurting(Box<Active>),
    Healing { active: Box<Active>, until: Nanos },
    Recovering { active: Box<Active>, until: Nanos },
    Closing { until: Nanos },
    Done,
}

/// What a state leads to: the next state at once, or the same or another one not before a moment.
enum Flow {
    Go(State),
    Wait(State, Nanos),
}

impl Runner {
    /// A runner of `plan`, whose load started at `started`.
    pub fn new(plan: Plan, started: Nanos) -> Runner {
        let due = plan.episodes.first().map_or(started, |first| started.plus_ms(first.gap_ms));
        let state = State::Quiet { due, attempts: 0 };
        Runner { plan, started, next: 0, state, interrupted: false, finished: Vec::new(), unhealed: None }
    }

    /// Does what is due. May block for as long as one call of the cluster may.
    pub fn tick(&mut self, cluster: &mut dyn Cluster) -> Next {
        loop {
            let flow = match std::mem::replace(&mut self.state, State::Done) {
                State::Quiet { due, attempts } => self.quiet(due, attempts, cluster),
                State::Hurting(active) => self.hurting(active, cluster),
                State::Healing { active, until } => self.healing(active, until, cluster),
                State::Recovering { active, until } => self.recovering(active, until, cluster),
                State::Closing { until } => self.closing(until, cluster),
                State::Done => return Next::Done,
            };
            match flow {
                Flow::Go(state) => self.state = state,
                Flow::Wait(state, at) => {
                    self.state = state;
                    return Next::At(at);
                }
            }
        }
    }

    /// Ends the plan early: from the next tick on nothing more is hurt, everything is healed, the rest is skipped.
    pub fn interrupt(&mut self) {
        self.interrupted = true;
    }

    /// The records that became complete since the last call, in order.
    pub fn take_finished(&mut self) -> Vec<Episode> {
        std::mem::take(&mut self.finished)
    }

    /// The episode under way, if there is one, as far as it has come.
    pub fn current(&self) -> Option<&Episode> {
        match &self.state {
            State::Hurting(active) | State::Healing { active, .. } | State::Recovering { active, .. } => {
                Some(&active.episode)
            }
            State::Quiet { .. } | State::Closing { .. } | State::Done => None,
        }
    }

    /// The nodes that could not be made to run in the end.
    pub fn unhealed(&self) -> Option<&Unhealed> {
        self.unhealed.as_ref()
    }

    fn quiet(&mut self, due: Nanos, attempts: u32, cluster: &mut dyn Cluster) -> Flow {
        let Some(planned) = self.plan.episodes.get(self.next).copied() else {
            return Flow::Go(State::Closing { until: self.patience(cluster) });
        };
        if self.interrupted {
            return self.skip(&planned, attempts, Skip::Interrupted, cluster);
        }
        let now = cluster.now();
        if now < due {
            return Flow::Wait(State::Quiet { due, attempts }, due);
        }
        let length_ms = planned.fault.duration_ms(&self.plan.ground.timing, planned.hold_ms);
        if self.plan.quiet_from_ms.is_some_and(|quiet| now.plus_ms(length_ms) > self.started.plus_ms(quiet)) {
            return self.skip(&planned, attempts, Skip::NoTimeLeft, cluster);
        }
        match self.place(&planned, attempts, cluster) {
            Ok(active) => Flow::Go(State::Hurting(Box::new(active))),
            Err(_) if attempts + 1 < self.plan.ground.logs.clamp(ATTEMPTS_MIN, ATTEMPTS_MAX) => {
                let due = cluster.now().plus_ms(RETRY_MS);
                Flow::Wait(State::Quiet { due, attempts: attempts + 1 }, due)
            }
            Err(skip) => self.skip(&planned, attempts + 1, skip, cluster),
        }
    }

    /// Finds the target of a planned episode; each further attempt looks at the next log.
    fn place(&self, planned: &Planned, attempts: u32, cluster: &mut dyn Cluster) -> Result<Active, Skip> {
        let asked_at = cluster.now();
        let mut scene = Scene::take(cluster);
        if planned.fault.aim().duty().is_some() {
            scene = scene.with_duties(cluster);
        }
        if let Err(skip) = scene.all_running() {
            // Trying again is of use only once they run; whether they do, the next attempt sees.
            let _ = heal_all(cluster);
            return Err(skip);
        }
        let log = LogId(planned.log.0.wrapping_add(attempts) % self.plan.ground.logs.max(1));
        let (aim, timing) = (planned.fault.aim(), self.plan.ground.timing);
        let asked = Asked { aim, log, hold_ms: planned.hold_ms, pick: planned.pick };
        let script = planned.fault.definition().script(&scene, asked, &timing)?;
        let (logs, attempts) = (self.plan.ground.logs, attempts + 1);
        let episode = Episode { log, logs, attempts, ..unplaced(self.next as u32, planned, asked_at) };
        Ok(Active::begin(episode, scene, script, timing)?.choosing_by(planned.pick))
    }

    fn hurting(&mut self, mut active: Box<Active>, cluster: &mut dyn Cluster) -> Flow {
        if self.interrupted {
            active.give_up(Skip::Interrupted.to_string());
        } else if let Progress::Wait(at) = active.hurt(cluster) {
            return Flow::Wait(State::Hurting(active), at);
        }
        Flow::Go(State::Healing { active, until: self.patience(cluster) })
    }

    fn healing(&mut self, mut active: Box<Active>, until: Nanos, cluster: &mut dyn Cluster) -> Flow {
        if !self.interrupted
            && let Progress::Wait(at) = active.heal(cluster)
        {
            return Flow::Wait(State::Healing { active, until }, at);
        }
        match heal_all(cluster) {
            Ok(()) => active.healed(cluster),
            Err(_) if cluster.now() < until => {
                let at = cluster.now().plus_ms(HEAL_EVERY_MS);
                return Flow::Wait(State::Healing { active, until }, at);
            }
            Err(unhealed) => {
                active.give_up(format!("not healed: {unhealed}"));
                return self.finish(*active, cluster);
            }
        }
        Flow::Go(State::Recovering { active, until: self.patience(cluster) })
    }

    fn recovering(&mut self, mut active: Box<Active>, until: Nanos, cluster: &mut dyn Cluster) -> Flow {
        if self.recovered(&active.episode, cluster) {
            active.episode.recovered = Some(cluster.now());
        } else if cluster.now() < until && !self.interrupted {
            let at = cluster.now().plus_ms(HEAL_EVERY_MS);
            return Flow::Wait(State::Recovering { active, until }, at);
        }
        self.finish(*active, cluster)
    }

    /// Every node runs, every replica is in sync, and every node that was hit answers.
    fn recovered(&self, episode: &Episode, cluster: &mut dyn Cluster) -> bool {
        use crate::cluster::Probe;
        if heal_all(cluster).is_err() || !Scene::take(cluster).all_in_sync() {
            return false;
        }
        let mut nodes = episode.targets.iter().filter_map(|target| target.who.node());
        nodes.all(|node| cluster.probe(node, self.plan.ground.timing.probe_ms) == Probe::Answered)
    }

    fn closing(&mut self, until: Nanos, cluster: &mut dyn Cluster) -> Flow {
        match heal_all(cluster) {
            Ok(()) => self.unhealed = None,
            Err(unhealed) => {
                self.unhealed = Some(unhealed);
                if cluster.now() < until {
                    return Flow::Wait(State::Closing { until }, cluster.now().plus_ms(HEAL_EVERY_MS));
                }
            }
        }
        Flow::Go(State::Done)
    }

    fn finish(&mut self, active: Active, cluster: &dyn Cluster) -> Flow {
        self.finished.push(active.finish());
        self.go_on(cluster)
    }

    fn skip(&mut self, planned: &Planned, attempts: u32, skip: Skip, cluster: &dyn Cluster) -> Flow {
        let outcome = Outcome::Skipped { reason: skip.to_string() };
        let unplaced = unplaced(self.next as u32, planned, cluster.now());
        self.finished.push(Episode { attempts, outcome, ..unplaced });
        self.go_on(cluster)
    }

    fn go_on(&mut self, cluster: &dyn Cluster) -> Flow {
        self.next += 1;
        let gap_ms = self.plan.episodes.get(self.next).map_or(0, |planned| planned.gap_ms);
        Flow::Go(State::Quiet { due: cluster.now().plus_ms(gap_ms), attempts: 0 })
    }

    fn patience(&self, cluster: &dyn Cluster) -> Nanos {
        cluster.now().plus_ms(self.plan.ground.timing.recovery_ms_max)
    }
}

#[cfg(test)]
#[path = "runner_tests.rs"]
mod tests;
