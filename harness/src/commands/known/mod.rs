//! `stormglass known-answers`: programs of which it is known what a power loss costs them lose exactly that.
//!
//! | syncs | disk | then | remains |
//! |---|---|---|---|
//! | never | honest | SIGKILL | everything: the kernel has it |
//! | never | honest | power loss | nothing since the set-up |
//! | each write | honest | power loss | everything |
//! | each write | lies from the middle on | SIGKILL | everything |
//! | each write | lies from the middle on | power loss | the first half |
//!
//! **Invariant:** each row has its control among the others: a mechanism that does nothing, or too much, fails one of them.

mod broker;
mod line;
mod nats;
mod redis;

use super::Failure;
use crate::cli::{KnownArgs, KnownSubject};
use crate::guard::{ChildId, Signal};
use crate::holds::memory::{self, Memory};
use crate::run::Processes;
use crate::systems::{Launch, NodePlan, NodeRole, Owned, SystemChoice};
use crate::{ports, terminal, wait};
use history::NodeId;
use nemesis::cluster::Refusal;
use nemesis::disk::{DiskFault, Loss};
use results::Exit;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

const WRITES: u64 = 300;
/// The release that is meant where none is named.
const KAFKA: &str = "4.1.0";
/// A JVM on a machine with other work takes its time.
const PATIENCE: Duration = Duration::from_secs(90);

/// When a subject syncs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Syncs {
    Never,
    EachWrite,
}

/// What the disk does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Disk {
    Honest,
    LiesFromTheMiddleOn,
}

/// What happens to the process.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum End {
    Killed,
    PowerLost,
}

const CASES: [(Syncs, Disk, End, u64); 5] = [
    (Syncs::Never, Disk::Honest, End::Killed, WRITES),
    (Syncs::Never, Disk::Honest, End::PowerLost, 0),
    (Syncs::EachWrite, Disk::Honest, End::PowerLost, WRITES),
    (Syncs::EachWrite, Disk::LiesFromTheMiddleOn, End::Killed, WRITES),
    (Syncs::EachWrite, Disk::LiesFromTheMiddleOn, End::PowerLost, WRITES / 2),
];

/// A program that acknowledges writes.
trait Subject {
    /// As it is printed.
    fn name(&self) -> String;
    /// Brings about what must be there before it is laid out.
    fn prepare(&self, _processes: &mut Processes) -> Result<(), Failure> {
        Ok(())
    }
    /// Its processes, below `folder`: the one whose disk is in question last.
    fn lay_out(&self, folder: &Path, syncs: Syncs) -> Result<Vec<NodePlan>, Failure>;
    /// True once it serves; what is set up then, if it is `new`, counts as durable.
    fn ready(&self, address: SocketAddr, new: Option<Syncs>) -> std::io::Result<bool>;
    /// Writes so many, each acknowledged before the next.
    fn write(&self, address: SocketAddr, from: u64, to: u64) -> std::io::Result<()>;
    /// How many are there.
    fn count(&self, address: SocketAddr) -> std::io::Result<u64>;
}

/// The plan of a program that is one process, by its arguments for a port and a data folder.
fn alone(
    folder: &Path,
    argv: impl FnOnce(&Path, SocketAddr) -> std::io::Result<Vec<String>>,
) -> Result<Vec<NodePlan>, Failure> {
    let data = folder.join("data");
    std::fs::create_dir_all(&data).map_err(Failure::internal)?;
    let seat = ports::seats(1, None, false).and_then(|seats| seats.first().copied());
    let address = seat.ok_or_else(|| Failure::internal("there is no port to use"))?.listens;
    let argv = argv(&data, address).map_err(Failure::internal)?;
    let (launch, folder, stdout) = (Launch::default(), folder.to_owned(), folder.join("output.log"));
    let (id, role, owned, advertised) = (NodeId(1), NodeRole::Broker, Owned::Ours, address);
    Ok(vec![NodePlan { id, role, owned, argv, launch, address, advertised, voter: None, folder, data, stdout }])
}

fn subject(args: &KnownArgs) -> Result<Box<dyn Subject>, Failure> {
    let program = |usual: &str| args.program.clone().unwrap_or_else(|| usual.into()).to_string_lossy().into_owned();
    Ok(match args.subject {
        KnownSubject::Redis => Box::new(redis::Redis { program: program("redis-server") }),
        KnownSubject::Nats => Box::new(nats::Nats { program: program("nats-server") }),
        KnownSubject::Embedded => Box::new(broker::Broker::of(SystemChoice::Embedded)),
        KnownSubject::Kafka => {
            let choice = format!("kafka={}", program(KAFKA)).parse().map_err(Failure::usage)?;
            Box::new(broker::Broker::of(choice))
        }
    })
}

