//! The load's time: the nemesis is ticked, time passes, and whatever happens everything is healed at the end.

use super::clients::Clients;
use super::interrupt::Interrupt;
use super::live::Live;
use super::log_ends::LogEnds;
use super::processes::Processes;
use super::{Cluster, Job};
use crate::commands::Failure;
use crate::scenario::{Faults, Injector, Scenario};
use crate::settings::Owner;
use crate::systems;
use nemesis::{Ground, Next, Noop, Plan, PlanError, Runner, Timing};
use results::json::Appender;
use results::{RunFolder, json};
use std::time::Duration;
use workloads::clock;
use workloads::workload::Need;

/// Longest time between two looks at the world.
const TICK: Duration = Duration::from_millis(20);

/// What breaking left behind.
#[derive(Debug, Default)]
pub struct Broken {
    /// Nodes that could not be healed, in words.
    pub unhealed: Option<String>,
}

/// What is broken and watched.
pub struct Field<'a> {
    /// Every process of the run.
    pub processes: &'a mut Processes,
    /// The cluster.
    pub cluster: &'a mut Cluster,
    /// Its clients.
    pub clients: &'a mut Clients,
    /// The ends of replicas, followed.
    pub ends: &'a mut LogEnds,
    /// What does the breaking.
    pub injector: Injector,
}

impl Field<'_> {
    /// One look at the world: what ended, what was appended, what the nemesis does next. A client that ended by itself is
    /// a failure.
    fn tick(&mut self, runner: &mut Runner, stop: bool) -> (Next, Option<Failure>) {
        self.clients.tally.refresh();
        self.cluster.nodes.notice(self.processes);
        let failure = self.clients.tend(self.processes);
        if stop || failure.is_some() {
            runner.interrupt();
        }
        let proxy_gone = self.cluster.network.is_gone(self.processes);
        let failure = failure.or_else(|| proxy_gone.then(|| Failure::internal("the proxy ended by itself")));
        let Field { processes, cluster, clients, ends, injector } = self;
        let Cluster { nodes, topic, logs, network, .. } = &mut **cluster;
        let mut live = Live { processes, nodes, clients, network, ends, logs, topic };
        let next = match injector {
            Injector::Real => runner.tick(&mut live),
            Injector::Noop => runner.tick(&mut Noop(&mut live)),
        };
        (next, failure)
    }
}

/// Breaks the cluster until the load's time is up or the user interrupts.
pub fn break_it(job: &Job, interrupt: &Interrupt, folder: &RunFolder, mut field: Field<'_>) -> Result<Broken, Failure> {
    let plan = plan(&job.scenario).map_err(|e| Failure::usage(e.to_string()))?;
    json::write(&folder.plan(), &plan).map_err(Failure::internal)?;
    let mut faults = Appender::open(&folder.faults()).map_err(Failure::internal)?;
    let begin = clock::now();
    let end = begin.plus_ms(job.scenario.load.time.as_millis() as u64);
    let mut runner = Runner::new(plan, begin);
    let mut failed: Option<Failure> = None;
    loop {
        let over = failed.is_some() || interrupt.heard().is_some();
        let (next, failure) = field.tick(&mut runner, over);
        failed = failed.or(failure);
        for episode in runner.take_finished() {
            faults.append(&episode).map_err(Failure::internal)?;
            let at = episode.injected.unwrap_or(episode.asked).since(begin) as f64 / 1e9;
            job.tell(&format!("{at:8.3} s  {episode}"));
        }
        let now = clock::now();
        let until = match next {
            Next::Done if over || now >= end => break,
            Next::Done => end,
            Next::At(time) => time,
        };
        field.processes.wait_event(Duration::from_nanos(until.since(now)).min(TICK));
    }
    let unhealed = runner.unhealed().map(ToString::to_string);
    failed.map_or(Ok(Broken { unhealed }), Err)
}

/// The schedule of a scenario, checked against the cluster's clocks.
pub fn plan(scenario: &Scenario) -> Result<Plan, PlanError> {
    let ground = ground(scenario);
    let time_ms = scenario.load.time.as_millis() as u64;
    match &scenario.faults {
        Faults::Drawn(mix) => Plan::draw(scenario.seed, mix, time_ms, ground),
        Faults::Scheduled(schedule) => schedule.plan(scenario.seed, time_ms, ground),
        Faults::Scripted(episodes) => Plan::scripted(time_ms, ground, episodes.clone()),
    }
}

/// The cluster as a plan sees it.
pub fn ground(scenario: &Scenario) -> Ground {
    let shape = scenario.cluster;
    Ground {
        logs: shape.partitions.into(),
        brokers: shape.brokers.into(),
        controllers: shape.controllers.into(),
        replication: shape.replication.into(),
        groups: scenario.workload.shape().needs().contains(&Need::Groups),
        transactions: scenario.workload.shape().needs().contains(&Need::Transactions),
        timing: timing(scenario),
    }
}

/// The cluster's own clocks, as configured.
fn timing(scenario: &Scenario) -> Timing {
    let defaults = Timing::default();
    let of = |owner: Owner, name: &str, default: u64| {
        scenario.settings.get(owner, name).and_then(|s| s.value.parse().ok()).unwrap_or(default)
    };
    let ms = |name: &str, default: u64| of(Owner::Broker, name, default);
    let (recovery_ms, recovery_ms_max) = systems::of(&scenario.system).recovery_ms();
    Timing {
        recovery_ms,
        recovery_ms_max,
        fetch_wait_ms: ms("replica.fetch.wait.max.ms", defaults.fetch_wait_ms),
        lag_ms_max: ms("replica.lag.time.max.ms", defaults.lag_ms_max),
        session_ms: ms("broker.session.timeout.ms", defaults.session_ms),
        heartbeat_ms: ms("broker.heartbeat.interval.ms", defaults.heartbeat_ms),
        member_ms: of(Owner::Consumer, "session.timeout.ms", defaults.member_ms),
        ..defaults
    }
}
