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
use crate::actor::Actor;
use crate::cluster::Cluster;
use crate::episode::{Episode, Outcome};
use crate::fault::Asked;
use crate::heal::{Unhealed, heal_all};
use crate::plan::{Order, Plan, Planned};
use crate::scene::{Scene, Skip};
use crate::step::Script;
use history::{LogId, Nanos};

const RETRY_MS: u64 = 250;
const HEAL_EVERY_MS: u64 = 200;
const LOOK_EVERY_MS: u64 = 10;
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
    /// Episodes not yet begun, by index.
    pending: Vec<usize>,
    state: State,
    interrupted: bool,
    finished: Vec<Episode>,
    unhealed: Option<Unhealed>,
}

enum State {
    /// `since` the last episode's end; `trying` to place one, since when and how often.
    Quiet {
        since: Nanos,
        trying: Option<Trying>,
    },
    Hurting(Box<Active>),
    Healing {
        active: Box<Active>,
        until: Nanos,
    },
    Recovering {
        active: Box<Active>,
        until: Nanos,
    },
    Closing {
        until: Nanos,
    },
    Done,
}

/// An episode for which a target is looked for.
#[derive(Clone, Copy)]
struct Trying {
    index: usize,
    again: Nanos,
    attempts: u32,
}

/// Whether an episode may begin.
enum Readiness {
    Now,
    NotBefore(Nanos),
    Never(Skip),
}

/// What a state leads to: the next state at once, or the same or another one not before a moment.
enum Flow {
    Go(State),
    Wait(State, Nanos),
}

impl Runner {
    /// A runner of `plan`, whose load started at `started`.
    pub fn new(plan: Plan, started: Nanos) -> Runner {
        let (state, pending) = (State::Quiet { since: started, trying: None }, (0..plan.episodes.len()).collect());
        Runner { plan, started, pending, state, interrupted: false, finished: Vec::new(), unhealed: None }
    }

