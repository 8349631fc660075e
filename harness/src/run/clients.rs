//! The client processes of a run: planned by the workload, started under the guard, stopped by SIGTERM.

use super::bring_up::{Cluster, last_lines};
use super::nodes::{exit_of, life_of};
use super::processes::Processes;
use super::tally::Tally;
use crate::commands::Failure;
use crate::guard::proc::Stat;
use crate::guard::{Ended, Signal, Spawned};
use crate::java_client;
use crate::scenario::{Scenario, SystemChoice};
use crate::settings::Owner;
use crate::systems::Launch;
use crate::wait;
use history::{ProcessId, WriterId};
use nemesis::actor::TAG;
use nemesis::cluster::{Life, NodeState, Reaped, Refusal, SIGKILL};
use nemesis::skew::{ClockReading, Skew};
use nemesis::{Actor, ClientId, ClientPart};
use results::{Exit, Manifest, RunFolder};
use shim::Preload;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;
use workloads::clock;
use workloads::finals::Final;
use workloads::library::Library;
use workloads::spec::{AfterDeath, ClientSpec, JavaPlace, Load, RoleSpec, WRITERS_PER_LIFE};
use workloads::workload::{Pace, Plan, Site};

/// The patience with first acknowledgements where every client has to start a JVM before.
const FIRST_ACK_DEADLINE_JVM: Duration = Duration::from_secs(120);
const FLUSH_MS_MAX: u64 = 15_000;
const END_DEADLINE: Duration = Duration::from_secs(20);
const CLOSED_LOOP_OUTSTANDING: u64 = 10_000;
const SAMPLE_MS: u64 = 20;

/// One client, life after life.
struct Client {
    spec: ClientSpec,
    state: State,
    lives: u32,
    output: PathBuf,
    /// The hold on its wall clock, over all its lives, where the run's faults need one.
    clock: Option<Preload>,
}

/// What a client's process is doing.
#[derive(Clone, Copy)]
enum State {
    Alive(Spawned),
    /// It was stopped and not yet continued.
    Paused(Spawned),
    /// A fault ended it; it is to rise again.
    Down,
    /// It ended as it was told to, or died to stay dead.
    Gone,
}

/// All client processes.
pub struct Clients {
    clients: Vec<Client>,
    /// What they have appended, followed from their journals.
    pub tally: Tally,
    /// Who the final read is, in the history.
    pub drain: ProcessId,
    /// What is read after the load beside the logs.
    pub finals: Vec<Final>,
    folder: RunFolder,
    manifest: Manifest,
    next_writer: WriterId,
}

impl Clients {
    /// Plans the workload, names everybody in the manifest, and starts the processes.
    pub fn start(
        scenario: &Scenario,
        cluster: &Cluster,
        folder: &RunFolder,
        mut manifest: Manifest,
        processes: &mut Processes,
    ) -> Result<Clients, Failure> {
        let plan = plan(scenario, cluster, folder, manifest.names.run)?;
        manifest.names.logs = cluster.logs.iter().map(|l| format!("{}-{}", l.topic, l.partition)).collect();
        manifest.names.processes = plan.processes;
        manifest.names.registers = plan.registers;
        manifest.write(folder).map_err(Failure::internal)?;
        let mut clients = Clients {
            clients: Vec::new(),
            tally: Tally::default(),
            drain: plan.drain,
            finals: plan.finals,
            folder: folder.clone(),
            manifest,
            next_writer: plan.next_writer,
        };
        for spec in plan.clients {
            let clock = scenario.skews().clients.then(|| clients.hold_clock(&spec, scenario.seed)).transpose()?;
            let (state, output) = clients.spawn(clients.clients.len(), &spec, clock.as_ref(), processes)?;
            clients.clients.push(Client { spec, state, lives: 1, output, clock });
        }
        Ok(clients)
    }

    /// Notes that the load begins now: the zero of every printed time.
    pub fn begin(&mut self) -> Result<(), Failure> {
        self.manifest.names.epoch = clock::now();
        self.manifest.write(&self.folder).map_err(Failure::internal)
    }

