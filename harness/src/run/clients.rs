//! The client processes of a run: planned by the workload, started under the guard, stopped by SIGTERM.

use super::bring_up::{Cluster, last_lines};
use super::processes::Processes;
use super::tally::Tally;
use crate::commands::Failure;
use crate::guard::{Signal, Spawned};
use crate::scenario::Scenario;
use crate::settings::Owner;
use crate::systems::Launch;
use crate::wait;
use history::{ProcessId, WriterId};
use results::{Exit, Manifest, RunFolder};
use std::path::PathBuf;
use std::time::Duration;
use workloads::spec::{ClientSpec, Load, RoleSpec};
use workloads::workload::{Pace, Plan, Site};

const FIRST_ACK_DEADLINE: Duration = Duration::from_secs(20);
const FLUSH_MS_MAX: u64 = 15_000;
const END_DEADLINE: Duration = Duration::from_secs(20);
const CLOSED_LOOP_OUTSTANDING: u64 = 10_000;
const SAMPLE_MS: u64 = 20;

struct Client {
    spec: ClientSpec,
    life: Spawned,
    output: PathBuf,
}

/// All client processes.
pub struct Clients {
    clients: Vec<Client>,
    /// What they have appended, followed from their journals.
    pub tally: Tally,
    /// Who the final read is, in the history.
    pub drain: ProcessId,
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
        let mut clients = Vec::new();
        let program = std::env::current_exe().map_err(Failure::internal)?;
        for spec in plan.clients {
            let output = folder.journals().join(format!("{}.log", spec.name));
            let file = folder.journals().join(format!("{}.spec.json", spec.name));
            spec.save(&file).map_err(Failure::internal)?;
            let argv =
                [program.to_string_lossy().into(), "client".into(), "--spec".into(), file.to_string_lossy().into()];
            let life = processes.spawn(&argv, &Launch::default(), &output).map_err(Failure::internal)?;
            clients.push(Client { spec, life, output });
        }
        let producers = clients.iter().filter(|c| c.spec.roles.iter().any(|r| matches!(r, RoleSpec::Producer(_))));
        let tally = Tally::follow(producers.map(|c| c.spec.journal.clone()));
        Ok(Clients { clients, tally, drain: plan.drain })
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
        let client = self.clients.iter().find(|c| processes.ended(c.life.child).is_some())?;
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
    for client in clients {
        let _ = processes.signal(client.life.child, Signal::Terminate);
    }
    for client in clients {
        if processes.wait_ended(client.life.child, END_DEADLINE).is_none() {
            let _ = processes.signal(client.life.child, Signal::Kill);
        }
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
