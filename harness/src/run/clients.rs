//! The client processes of a run: planned by the workload, started under the guard, stopped by SIGTERM.

use super::bring_up::{Cluster, last_lines};
use super::nodes::{exit_of, life_of};
use super::processes::Processes;
use super::tally::Tally;
use crate::commands::Failure;
use crate::guard::proc::Stat;
use crate::guard::{Signal, Spawned};
use crate::scenario::Scenario;
use crate::settings::Owner;
use crate::systems::Launch;
use crate::wait;
use history::{ProcessId, ProcessName, WriterId};
use nemesis::actor::TAG;
use nemesis::cluster::{Life, NodeState, Reaped, Refusal};
use nemesis::{Actor, ClientId, ClientPart};
use results::{Exit, Manifest, RunFolder};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;
use workloads::spec::{ClientSpec, Load, RoleSpec};
use workloads::workload::{Pace, Plan, Site};

const FIRST_ACK_DEADLINE: Duration = Duration::from_secs(20);
const FLUSH_MS_MAX: u64 = 15_000;
const END_DEADLINE: Duration = Duration::from_secs(20);
const CLOSED_LOOP_OUTSTANDING: u64 = 10_000;
const SAMPLE_MS: u64 = 20;

/// What a client's process is doing.
#[derive(Clone, Copy)]
enum State {
    Running(Spawned),
    Paused(Spawned),
    Down,
}

/// A client: the process that is there now, or the last one that was.
struct Client {
    spec: ClientSpec,
    state: State,
    /// How many processes there have been.
    lives: u32,
    output: PathBuf,
}

impl Client {
    fn life(&self) -> Option<Spawned> {
        match self.state {
            State::Running(life) | State::Paused(life) => Some(life),
            State::Down => None,
        }
    }
}

/// All client processes.
pub struct Clients {
    clients: Vec<Client>,
    /// What they have appended, followed from their journals.
    pub tally: Tally,
    /// Who the final read is, in the history.
    pub drain: ProcessId,
    names: Vec<ProcessName>,
    journals: PathBuf,
}

impl Clients {
    /// Plans the workload, names everybody in the manifest, and starts the processes.
    pub fn start(
        scenario: &Scenario,
        cluster: &Cluster,
        folder: &RunFolder,
        manifest: &mut Manifest,
        processes: &mut Processes,
    ) -> Result<Clients, Failure> {
        let plan = plan(scenario, cluster, folder, manifest.names.run)?;
        manifest.names.logs = cluster.logs.iter().map(|l| format!("{}-{}", l.topic, l.partition)).collect();
        manifest.names.processes = plan.processes;
        manifest.write(folder).map_err(Failure::internal)?;
        let mut clients = Clients {
            clients: Vec::new(),
            tally: Tally::default(),
            drain: plan.drain,
            names: manifest.names.processes.clone(),
            journals: folder.journals(),
        };
        for spec in plan.clients {
            let output = clients.journals.join(format!("{}.log", spec.name));
            clients.clients.push(Client { spec, state: State::Down, lives: 0, output });
            let id = ClientId(clients.clients.len() as u32 - 1);
            clients.spawn(id, processes).map_err(Failure::internal)?;
        }
        Ok(clients)
    }

    /// Starts the process that a client's specification describes.
    fn spawn(&mut self, id: ClientId, processes: &mut Processes) -> Result<Life, Refusal> {
        let refusal = |e: &dyn std::fmt::Display| Refusal(e.to_string());
        let journals = self.journals.clone();
        let client = self.client(id)?;
        let file = journals.join(format!("{}.spec.json", client.spec.name));
        client.spec.save(&file).map_err(|e| refusal(&e))?;
        let program = std::env::current_exe().map_err(|e| refusal(&e))?;
        let argv = [program.to_string_lossy().into(), "client".into(), "--spec".into(), file.to_string_lossy().into()];
        let env = BTreeMap::from([(TAG.to_owned(), Actor::Client(id).tag())]);
        let life =
            processes.spawn(&argv, &Launch { env, ..Launch::default() }, &client.output).map_err(|e| refusal(&e))?;
        (client.state, client.lives) = (State::Running(life), client.lives + 1);
        if client.spec.roles.iter().any(|role| matches!(role, RoleSpec::Producer(_))) {
            let journal = client.spec.journal.clone();
            self.tally.add(journal);
        }
        Ok(life_of(life))
    }

