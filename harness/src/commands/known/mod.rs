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

mod line;
mod nats;
mod redis;

use super::Failure;
use crate::cli::{KnownArgs, KnownSubject};
use crate::guard::Signal;
use crate::holds::memory::Memory;
use crate::run::Processes;
use crate::systems::Launch;
use crate::{ports, terminal, wait};
use nemesis::disk::{DiskFault, Loss};
use results::Exit;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

const WRITES: u64 = 300;
const PATIENCE: Duration = Duration::from_secs(30);

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
    /// Its arguments, the program first.
    fn argv(&self, place: &Place, syncs: Syncs) -> std::io::Result<Vec<String>>;
    /// True once it serves; what is set up then counts as durable.
    fn ready(&self, address: SocketAddr, first: bool) -> std::io::Result<bool>;
    /// Writes so many, each acknowledged before the next.
    fn write(&self, address: SocketAddr, from: u64, to: u64) -> std::io::Result<()>;
    /// How many are there.
    fn count(&self, address: SocketAddr) -> std::io::Result<u64>;
}

/// Where a subject lives.
struct Place {
    folder: PathBuf,
    data: PathBuf,
    address: SocketAddr,
}

/// Runs every row and prints it. Exit 1 if one has another answer, 77 if there is no FUSE here, 69 without the program.
pub fn known_answers(args: &KnownArgs) -> Result<Exit, Failure> {
    let usual = match args.subject {
        KnownSubject::Redis => "redis-server",
        KnownSubject::Nats => "nats-server",
    };
    let program = args.program.clone().unwrap_or_else(|| usual.into()).to_string_lossy().into_owned();
    let subject: Box<dyn Subject> = match args.subject {
        KnownSubject::Redis => Box::new(redis::Redis { program }),
        KnownSubject::Nats => Box::new(nats::Nats { program }),
    };
    let mut processes = Processes::start().map_err(Failure::internal)?;
    let folder = tempfile::tempdir().map_err(Failure::internal)?;
    let mut exit = Exit::Pass;
    for (index, (syncs, disk, end, expected)) in CASES.into_iter().enumerate() {
        let found = case(&*subject, &folder.path().join(index.to_string()), (syncs, disk, end), &mut processes)?;
        let verdict = if found == expected { "as known" } else { "OTHERWISE" };
        terminal::say(&format!(
            "{usual}: syncs {syncs:?}, disk {disk:?}, {end:?}: of {WRITES} {found} remain, known {expected}: {verdict}"
        ));
        if found != expected {
            exit = Exit::Violation;
        }
    }
    processes.shutdown().map_err(Failure::internal)?;
    Ok(exit)
}

fn case(
    subject: &dyn Subject,
    folder: &Path,
    (syncs, disk, end): (Syncs, Disk, End),
    processes: &mut Processes,
) -> Result<u64, Failure> {
    let data = folder.join("data");
    std::fs::create_dir_all(&data).map_err(Failure::internal)?;
    let no_rights = |e: nemesis::cluster::Refusal| Failure { exit: Exit::NoRights, text: e.to_string() };
    let mut memory = Memory::start(folder, &data, 1, processes).map_err(no_rights)?;
    let seat = ports::seats(1, None, false).and_then(|seats| seats.first().copied());
    let seat = seat.ok_or_else(|| Failure::internal("there is no port to use"))?;
    let place = Place { folder: folder.to_owned(), data, address: seat.listens };
    let argv = subject.argv(&place, syncs).map_err(Failure::internal)?;
    let life = start(subject, &place, &argv, true, processes)?;
    memory.checkpoint().map_err(no_rights)?;
    subject.write(place.address, 0, WRITES / 2).map_err(Failure::internal)?;
    if disk == Disk::LiesFromTheMiddleOn {
        memory.break_disk(DiskFault::FsyncLies).map_err(no_rights)?;
    }
    subject.write(place.address, WRITES / 2, WRITES).map_err(Failure::internal)?;
    processes.signal(life, Signal::Kill).map_err(Failure::internal)?;
    processes.wait_ended(life, PATIENCE).ok_or_else(|| Failure::internal("it was killed and not reaped"))?;
    memory.mend().map_err(no_rights)?;
    if end == End::PowerLost {
        memory.lose_power(Loss::All, 1).map_err(no_rights)?;
    }
    let life = start(subject, &place, &argv, false, processes)?;
    let found = subject.count(place.address).map_err(Failure::internal)?;
    processes.signal(life, Signal::Kill).map_err(Failure::internal)?;
    let _ = processes.wait_ended(life, PATIENCE);
    memory.end(processes).map_err(no_rights)?;
    Ok(found)
}

fn start(
    subject: &dyn Subject,
    place: &Place,
    argv: &[String],
    first: bool,
    processes: &mut Processes,
) -> Result<crate::guard::ChildId, Failure> {
    let no_start = |text: String| Failure { exit: Exit::NoBroker, text };
    let output = place.folder.join("output.log");
    let life = processes.spawn(argv, &Launch::default(), &output).map_err(|e| no_start(e.to_string()))?;
    let ready = wait::until(PATIENCE, || {
        let serves = subject.ready(place.address, first).unwrap_or(false);
        let ended = processes.ended(life.child).is_some();
        (serves || ended).then_some(serves && !ended)
    });
    match ready {
        Some(true) => Ok(life.child),
        _ => Err(no_start(format!("{} does not serve{}", argv[0], crate::run::last_lines(&output)))),
    }
}
