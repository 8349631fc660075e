//! An episode under way: performs its steps one after the other and notes what it sees.
//!
//! **Invariant:** the moment of injection is noted before the first harm is attempted, so that the window of risk is
//! never too short; a harm is done only to the very process the roles were told for.

use crate::actor::Actor;
use crate::cluster::{Appends, Cluster, LogRoles, NodeState, Refusal};
use crate::episode::{Episode, Evidence, Outcome, Part, Target};
use crate::ground::Timing;
use crate::holding::{self, Holding, Waited};
use crate::plan::Planned;
use crate::scene::{Scene, Skip};
use crate::step::{ATTEMPTS_MS, STALE_WRITES_MIN, Script, Step};
use crate::throttle::Throttling;
use crate::watch::{self, Watch};
use history::{LeaderEpoch, LogId, Nanos, NodeId};

/// How long a stopped process may take to show it, milliseconds.
const STOP_MS_MAX: u64 = 1000;
const SAMPLE_EVERY_MS: u64 = 5;
pub(crate) const COUNT_EVERY_MS: u64 = 20;
const ROLES_EVERY_MS: u64 = 100;

/// Whether a step is over.
pub(crate) enum Progress {
    Over,
    /// Not before this moment.
    Wait(Nanos),
}

/// An episode under way.
pub(crate) struct Active {
    pub(crate) episode: Episode,
    scene: Scene,
    script: Script,
    timing: Timing,
    step: usize,
    since: Option<Nanos>,
    base: Option<Appends>,
    watch: Option<Watch>,
    throttling: Option<Throttling>,
    holding: Holding,
}

/// What an episode was asked to be before a target was found.
pub(crate) fn unplaced(index: u32, planned: &Planned, asked: Nanos) -> Episode {
    Episode {
        index,
        fault: planned.fault,
        log: planned.log,
        logs: 0,
        hold_ms: planned.hold_ms,
        attempts: 0,
        targets: Vec::new(),
        asked,
        injected: None,
        healed: None,
        recovered: None,
        outcome: Outcome::Skipped { reason: String::new() },
        effective: false,
        evidence: Vec::new(),
    }
}

impl Active {
    /// An episode whose script is about to begin. Says no if a node of it does not run.
    pub(crate) fn begin(mut episode: Episode, scene: Scene, script: Script, timing: Timing) -> Result<Active, Skip> {
        let targets = script.targets.iter().map(|who| (*who, Part::Target));
        let accomplices = script.accomplices.iter().map(|who| (*who, Part::Accomplice));
        for (who, part) in targets.chain(accomplices) {
            let life = scene.life(who)?;
            episode.targets.push(Target::of(&scene, who, part, life));
        }
        episode.outcome = Outcome::Installed;
        let (since, base, watch, throttling) = (None, None, None, None);
        let holding = Holding::default();
        Ok(Active { episode, scene, script, timing, step: 0, since, base, watch, throttling, holding })
    }

    /// What chooses where a harm leaves a choice.
    pub(crate) fn choosing_by(mut self, pick: u32) -> Active {
        self.holding.seed = u64::from(pick) ^ u64::from(self.episode.index) << 32;
        self
    }

    /// Goes on hurting until the harm is over or was refused.
    pub(crate) fn hurt(&mut self, cluster: &mut dyn Cluster) -> Progress {
        while let Some(step) = self.script.hurt.get(self.step).cloned() {
            match self.perform(step, cluster) {
                Ok(Progress::Over) => self.next_step(),
                Ok(wait) => return wait,
                Err(refusal) => {
                    self.give_up(refusal.to_string());
                    break;
                }
            }
        }
        self.compare(cluster);
        self.step = 0;
        self.since = None;
        Progress::Over
    }

    /// Goes on with the script's own order of healing; what is refused here is left to the general healing.
    pub(crate) fn heal(&mut self, cluster: &mut dyn Cluster) -> Progress {
        while let Some(step) = self.script.heal.get(self.step).cloned() {
            match self.perform(step, cluster) {
                Ok(Progress::Wait(at)) => return Progress::Wait(at),
                Ok(Progress::Over) | Err(_) => self.next_step(),
            }
        }
        Progress::Over
    }

    /// What was done so far counts as not surely done, and the script's own order of healing is not waited for.
    pub(crate) fn give_up(&mut self, reason: String) {
        self.episode.outcome = match self.episode.injected {
            Some(_) => Outcome::Indeterminate { reason },
            None => Outcome::Skipped { reason },
        };
        self.script.heal.clear();
    }

