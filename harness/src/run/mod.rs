//! One run, from a scenario to a judged folder. One thread owns it: it starts, waits, breaks, heals, drains and collects;
//! everything it waits for has a deadline.
//!
//! **Invariants:** the guard is started before there is another thread; the manifest is written before anything starts;
//! whatever goes wrong afterwards, the folder stays and the error names it.

mod break_it;
mod bring_up;
mod clients;
mod collect;
mod duties;
mod effective;
mod interrupt;
mod live;
mod log_ends;
mod network;
mod network_tried;
mod nodes;
mod processes;
mod tally;

pub use break_it::{ground, plan};
pub use bring_up::{Cluster, bring_up, bring_up_as, last_lines};
pub use interrupt::{Interrupt, Wish};
pub use network::Hold;
pub use network_tried::tried as network_tried;
pub use processes::Processes;
pub use tally::journals_in;

use crate::commands::Failure;
use crate::holds::machine;
use crate::judging::{self, Judged};
use crate::scenario::{Keeping, Scenario};
use crate::{contract, systems, terminal};
use break_it::Field;
use clients::Clients;
use history::{Names, Nanos, NodeId};
use log_ends::LogEnds;
use results::manifest::{Argv, Began, Machine, Manifest, Properties, Seed};
use results::wall::Wall;
use results::{Exit, RunFolder, json};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Instant;
use workloads::clock;
use workloads::library::Library;

/// What is to be run, and how it is shown.
pub struct Job {
    /// What is run.
    pub scenario: Scenario,
    /// Where results go.
    pub keeping: Keeping,
    /// The command that repeats it; from the program's arguments if absent.
    pub repeat: Option<Vec<String>>,
    /// No progress.
    pub quiet: bool,
}

impl Job {
    /// One line of progress.
    pub fn tell(&self, line: &str) {
        if !self.quiet {
            terminal::progress(line);
        }
    }
}

/// Runs and judges.
pub fn execute(mut job: Job) -> Result<Judged, Failure> {
    let began = Instant::now();
    let mut processes = Processes::start().map_err(Failure::internal)?;
    let interrupt = Interrupt::listen().map_err(Failure::internal)?;
    systems::of(&job.scenario.system).prepare(&job.scenario, &mut processes)?;
    machine::fit(&mut job.scenario, &mut processes)?;
    let (folder, mut manifest) = open_folder(&job)?;
    job.tell(&format!("seed {}   folder {}", manifest.seed, folder.path().display()));
    contract::lines(&manifest.contract).iter().for_each(|line| job.tell(line));
    job.scenario.expected_loss().iter().for_each(|line| job.tell(line));
    let end = go_through(&job, &mut processes, &interrupt, &folder, &mut manifest);
    processes.shutdown().map_err(Failure::internal)?;
    json::write(&judging::end_file(&folder), &end?).map_err(Failure::internal)?;
    collect::gather(&folder).map_err(|e| kept(&folder, Failure::internal(e)))?;
    let judged = judging::judge(&folder)?;
    judged.write()?;
    collect::tidy(&folder, job.keeping.data || judged.exit == Exit::Violation);
    folder.enter_index(&judged.verdict.index_line(&folder)).map_err(Failure::internal)?;
    job.tell(&format!("judged after {:.1} s", began.elapsed().as_secs_f64()));
    Ok(judged)
}

/// How a run ended; a run whose controller was killed has none.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct End {
    /// When the last process had ended.
    pub at: Nanos,
    /// The user's wish, if it ended by that.
    pub interrupted: Option<Wish>,
    /// Nodes that could not be made to run again.
    pub unhealed: Option<String>,
    /// Nodes that ended without being asked to.
    pub surprises: Vec<String>,
    /// What should have been read after the load beside the logs and could not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unread: Vec<String>,
}