/// Runs every row and prints it. Exit 1 if one has another answer, 77 if there is no FUSE here, 69 without the program.
pub fn known_answers(args: &KnownArgs) -> Result<Exit, Failure> {
    let subject = subject(args)?;
    let mut processes = Processes::start().map_err(Failure::internal)?;
    subject.prepare(&mut processes)?;
    let folder = processes.make_folder().map_err(Failure::internal)?;
    let mut exit = Exit::Pass;
    for (index, (syncs, disk, end, expected)) in CASES.into_iter().enumerate() {
        let found = case(&*subject, &folder.join(index.to_string()), (syncs, disk, end), &mut processes)?;
        let verdict = if found == expected { "as known" } else { "OTHERWISE" };
        terminal::say(&format!(
            "{}: syncs {syncs:?}, disk {disk:?}, {end:?}: of {WRITES} {found} remain, known {expected}: {verdict}",
            subject.name()
        ));
        if found != expected {
            exit = Exit::Violation;
        }
    }
    processes.shutdown().map_err(Failure::internal)?;
    Ok(exit)
}

fn no_rights(refusal: Refusal) -> Failure {
    Failure { exit: Exit::NoRights, text: refusal.to_string() + memory::HELP }
}

fn case(
    subject: &dyn Subject,
    folder: &Path,
    (syncs, disk, end): (Syncs, Disk, End),
    processes: &mut Processes,
) -> Result<u64, Failure> {
    std::fs::create_dir_all(folder).map_err(Failure::internal)?;
    let mut plans = subject.lay_out(folder, syncs)?;
    let plan = plans.pop().ok_or_else(|| Failure::internal("a subject is at least one process"))?;
    let mut memory = Memory::start(&plan.folder, &plan.data, 1, processes).map_err(no_rights)?;
    let beside: Vec<ChildId> = plans.iter().map(|plan| spawn(plan, processes)).collect::<Result<_, _>>()?;
    let life = start(subject, &plan, Some(syncs), processes)?;
    memory.checkpoint().map_err(no_rights)?;
    subject.write(plan.address, 0, WRITES / 2).map_err(Failure::internal)?;
    if disk == Disk::LiesFromTheMiddleOn {
        memory.break_disk(DiskFault::FsyncLies).map_err(no_rights)?;
    }
    subject.write(plan.address, WRITES / 2, WRITES).map_err(Failure::internal)?;
    kill(life, processes)?;
    memory.mend().map_err(no_rights)?;
    if end == End::PowerLost {
        memory.lose_power(Loss::All, 1).map_err(no_rights)?;
    }
    let life = start(subject, &plan, None, processes)?;
    let found = subject.count(plan.address).map_err(Failure::internal)?;
    beside.into_iter().chain([life]).try_for_each(|life| kill(life, processes))?;
    memory.end(processes).map_err(no_rights)?;
    Ok(found)
}

fn kill(life: ChildId, processes: &mut Processes) -> Result<(), Failure> {
    processes.signal(life, Signal::Kill).map_err(Failure::internal)?;
    let ended = processes.wait_ended(life, PATIENCE);
    ended.map(drop).ok_or_else(|| Failure::internal("it was killed and not reaped"))
}

fn spawn(plan: &NodePlan, processes: &mut Processes) -> Result<ChildId, Failure> {
    let no_start = |text: String| Failure { exit: Exit::NoBroker, text };
    let life = processes.spawn(&plan.argv, &plan.launch, &plan.stdout).map_err(|e| no_start(e.to_string()))?;
    Ok(life.child)
}

fn start(
    subject: &dyn Subject,
    plan: &NodePlan,
    new: Option<Syncs>,
    processes: &mut Processes,
) -> Result<ChildId, Failure> {
    let life = spawn(plan, processes)?;
    let ready = wait::until(PATIENCE, || {
        let serves = subject.ready(plan.address, new).unwrap_or(false);
        let ended = processes.ended(life).is_some();
        (serves || ended).then_some(serves && !ended)
    });
    match ready {
        Some(true) => Ok(life),
        _ => {
            let text = format!("{} does not serve{}", plan.argv[0], crate::run::last_lines(&plan.stdout));
            Err(Failure { exit: Exit::NoBroker, text })
        }
    }
}