    /// Everything is undone: notes when, and which of those hit are new processes.
    pub(crate) fn healed(&mut self, cluster: &dyn Cluster) {
        self.episode.healed = Some(cluster.now());
        for target in &self.episode.targets {
            let (who, before) = (target.who, target.life);
            if let Some(after) = cluster.state(who).life().filter(|after| *after != before) {
                self.episode.evidence.push(Evidence::Restarted { who, before, after });
            }
        }
    }

    /// The record.
    pub(crate) fn finish(mut self) -> Episode {
        let installed = self.episode.outcome == Outcome::Installed;
        self.episode.effective = installed && self.episode.fault.effective(&self.episode);
        self.episode
    }

    fn next_step(&mut self) {
        self.step += 1;
        self.since = None;
        self.base = None;
        self.throttling = None;
    }

    fn perform(&mut self, step: Step, cluster: &mut dyn Cluster) -> Result<Progress, Refusal> {
        let since = *self.since.get_or_insert(cluster.now());
        match step {
            Step::Kill(who) | Step::Terminate(who) => self.end(who, matches!(step, Step::Kill(_)), cluster)?,
            Step::Pause(who) => self.pause(who, cluster)?,
            Step::Resume(who) if matches!(cluster.state(who), NodeState::Paused(_)) => cluster.resume(who)?,
            Step::Start(who) if cluster.state(who) == NodeState::Down => _ = cluster.start(who)?,
            Step::Resume(_) | Step::Start(_) => (),
            Step::Sample(who) => return Ok(self.sample(who, since, cluster)),
            Step::Probe(node) => self.probe(node, cluster),
            Step::Throttle { who, cycle_ms, for_ms } => {
                return self.throttle(&who, cycle_ms, since.plus_ms(for_ms), cluster);
            }
            Step::Network(network) => {
                self.episode.injected.get_or_insert(cluster.now());
                self.watch = Some(Watch::begin(&network, cluster)?);
            }
            Step::AwaitTouched { at_most_ms } => return self.await_touched(since.plus_ms(at_most_ms), cluster),
            Step::Traffic => self.traffic(cluster)?,
            Step::RoundTrip(node) => {
                let trips = watch::round_trips(node, self.timing.probe_ms, cluster);
                self.episode.evidence.push(trips);
            }
            Step::Break(..) | Step::Wreck(..) | Step::Skew(..) | Step::Mend(_) => self.hold_wrong(&step, cluster)?,
            Step::AwaitFelt { node, fault, at_most_ms } => {
                let waited = self.holding.await_felt((node, fault), since.plus_ms(at_most_ms), cluster)?;
                return Ok(self.note(waited));
            }
            Step::AwaitSpare { nodes, at_most_ms } => {
                return holding::await_spare(&nodes, since.plus_ms(at_most_ms), cluster);
            }
            Step::AwaitTold { who, off_ms, at_most_ms } => {
                let waited = holding::await_told(who, off_ms, since.plus_ms(at_most_ms), cluster)?;
                return Ok(self.note(waited));
            }
            step => return Ok(self.await_something(&step, since, cluster)),
        }
        Ok(Progress::Over)
    }

    /// Steps that reach into disks and clocks.
    fn hold_wrong(&mut self, step: &Step, cluster: &mut dyn Cluster) -> Result<(), Refusal> {
        match *step {
            Step::Break(node, fault) => {
                self.still_the_same(node.into(), cluster)?;
                self.episode.injected.get_or_insert(cluster.now());
                self.holding.break_disk(node, fault, cluster)
            }
            Step::Wreck(node, wreck) => {
                self.episode.injected.get_or_insert(cluster.now());
                self.episode.evidence.push(self.holding.wreck(node, wreck, cluster)?);
                Ok(())
            }
            Step::Skew(who, skew) => {
                self.still_the_same(who, cluster)?;
                self.episode.injected.get_or_insert(cluster.now());
                cluster.skew_clock(who, skew)
            }
            Step::Mend(who) => cluster.mend(who),
            _ => Ok(()),
        }
    }

    fn note(&mut self, waited: Waited) -> Progress {
        match waited {
            Ok(evidence) => {
                self.episode.evidence.push(evidence);
                Progress::Over
            }
            Err(progress) => progress,
        }
    }