    /// Does what is due. May block for as long as one call of the cluster may.
    pub fn tick(&mut self, cluster: &mut dyn Cluster) -> Next {
        loop {
            let flow = match std::mem::replace(&mut self.state, State::Done) {
                State::Quiet { since, trying } => self.quiet(since, trying, cluster),
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

    fn quiet(&mut self, since: Nanos, trying: Option<Trying>, cluster: &mut dyn Cluster) -> Flow {
        let Some(first) = self.pending.first().copied() else {
            return Flow::Go(State::Closing { until: self.patience(cluster) });
        };
        if self.interrupted {
            return self.skip(first, trying.map_or(0, |t| t.attempts), Skip::Interrupted, cluster);
        }
        if let Some(trying) = trying {
            return if cluster.now() < trying.again {
                Flow::Wait(State::Quiet { since, trying: Some(trying) }, trying.again)
            } else {
                self.try_to_place(since, trying, cluster)
            };
        }
        let looked_at = if self.plan.order == Order::AsListed { 1 } else { self.pending.len() };
        let mut wait = Nanos::NEVER;
        for index in self.pending.clone().into_iter().take(looked_at) {
            match self.readiness(index, since, cluster) {
                Readiness::Now => {
                    let trying = Trying { index, again: cluster.now(), attempts: 0 };
                    return self.try_to_place(since, trying, cluster);
                }
                Readiness::NotBefore(at) => wait = wait.min(at),
                Readiness::Never(skip) => return self.skip(index, 0, skip, cluster),
            }
        }
        Flow::Wait(State::Quiet { since, trying: None }, wait)
    }

    /// Whether it is due, there is time left for it, and its condition holds.
    fn readiness(&self, index: usize, since: Nanos, cluster: &mut dyn Cluster) -> Readiness {
        let planned = self.plan.episodes[index];
        let trigger = self.plan.triggers.get(index);
        let at_ms = trigger.map_or(0, |trigger| trigger.at_ms);
        let (due, now) = (since.plus_ms(planned.gap_ms).max(self.started.plus_ms(at_ms)), cluster.now());
        if now < due {
            return Readiness::NotBefore(due);
        }
        let length_ms = planned.fault.duration_ms(&self.plan.ground.timing, planned.hold_ms);
        let until = |ms: u64| self.started.plus_ms(ms);
        let too_long = self.plan.quiet_from_ms.is_some_and(|quiet_ms| now.plus_ms(length_ms) > until(quiet_ms));
        let too_late = trigger.and_then(|t| t.until_ms).is_some_and(|ms| now > until(ms));
        match trigger.and_then(|trigger| trigger.when.as_ref()) {
            Some(when) if too_long || too_late => Readiness::Never(Skip::NeverHeld(when.to_string())),
            None if too_long || too_late => Readiness::Never(Skip::NoTimeLeft),
            Some(when) if !when.holds(planned.log, now.since(self.started) / 1_000_000, cluster) => {
                Readiness::NotBefore(cluster.now().plus_ms(LOOK_EVERY_MS))
            }
            _ => Readiness::Now,
        }
    }

    fn try_to_place(&mut self, since: Nanos, trying: Trying, cluster: &mut dyn Cluster) -> Flow {
        let attempts = trying.attempts + 1;
        match self.place(trying, cluster) {
            Ok(active) => Flow::Go(State::Hurting(Box::new(active))),
            Err(_) if attempts < self.plan.ground.logs.clamp(ATTEMPTS_MIN, ATTEMPTS_MAX) => {
                let again = cluster.now().plus_ms(RETRY_MS);
                let trying = Some(Trying { again, attempts, ..trying });
                Flow::Wait(State::Quiet { since, trying }, again)
            }
            Err(skip) => self.skip(trying.index, attempts, skip, cluster),
        }
    }

    /// Finds the target of a planned episode; each further attempt looks at the next log.
    fn place(&mut self, trying: Trying, cluster: &mut dyn Cluster) -> Result<Active, Skip> {
        let Trying { index, attempts, .. } = trying;
        let planned = self.plan.episodes[index];
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
        self.within_budget(&planned, &script, &scene)?;
        let (logs, attempts) = (self.plan.ground.logs, attempts + 1);
        let episode = Episode { log, logs, attempts, ..unplaced(index as u32, &planned, asked_at) };
        let active = Active::begin(episode, scene, script, timing)?.choosing_by(planned.pick);
        self.pending.retain(|pending| *pending != index);
        Ok(active)
    }

    /// Says no if more replicas of a log would lose what they had not made durable than may.
    fn within_budget(&self, planned: &Planned, script: &Script, scene: &Scene) -> Result<(), Skip> {
        let Some(most) = self.plan.unsynced_replicas_max.filter(|_| planned.fault.definition().forgets()) else {
            return Ok(());
        };
        let hit = |replicas: &[history::NodeId]| {
            replicas.iter().filter(|node| script.targets.contains(&Actor::Node(**node))).count()
        };
        let cost = scene.roles.iter().map(|roles| hit(&roles.replicas)).max().unwrap_or(0);
        if cost > most as usize { Err(Skip::OverBudget(cost, most)) } else { Ok(()) }
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

    fn skip(&mut self, index: usize, attempts: u32, skip: Skip, cluster: &dyn Cluster) -> Flow {
        self.pending.retain(|pending| *pending != index);
        let outcome = Outcome::Skipped { reason: skip.to_string() };
        let unplaced = unplaced(index as u32, &self.plan.episodes[index], cluster.now());
        self.finished.push(Episode { attempts, outcome, ..unplaced });
        self.go_on(cluster)
    }

    fn go_on(&mut self, cluster: &dyn Cluster) -> Flow {
        Flow::Go(State::Quiet { since: cluster.now(), trying: None })
    }

    fn patience(&self, cluster: &dyn Cluster) -> Nanos {
        cluster.now().plus_ms(self.plan.ground.timing.recovery_ms_max)
    }
}

#[cfg(test)]
#[path = "runner_tests.rs"]
mod tests;