    /// A hold on the wall clock of a client that is about to be started; its journal's clock is another one.
    fn hold_clock(&self, spec: &ClientSpec, seed: u64) -> Result<Preload, Failure> {
        let folder = self.folder.journals().join(format!("{}.clock", spec.name));
        let folder = std::path::absolute(folder).map_err(Failure::internal)?;
        std::fs::create_dir_all(&folder).map_err(Failure::internal)?;
        Preload::create(&folder, &folder, seed).map_err(|e| Failure { exit: Exit::NoRights, text: e.to_string() })
    }

    /// The wall clock of a client goes wrong.
    pub fn skew(&self, id: ClientId, skew: Skew) -> Result<(), Refusal> {
        self.clock(id)?.skew(Some(skew));
        Ok(())
    }

    /// It is right again; that it never was wrong is no error.
    pub fn mend(&self, id: ClientId) {
        if let Ok(clock) = self.clock(id) {
            clock.skew(None);
        }
    }

    /// What a client was told of the time.
    pub fn clock_reading(&self, id: ClientId) -> Result<ClockReading, Refusal> {
        Ok(self.clock(id)?.reading())
    }

    fn clock(&self, id: ClientId) -> Result<&Preload, Refusal> {
        let client = self.clients.get(id.0 as usize);
        let none = || Refusal(format!("there is no hold on the clock of client {}", id.0));
        client.and_then(|client| client.clock.as_ref()).ok_or_else(none)
    }

    fn spawn(
        &mut self,
        at: usize,
        spec: &ClientSpec,
        clock: Option<&Preload>,
        processes: &mut Processes,
    ) -> Result<(State, PathBuf), Failure> {
        let output = self.folder.journals().join(format!("{}.log", spec.name));
        let file = self.folder.journals().join(format!("{}.spec.json", spec.name));
        spec.save(&file).map_err(Failure::internal)?;
        let program = std::env::current_exe().map_err(Failure::internal)?;
        let argv = [program.to_string_lossy().into(), "client".into(), "--spec".into(), file.to_string_lossy().into()];
        let mut env = BTreeMap::from([(TAG.to_owned(), Actor::Client(ClientId(at as u32)).tag())]);
        env.extend(clock.into_iter().flat_map(Preload::env).map(|(name, value)| (name, Some(value))));
        let launch = Launch { env, ..Launch::default() };
        let life = processes.spawn(&argv, &launch, &output).map_err(Failure::internal)?;
        if spec.roles.iter().any(|role| role.writer().is_some()) {
            self.tally.also(spec.journal.clone());
        }
        Ok((State::Alive(life), output))
    }

    /// Every client that a fault may hit, and what it does. One that ended as it was told to is none of them.
    pub fn parts(&self) -> Vec<(ClientId, ClientPart)> {
        let part = |client: &Client| {
            let reads = |role: &RoleSpec| matches!(role, RoleSpec::Consumer(_));
            let transforms = |role: &RoleSpec| matches!(role, RoleSpec::Transform(_));
            if client.spec.roles.iter().any(transforms) {
                ClientPart::Transformer
            } else if client.spec.roles.iter().any(|role| role.writer().is_some()) {
                ClientPart::Producer
            } else if client.spec.roles.iter().any(reads) {
                ClientPart::Consumer
            } else {
                ClientPart::Other
            }
        };
        let all = (0..).map(ClientId).zip(&self.clients);
        all.filter(|(_, client)| !matches!(client.state, State::Gone)).map(|(id, client)| (id, part(client))).collect()
    }

    /// The first group that any of them is a member of.
    pub fn group(&self) -> Option<String> {
        self.roles().find_map(|role| role.group().map(str::to_owned))
    }

    /// The first transactional id that any of them uses.
    pub fn transactional_id(&self) -> Option<String> {
        self.roles().find_map(RoleSpec::transactional_id)
    }