    /// Steps that only wait.
    fn await_something(&mut self, step: &Step, since: Nanos, cluster: &mut dyn Cluster) -> Progress {
        match *step {
            Step::Hold(ms) => wait_until(since.plus_ms(ms), cluster.now()),
            Step::AwaitStale { log, settle_ms, at_most_ms } => {
                let (settled, at_latest) = (since.plus_ms(settle_ms), since.plus_ms(at_most_ms));
                self.await_stale(log, settled, at_latest, cluster)
            }
            Step::AwaitElection { log, from, at_most_ms } => {
                await_election(log, from, since.plus_ms(at_most_ms), cluster)
            }
            Step::AwaitAhead { log, node, at_most_ms } => await_ahead(log, node, since.plus_ms(at_most_ms), cluster),
            Step::AwaitBehind { log, node, at_most_ms } => await_behind(log, node, since.plus_ms(at_most_ms), cluster),
            Step::AwaitAlone { log, node, at_most_ms } => {
                self.await_alone(log, node, since.plus_ms(at_most_ms), cluster)
            }
            Step::AwaitWhole { at_most_ms } => await_whole(since.plus_ms(at_most_ms), cluster),
            _ => Progress::Over,
        }
    }

    fn await_alone(&mut self, log: LogId, node: NodeId, at_latest: Nanos, cluster: &mut dyn Cluster) -> Progress {
        let left = |roles: &LogRoles| roles.log == log && roles.isr == [node];
        let alone = cluster.roles().iter().any(|roles| left(roles) && roles.leader.is_some_and(|(led, _)| led == node));
        let now = cluster.now();
        if alone {
            self.episode.evidence.push(Evidence::Alone { log, node });
        }
        if alone || now >= at_latest { Progress::Over } else { Progress::Wait(now.plus_ms(ROLES_EVERY_MS)) }
    }

    /// Says no if it is not the process it was when the roles were told.
    fn still_the_same(&self, who: Actor, cluster: &dyn Cluster) -> Result<(), Refusal> {
        match (self.scene.life(who), cluster.state(who)) {
            (Ok(before), NodeState::Running(now)) if before == now => Ok(()),
            _ => Err(Refusal(format!("{who} is not the process any more that it was when roles were told"))),
        }
    }

    fn end(&mut self, who: Actor, at_once: bool, cluster: &mut dyn Cluster) -> Result<(), Refusal> {
        self.still_the_same(who, cluster)?;
        self.episode.injected.get_or_insert(cluster.now());
        let reaped = if at_once { cluster.kill(who)? } else { cluster.terminate(who)? };
        self.episode.evidence.push(Evidence::Exited { who, reaped });
        Ok(())
    }

    fn pause(&mut self, who: Actor, cluster: &mut dyn Cluster) -> Result<(), Refusal> {
        self.still_the_same(who, cluster)?;
        self.episode.injected.get_or_insert(cluster.now());
        cluster.pause(who)
    }

    fn throttle(
        &mut self,
        who: &[Actor],
        cycle_ms: (u64, u64),
        until: Nanos,
        cluster: &mut dyn Cluster,
    ) -> Result<Progress, Refusal> {
        if self.throttling.is_none() {
            who.iter().try_for_each(|who| self.still_the_same(*who, cluster))?;
            self.episode.injected.get_or_insert(cluster.now());
        }
        let throttling = self.throttling.get_or_insert_with(|| Throttling::of(who, cycle_ms));
        if cluster.now() < until {
            return throttling.turn(cluster).map(Progress::Wait);
        }
        self.episode.evidence.extend(throttling.end(cluster)?);
        Ok(Progress::Over)
    }

    fn traffic(&mut self, cluster: &mut dyn Cluster) -> Result<(), Refusal> {
        if let Some(watch) = &self.watch {
            self.episode.evidence.extend(watch.seen(cluster)?);
        }
        Ok(())
    }

    fn await_touched(&self, at_latest: Nanos, cluster: &mut dyn Cluster) -> Result<Progress, Refusal> {
        let touched = self.watch.as_ref().map_or(Ok(true), |watch| watch.has_touched(cluster))?;
        let now = cluster.now();
        Ok(if touched || now >= at_latest { Progress::Over } else { Progress::Wait(now.plus_ms(COUNT_EVERY_MS)) })
    }