/// Everything between the first process and the last. Errors keep the folder and say so.
fn go_through(
    job: &Job,
    processes: &mut Processes,
    interrupt: &Interrupt,
    folder: &RunFolder,
    manifest: &mut Manifest,
) -> Result<End, Failure> {
    job.scenario.skipped.iter().for_each(|skip| job.tell(&format!("note: {skip}")));
    let mut cluster = bring_up(&job.scenario, &folder.brokers(), processes).map_err(|f| kept(folder, f))?;
    job.tell(&format!(
        "cluster of {} brokers answers after {:.2} s",
        cluster.nodes.brokers().len(),
        cluster.took.as_secs_f64()
    ));
    manifest.backends = cluster.backends(&job.scenario);
    manifest.backends.iter().for_each(|(what, how)| job.tell(&format!("{what:13} {how}")));
    manifest.names.nodes = cluster.nodes.brokers();
    effective::read_back(&job.scenario, &cluster, folder).map_err(|f| kept(folder, f))?;
    let mut clients = Clients::start(&job.scenario, &cluster, folder, manifest.clone(), processes)?;
    let patience = systems::of(&job.scenario.system).patience();
    clients.await_first_acks(patience, processes).map_err(|f| kept(folder, f))?;
    clients.begin()?;
    let field = Field {
        processes: &mut *processes,
        cluster: &mut cluster,
        clients: &mut clients,
        ends: &mut LogEnds::default(),
        injector: job.scenario.injector,
    };
    let broken = break_it::break_it(job, interrupt, folder, field)?;
    clients.stop(processes);
    let (drained, unread) = collect::drain(&mut cluster, &clients, folder, (manifest.names.run, &job.scenario))?;
    cluster.nodes.notice(processes);
    let surprises: Vec<String> = cluster.nodes.surprises().iter().map(|s| surprise(folder, s)).collect();
    cluster.nodes.stop_all(processes, collect::STOP_DEADLINE);
    let surprises = [surprises, cluster.nodes.holds().release(processes)].concat();
    let complete = drained.is_complete();
    job.tell(&format!("drained {} logs, {}", drained.logs.len(), if complete { "complete" } else { "incomplete" }));
    Ok(End { at: clock::now(), interrupted: interrupt.heard(), unhealed: broken.unhealed, surprises, unread })
}

fn surprise(folder: &RunFolder, surprise: &nodes::Surprise) -> String {
    let tail = bring_up::last_lines(&folder.broker_output(surprise.node));
    format!("node {} ended by itself ({:?}){tail}", surprise.node.0, surprise.ended)
}

fn kept(folder: &RunFolder, failure: Failure) -> Failure {
    let help = format!("\n  help: everything is kept in {}", folder.path().display());
    Failure { text: failure.text + &help, ..failure }
}

fn open_folder(job: &Job) -> Result<(RunFolder, Manifest), Failure> {
    let scenario = &job.scenario;
    let (wall, mono) = (Wall(clock::wall()), clock::now());
    let folder =
        RunFolder::create(&job.keeping.out, &scenario.name, wall, scenario.seed).map_err(Failure::unreadable)?;
    let system = systems::of(&scenario.system);
    let mut versions = BTreeMap::from([("stormglass".to_owned(), env!("CARGO_PKG_VERSION").to_owned())]);
    versions.insert("librdkafka".into(), workloads::librdkafka_version());
    if scenario.client == Library::Java {
        versions.insert("kafka-clients".into(), scenario.java_release().to_owned());
    }
    versions.insert(system.name().into(), system.version());
    versions.extend(system.facts());
    let roles = crate::settings::Owner::ALL.into_iter();
    let properties = roles.map(|o| (o.name().to_owned(), Properties::from_iter(scenario.settings.values(o)))).collect();
    let nodes = (1..=i32::from(scenario.cluster.brokers)).map(NodeId).collect();
    let manifest = Manifest {
        stormglass: results::manifest::FORMAT,
        scenario: scenario.name.clone(),
        system: system.name().into(),
        seed: Seed(scenario.seed),
        argv: Argv::from_iter(job.repeat.clone().unwrap_or_else(|| repeat(scenario.seed))),
        versions,
        digests: system.digests(),
        machine: Machine::here(),
        began: Began { wall, mono },
        names: Names { run: rand::random(), nodes, ..Names::default() },
        properties,
        backends: BTreeMap::new(),
        contract: scenario.contract(),
        promises: contract::promises(&scenario.settings, &scenario.traits()),
    };
    json::write(&judging::scenario_file(&folder), scenario).map_err(Failure::internal)?;
    manifest.write(&folder).map_err(Failure::internal)?;
    Ok((folder, manifest))
}

/// The arguments of this program, and the seed if it was not among them.
fn repeat(seed: u64) -> Vec<String> {
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    if !args.iter().any(|arg| arg == "--seed" || arg.starts_with("--seed=")) {
        args.extend(["--seed".into(), format!("{seed:x}")]);
    }
    args.insert(0, "stormglass".into());
    args
}