    fn roles(&self) -> impl Iterator<Item = &RoleSpec> {
        self.clients.iter().flat_map(|client| &client.spec.roles)
    }

    /// What a client's process is doing.
    pub fn state(&self, id: ClientId) -> NodeState {
        match self.clients.get(id.0 as usize).map(|client| client.state) {
            Some(State::Alive(life)) => NodeState::Running(life_of(life)),
            Some(State::Paused(life)) => NodeState::Paused(life_of(life)),
            Some(State::Down | State::Gone) | None => NodeState::Down,
        }
    }

    /// The kernel's state letter of a client's process.
    pub fn process_state(&self, id: ClientId) -> Option<char> {
        let life = self.state(id).life()?;
        Stat::read(life.pid).ok().filter(|stat| stat.start_time == life.start_time).map(|stat| stat.state)
    }

    /// Ends a client's process by a signal and waits until it was reaped.
    pub fn end(&mut self, id: ClientId, signal: Signal, processes: &mut Processes) -> Result<Reaped, Refusal> {
        let (State::Alive(life) | State::Paused(life)) = self.hit(id)?.state else {
            return Err(Refusal(format!("client {} has no process", id.0)));
        };
        processes.signal(life.child, signal).map_err(|e| Refusal(e.to_string()))?;
        let exited = processes.wait_ended(life.child, END_DEADLINE);
        let exited = exited.ok_or_else(|| Refusal(format!("client {} did not end in time", id.0)))?;
        self.hit(id)?.state = State::Down;
        Ok(Reaped { pid: exited.pid, exit: exit_of(exited.ended) })
    }

    /// SIGSTOPs a client's process.
    pub fn pause(&mut self, id: ClientId, processes: &mut Processes) -> Result<(), Refusal> {
        let client = self.hit(id)?;
        let State::Alive(life) = client.state else { return Err(Refusal(format!("client {} is not running", id.0))) };
        processes.signal(life.child, Signal::Stop).map_err(|e| Refusal(e.to_string()))?;
        client.state = State::Paused(life);
        Ok(())
    }

    /// SIGCONTs a client's process.
    pub fn resume(&mut self, id: ClientId, processes: &mut Processes) -> Result<(), Refusal> {
        let client = self.hit(id)?;
        let State::Paused(life) = client.state else { return Err(Refusal(format!("client {} is not paused", id.0))) };
        processes.signal(life.child, Signal::Continue).map_err(|e| Refusal(e.to_string()))?;
        client.state = State::Alive(life);
        Ok(())
    }

    /// Starts the next life of a client that a fault ended.
    pub fn start_successor(&mut self, id: ClientId, processes: &mut Processes) -> Result<Life, Refusal> {
        let State::Down = self.hit(id)?.state else { return Err(Refusal(format!("client {} is not down", id.0))) };
        self.raise(id.0 as usize, processes).map_err(|failure| Refusal(failure.text))?;
        self.state(id).life().ok_or_else(|| Refusal(format!("client {} did not rise", id.0)))
    }

    fn hit(&mut self, id: ClientId) -> Result<&mut Client, Refusal> {
        self.clients.get_mut(id.0 as usize).ok_or_else(|| Refusal(format!("there is no client {}", id.0)))
    }

    /// Waits until records are acknowledged: the load has begun.
    pub fn await_first_acks(&mut self, patience: Duration, processes: &mut Processes) -> Result<(), Failure> {
        let java = self.clients.iter().any(|client| client.spec.library == Library::Java);
        let patience = if java { patience.max(FIRST_ACK_DEADLINE_JVM) } else { patience };
        let begun = wait::until(patience, || {
            self.tally.refresh();
            self.tend(processes).map(Err).or_else(|| (self.tally.total().acked > 0).then_some(Ok(())))
        });
        begun.unwrap_or_else(|| {
            let text = format!("no record was acknowledged within {patience:?}");
            Err(Failure { exit: Exit::NoBroker, text })
        })
    }