    /// Starts another process in the place of a client that has ended: with a journal and values of its own, and the same
    /// settings.
    pub fn start_successor(&mut self, id: ClientId, processes: &mut Processes) -> Result<Life, Refusal> {
        let mut names = std::mem::take(&mut self.names);
        let journals = std::path::absolute(&self.journals);
        let succeeded = journals.map_err(|e| Refusal(e.to_string())).and_then(|journals| {
            let client = self.client(id)?;
            succeed(&mut client.spec, client.lives + 1, &journals, &mut names);
            Ok(())
        });
        self.names = names;
        succeeded.and_then(|()| self.spawn(id, processes))
    }

    /// Names those that were not planned in the manifest.
    pub fn name_successors(&self, manifest: &mut Manifest) {
        manifest.names.processes.clone_from(&self.names);
    }

    fn client(&mut self, id: ClientId) -> Result<&mut Client, Refusal> {
        self.clients.get_mut(id.0 as usize).ok_or_else(|| Refusal(format!("there is no client {}", id.0)))
    }

    /// What a client's process is doing.
    pub fn state(&self, id: ClientId) -> NodeState {
        match self.clients.get(id.0 as usize).map(|client| client.state) {
            Some(State::Running(life)) => NodeState::Running(life_of(life)),
            Some(State::Paused(life)) => NodeState::Paused(life_of(life)),
            Some(State::Down) | None => NodeState::Down,
        }
    }

    /// The kernel's state letter of a client's process.
    pub fn process_state(&self, id: ClientId) -> Option<char> {
        let life = self.clients.get(id.0 as usize)?.life()?;
        Stat::read(life.pid).ok().filter(|stat| stat.start_time == life.start_time).map(|stat| stat.state)
    }

    /// Ends a client's process by a signal and waits until it was reaped.
    pub fn end(&mut self, id: ClientId, signal: Signal, processes: &mut Processes) -> Result<Reaped, Refusal> {
        let client = self.client(id)?;
        let life = client.life().ok_or_else(|| Refusal(format!("client {} has no process", id.0)))?;
        processes.signal(life.child, signal).map_err(|e| Refusal(e.to_string()))?;
        let exited = processes.wait_ended(life.child, END_DEADLINE);
        let exited = exited.ok_or_else(|| Refusal(format!("client {} did not end in time", id.0)))?;
        client.state = State::Down;
        Ok(Reaped { pid: exited.pid, exit: exit_of(exited.ended) })
    }

    /// SIGSTOPs a client's process.
    pub fn pause(&mut self, id: ClientId, processes: &mut Processes) -> Result<(), Refusal> {
        let client = self.client(id)?;
        let State::Running(life) = client.state else { return Err(Refusal(format!("client {} is not running", id.0))) };
        processes.signal(life.child, Signal::Stop).map_err(|e| Refusal(e.to_string()))?;
        client.state = State::Paused(life);
        Ok(())
    }

    /// SIGCONTs a client's process.
    pub fn resume(&mut self, id: ClientId, processes: &mut Processes) -> Result<(), Refusal> {
        let client = self.client(id)?;
        let State::Paused(life) = client.state else { return Err(Refusal(format!("client {} is not paused", id.0))) };
        processes.signal(life.child, Signal::Continue).map_err(|e| Refusal(e.to_string()))?;
        client.state = State::Running(life);
        Ok(())
    }

    /// Every client and what it does.
    pub fn parts(&self) -> Vec<(ClientId, ClientPart)> {
        let part = |client: &Client| {
            let has = |is: fn(&RoleSpec) -> bool| client.spec.roles.iter().any(is);
            if has(|role| matches!(role, RoleSpec::Producer(_))) {
                ClientPart::Producer
            } else if has(|role| matches!(role, RoleSpec::Consumer(_))) {
                ClientPart::Consumer
            } else {
                ClientPart::Other
            }
        };
        (0..).map(ClientId).zip(self.clients.iter().map(part)).collect()
    }

