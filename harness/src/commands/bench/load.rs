//! `stormglass bench load`: what recording costs. The same producer against one embedded broker with acks=1, with its journal and
//! without it in turn; what an event of theirs takes in the journal; and what an entry costs on its own.

use crate::commands::{Failure, run};
use crate::guard::Signal;
use crate::run::{Cluster, Processes, bring_up};
use crate::scenario::{ClusterShape, Scenario, preset};
use crate::settings::Owner;
use crate::systems::Launch;
use crate::terminal;
use history::{Kind, LogId, Nanos, ProcessId, WriterId};
use results::Exit;
use std::path::Path;
use std::time::{Duration, Instant};
use workloads::client::status::{Status, Tally};
use workloads::clock;
use workloads::journal::{Journal, Subject, segment_path};
use workloads::spec::{AfterDeath, ClientSpec, Load, ProducerApp, ProducerSpec, RoleSpec, Spread};

/// How long each producer loads.
const LOAD: Duration = Duration::from_secs(5);
const END: Duration = Duration::from_secs(30);
const OUTSTANDING: u64 = 100_000;
const RECORD_BYTES: usize = 100;
const EVENTS: u64 = 2_000_000;
const ENTRY_BYTES: usize = history::journal::ENTRY_WORDS * size_of::<u64>();

const PRODUCER: &[(&str, &str)] =
    &[("acks", "1"), ("enable.idempotence", "false"), ("linger.ms", "5"), ("queue.buffering.max.messages", "1000000")];

/// Loads `times` times each way and prints a table.
pub fn bench(times: u32) -> Result<Exit, Failure> {
    let folder = tempfile::tempdir().map_err(Failure::internal)?;
    let mut processes = Processes::start().map_err(Failure::internal)?;
    let mut cluster = bring_up(&scenario(), folder.path(), &mut processes)?;
    let (mut with, mut without, mut journalled) = (Vec::new(), Vec::new(), Journalled::default());
    for n in 0..times {
        without.push(load(&cluster, &mut processes, folder.path(), (n, false))?.0);
        let (rate, tally) = load(&cluster, &mut processes, folder.path(), (n, true))?;
        with.push(rate);
        journalled.add(&folder.path().join(format!("{}.sgj", name(n, true))), &tally)?;
    }
    cluster.nodes.stop_all(&mut processes, END);
    processes.shutdown().map_err(Failure::internal)?;
    let (with, without) = (median(with), median(without));
    terminal::say(&format!(
        "| one producer, {RECORD_BYTES} B records, acks=1, one broker; median of {times} | |\n|---|---|\n\
         | acknowledged records/s with the journal | {with:.0} |\n\
         | acknowledged records/s without it | {without:.0} |\n\
         | share | {:.3} |\n\
         | its events, each read back from the journal | {}, {:.1} B each |\n\
         | an entry on its own, whole, with its own clock reading | {} ns, {ENTRY_BYTES} B |",
        with / without,
        journalled.events,
        journalled.bytes as f64 / journalled.events.max(1) as f64,
        entry_ns(folder.path())?,
    ));
    Ok(Exit::Pass)
}

/// What the journals of loads hold, and what that takes.
#[derive(Default)]
struct Journalled {
    events: u64,
    bytes: u64,
}

impl Journalled {
    /// Reads a journal back: what its producer counted must be in it.
    fn add(&mut self, journal: &Path, tally: &Tally) -> Result<(), Failure> {
        let read = workloads::journal::read(journal, |_| ()).map_err(Failure::internal)?;
        if read.entries < tally.sent + tally.ok {
            let counted = format!("{} handed over and {} acknowledged", tally.sent, tally.ok);
            return Err(Failure::internal(format!("{} of these events are in the journal: {counted}", read.entries)));
        }
        self.events += read.entries;
        let segments = (0..read.segments).map(|n| segment_path(journal, n));
        self.bytes += segments.map(|path| path.metadata().map_or(0, |file| file.len())).sum::<u64>();
        Ok(())
    }
}

fn scenario() -> Scenario {
    let cluster = ClusterShape { brokers: 1, replication: 1, ..preset::CLUSTER };
    let scenario = Scenario { cluster, ..Scenario::new("bench-load", run::random_seed()) };
    scenario.with(Owner::Topic, "min.insync.replicas", "1")
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates.get(rates.len() / 2).copied().unwrap_or(0.0)
}

fn name(n: u32, records: bool) -> String {
    format!("{}-{n}", if records { "with" } else { "without" })
}

/// One producer for a while; acknowledged records a second, and its counts.
fn load(
    cluster: &Cluster,
    processes: &mut Processes,
    folder: &Path,
    (n, records): (u32, bool),
) -> Result<(f64, Tally), Failure> {
    let name = name(n, records);
    let mut spec = specification(cluster, folder, &name);
    spec.records = records;
    let file = folder.join(format!("{name}.json"));
    spec.save(&file).map_err(Failure::internal)?;
    let program = std::env::current_exe().map_err(Failure::internal)?;
    let argv = [program.to_string_lossy().into(), "client".into(), "--spec".into(), file.to_string_lossy().into()];
    let output = folder.join(format!("{name}.log"));
    let client = processes.spawn(&argv, &Launch::default(), &output).map_err(Failure::internal)?;
    let began = Instant::now();
    while began.elapsed() < LOAD && processes.ended(client.child).is_none() {
        processes.wait_event(LOAD.saturating_sub(began.elapsed()));
    }
    processes.signal(client.child, Signal::Terminate).map_err(Failure::internal)?;
    let ended = processes.wait_ended(client.child, END);
    ended.ok_or_else(|| Failure::internal(format!("{name} did not end")))?;
    let status = Status::load(&spec.status_path()).map_err(Failure::internal)?;
    let tally = status.roles.first().ok_or_else(|| Failure::internal("a client without a role"))?;
    Ok((tally.ok as f64 * 1e9 / tally.worked_ns.max(1) as f64, tally.clone()))
}

fn specification(cluster: &Cluster, folder: &Path, name: &str) -> ClientSpec {
    let mut properties = scenario().settings.values(Owner::Producer);
    properties.extend(PRODUCER.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    properties.remove("max.in.flight.requests.per.connection");
    ClientSpec {
        name: name.to_owned(),
        run: 1,
        journal: folder.join(format!("{name}.sgj")),
        bootstrap: cluster.nodes.bootstrap(),
        logs: cluster.logs.clone(),
        seed: 1,
        flush_ms_max: 20_000,
        library: Default::default(),
        java: None,
        records: true,
        after_death: AfterDeath::Stay,
        roles: vec![RoleSpec::Producer(ProducerSpec {
            process: ProcessId(0),
            writer: WriterId(0),
            load: Load::ClosedLoop { outstanding_max: OUTSTANDING },
            record_bytes: RECORD_BYTES,
            spread: Spread::RoundRobin,
            properties,
            app: ProducerApp::default(),
        })],
    }
}

/// What an entry costs on one thread, its clock reading included.
fn entry_ns(folder: &Path) -> Result<u64, Failure> {
    let journal = Journal::create(&folder.join("entries.sgj"), 1).map_err(Failure::internal)?;
    let subject = Subject { process: ProcessId(0), kind: Kind::Append, log: LogId(0), detail: 0 };
    let began = clock::now();
    for detail in 0..EVENTS {
        journal.invoke(Subject { detail, ..subject }, Nanos(0)).map_err(Failure::internal)?;
    }
    Ok(clock::now().since(began) / EVENTS)
}