    fn sample(&mut self, who: Actor, since: Nanos, cluster: &dyn Cluster) -> Progress {
        let (state, at) = (cluster.process_state(who).unwrap_or('?'), cluster.now());
        if state != 'T' && at < since.plus_ms(STOP_MS_MAX) {
            return Progress::Wait(at.plus_ms(SAMPLE_EVERY_MS));
        }
        self.episode.evidence.push(Evidence::ProcessState { who, state, at });
        Progress::Over
    }

    fn probe(&mut self, node: NodeId, cluster: &mut dyn Cluster) {
        let timeout_ms = self.timing.probe_ms;
        let probe = cluster.probe(node, timeout_ms);
        self.episode.evidence.push(Evidence::Probed { node, probe, timeout_ms, at: cluster.now() });
    }

    fn await_stale(&mut self, log: LogId, settled: Nanos, at_latest: Nanos, cluster: &dyn Cluster) -> Progress {
        let now = cluster.now();
        if now < settled {
            return Progress::Wait(settled);
        }
        let count = cluster.appends(log);
        let base = *self.base.get_or_insert(count);
        let (invoked, acked) = (count.invoked.saturating_sub(base.invoked), count.acked.saturating_sub(base.acked));
        let attempted = invoked >= STALE_WRITES_MIN && now >= settled.plus_ms(ATTEMPTS_MS);
        if acked < STALE_WRITES_MIN && !attempted && now < at_latest {
            return Progress::Wait(now.plus_ms(COUNT_EVERY_MS));
        }
        self.episode.evidence.push(Evidence::Stale { log, invoked, acked });
        Progress::Over
    }

    /// Notes which roles the nodes that were hit have lost by the end of the harm.
    fn compare(&mut self, cluster: &mut dyn Cluster) {
        if self.episode.injected.is_none() {
            return;
        }
        let now = cluster.roles();
        for roles in &now {
            let Some(before) = self.scene.log(roles.log) else { continue };
            let hit = |node: NodeId| self.episode.targets.iter().any(|target| target.who == Actor::Node(node));
            let (log, to) = (roles.log, roles.leader);
            if let Some(from) = before.leader.filter(|from| hit(from.0) && to != Some(*from)) {
                self.episode.evidence.push(Evidence::LeaderMoved { log, from, to });
            }
            let left = before.isr.iter().copied().filter(|node| hit(*node) && !roles.isr.contains(node));
            self.episode.evidence.extend(left.map(|node| Evidence::LeftInSync { log, node }).collect::<Vec<_>>());
        }
    }
}

fn await_ahead(log: LogId, node: NodeId, at_latest: Nanos, cluster: &mut dyn Cluster) -> Progress {
    let ends = cluster.log_ends(log);
    let (own, others): (Vec<_>, Vec<_>) = ends.into_iter().partition(|(of, _)| *of == node);
    let ahead = own.iter().any(|(_, end)| others.iter().all(|(_, other)| end > other));
    let now = cluster.now();
    if ahead || now >= at_latest { Progress::Over } else { Progress::Wait(now.plus_ms(COUNT_EVERY_MS)) }
}

fn await_behind(log: LogId, node: NodeId, at_latest: Nanos, cluster: &mut dyn Cluster) -> Progress {
    let ends = cluster.log_ends(log);
    let own = ends.iter().find(|(of, _)| *of == node).map(|(_, end)| *end);
    let behind = own.is_some_and(|own| ends.iter().any(|(_, other)| *other > own));
    let now = cluster.now();
    if behind || now >= at_latest { Progress::Over } else { Progress::Wait(now.plus_ms(COUNT_EVERY_MS)) }
}

fn await_election(log: LogId, from: (NodeId, LeaderEpoch), at_latest: Nanos, cluster: &mut dyn Cluster) -> Progress {
    let elected = cluster.roles().iter().any(|roles| roles.log == log && roles.leader.is_some_and(|to| to != from));
    let now = cluster.now();
    if elected || now >= at_latest { Progress::Over } else { Progress::Wait(now.plus_ms(ROLES_EVERY_MS)) }
}

fn await_whole(at_latest: Nanos, cluster: &mut dyn Cluster) -> Progress {
    let whole = Scene::take(cluster).all_in_sync();
    let now = cluster.now();
    if whole || now >= at_latest { Progress::Over } else { Progress::Wait(now.plus_ms(ROLES_EVERY_MS)) }
}

fn wait_until(due: Nanos, now: Nanos) -> Progress {
    if now >= due { Progress::Over } else { Progress::Wait(due) }
}