    /// Waits until records are acknowledged: the load has begun.
    pub fn await_first_acks(&mut self, processes: &mut Processes) -> Result<(), Failure> {
        let begun = wait::until(FIRST_ACK_DEADLINE, || {
            self.tally.refresh();
            self.failed(processes).map(Err).or_else(|| (self.tally.total().acked > 0).then_some(Ok(())))
        });
        begun.unwrap_or_else(|| {
            let text = format!("no record was acknowledged within {FIRST_ACK_DEADLINE:?}");
            Err(Failure { exit: Exit::NoBroker, text })
        })
    }

    /// A client that ended though nobody asked it to.
    pub fn failed(&self, processes: &mut Processes) -> Option<Failure> {
        let client =
            self.clients.iter().find(|c| c.life().is_some_and(|life| processes.ended(life.child).is_some()))?;
        Some(Failure::internal(format!("client {} ended by itself{}", client.spec.name, last_lines(&client.output))))
    }

    /// Asks producers to end and waits for what they still hear of, then everybody else.
    pub fn stop(&mut self, processes: &mut Processes) {
        let is_producer = |c: &&Client| c.spec.roles.iter().any(|r| matches!(r, RoleSpec::Producer(_)));
        let (producers, others): (Vec<&Client>, Vec<&Client>) = self.clients.iter().partition(is_producer);
        end(&producers, processes);
        end(&others, processes);
        self.tally.refresh();
    }
}

fn end(clients: &[&Client], processes: &mut Processes) {
    let lives: Vec<Spawned> = clients.iter().filter_map(|client| client.life()).collect();
    for life in &lives {
        let _ = processes.signal(life.child, Signal::Terminate);
        let _ = processes.signal(life.child, Signal::Continue);
    }
    for life in lives {
        if processes.wait_ended(life.child, END_DEADLINE).is_none() {
            let _ = processes.signal(life.child, Signal::Kill);
        }
    }
}

/// Makes a specification that of its `life`-th process: names, processes, values and journal of its own.
fn succeed(spec: &mut ClientSpec, life: u32, journals: &Path, names: &mut Vec<ProcessName>) {
    let next = |name: &str| format!("{}.{life}", name.split('.').next().unwrap_or(name));
    spec.name = next(&spec.name);
    spec.journal = journals.join(format!("{}.sgj", spec.name));
    for role in &mut spec.roles {
        let Some(before) = names.get(role.process_mut().0 as usize).cloned() else { continue };
        let fresh = names.iter().filter_map(|name| name.writer).max().map_or(WriterId(0), |w| WriterId(w.0 + 1));
        *role.process_mut() = ProcessId(names.len() as u32);
        let writer = role.writer_mut().map(|writer| {
            *writer = fresh;
            fresh
        });
        names.push(ProcessName { name: next(&before.name), role: before.role, writer });
    }
}

fn plan(scenario: &Scenario, cluster: &Cluster, folder: &RunFolder, run: u64) -> Result<Plan, Failure> {
    let load = match scenario.load.rate_per_s {
        0 => Load::ClosedLoop { outstanding_max: CLOSED_LOOP_OUTSTANDING },
        rate => Load::OpenLoop { per_second: rate as f64 },
    };
    let site = Site {
        run,
        seed: scenario.seed,
        bootstrap: cluster.nodes.bootstrap(),
        logs: cluster.logs.clone(),
        pace: Pace { load, record_bytes: scenario.load.record_bytes, sample_ms: SAMPLE_MS },
        library: scenario.client,
        journals: std::path::absolute(folder.journals()).map_err(Failure::internal)?,
        flush_ms_max: FLUSH_MS_MAX,
        producer: scenario.settings.values(Owner::Producer),
        consumer: scenario.settings.values(Owner::Consumer),
        first_process: ProcessId(0),
        first_writer: WriterId(0),
    };
    Ok(scenario.workload.plan(&site))
}