    /// Looks after clients that ended: one that died, or that was told to end in the middle of its work, rises under new
    /// names or stays away; any other end is a failure.
    pub fn tend(&mut self, processes: &mut Processes) -> Option<Failure> {
        for at in 0..self.clients.len() {
            let State::Alive(life) = self.clients[at].state else { continue };
            let Some(exited) = processes.ended(life.child) else { continue };
            self.clients[at].state = State::Gone;
            let client = &self.clients[at];
            match (exited.ended, client.spec.after_death) {
                (Ended::Signal(SIGKILL) | Ended::Code(0), AfterDeath::Stay) => {}
                (Ended::Signal(SIGKILL) | Ended::Code(0), AfterDeath::Rise) => {
                    if let Err(failure) = self.raise(at, processes) {
                        return Some(failure);
                    }
                }
                _ => {
                    let text = format!("client {} ended by itself{}", client.spec.name, last_lines(&client.output));
                    return Some(Failure::internal(text));
                }
            }
        }
        None
    }

    /// Starts the next life of a client that is gone. Its names are on file before it is.
    fn raise(&mut self, at: usize, processes: &mut Processes) -> Result<(), Failure> {
        let client = &self.clients[at];
        let lives = client.lives + 1;
        let process = ProcessId(self.manifest.names.processes.len() as u32);
        let (spec, names) = client.spec.reborn(lives, process, self.next_writer);
        self.next_writer.0 += WRITERS_PER_LIFE;
        self.manifest.names.processes.extend(names);
        self.manifest.write(&self.folder).map_err(Failure::internal)?;
        let clock = self.clients[at].clock.take();
        let (state, output) = self.spawn(at, &spec, clock.as_ref(), processes)?;
        self.clients[at] = Client { spec, state, lives, output, clock };
        Ok(())
    }

    /// Asks those who append to end and waits for what they still hear of, then everybody else.
    pub fn stop(&mut self, processes: &mut Processes) {
        let writes = |c: &&Client| c.spec.roles.iter().any(|role| role.writer().is_some());
        let (writers, others): (Vec<&Client>, Vec<&Client>) = self.clients.iter().partition(writes);
        end(&writers, processes);
        end(&others, processes);
        for client in &mut self.clients {
            if let Some(clock) = client.clock.take() {
                clock.remove();
                let _ = clock.folder().map(std::fs::remove_dir);
            }
        }
        self.tally.refresh();
    }
}

fn end(clients: &[&Client], processes: &mut Processes) {
    let alive = || {
        clients.iter().filter_map(|client| match client.state {
            State::Alive(life) | State::Paused(life) => Some(life.child),
            State::Down | State::Gone => None,
        })
    };
    for child in alive() {
        let _ = processes.signal(child, Signal::Terminate);
        let _ = processes.signal(child, Signal::Continue);
    }
    for child in alive() {
        if processes.wait_ended(child, END_DEADLINE).is_none() {
            let _ = processes.signal(child, Signal::Kill);
        }
    }
}

fn java_place(scenario: &Scenario) -> Result<Option<JavaPlace>, Failure> {
    if scenario.client != Library::Java {
        return Ok(None);
    }
    let client = java_client::found(scenario.java_release()).map_err(Failure::internal)?;
    Ok(Some(client.place))
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
        replication: scenario.cluster.replication as i16,
        exact: matches!(scenario.system, SystemChoice::Embedded),
        looks: Some(std::path::absolute(folder.cluster()).map_err(Failure::internal)?),
        library: scenario.client,
        java: java_place(scenario)?,
        journals: std::path::absolute(folder.journals()).map_err(Failure::internal)?,
        flush_ms_max: FLUSH_MS_MAX,
        producer: scenario.settings.values(Owner::Producer),
        consumer: scenario.settings.values(Owner::Consumer),
        first_process: ProcessId(0),
        first_writer: WriterId(0),
    };
    Ok(scenario.workload.shape().plan(&site))
}
