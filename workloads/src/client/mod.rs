//! The client process: reads its specification, runs one thread per role, ends on SIGTERM or when its work is done.
//!
//! **Invariants:** an effect is journalled before the client library hears of it, and its reply after the library has
//! parsed it; so a SIGKILL at any moment loses no invocation that could have reached a broker. SIGTERM ends the generating,
//! waits for what is under way, journals what came back and leaves the rest open. Nothing is installed that outlives it.
//!
//! Deliberately absent: dying with its parent (the guard sees to that), judging, and every retry librdkafka does not make.

pub mod applications;
pub mod consumer;
pub mod generator;
pub mod java;
pub mod member;
pub mod observer;
pub mod operator;
pub mod outstanding;
pub mod producer;
pub mod sampler;
pub mod single;
pub mod status;
pub mod stop;
pub mod transactional;

use crate::journal::{Journal, JournalError};
use crate::spec::{ClientSpec, SpecError};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use status::{Status, Tally};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use stop::Stop;

/// Why a client process could not do what it was told. An operation's outcome is never one of these.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Its specification.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// Its journal: without one it must not send anything.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// librdkafka would not be set up.
    #[error("librdkafka refused to start: {0}")]
    Library(#[from] rdkafka::error::KafkaError),
    /// Its database: a sink, an outbox.
    #[error("database: {0}")]
    Sink(#[from] rusqlite::Error),
    /// A signal handler or a thread could not be set up, or the status could not be written.
    #[error("{what}: {source}")]
    Io {
        /// What was attempted.
        what: String,
        /// What the system answered.
        source: io::Error,
    },
    /// The Java client.
    #[error("the Java client: {0}")]
    Java(String),
    /// A role that its library does not play: a scenario that asks for it is refused before it starts.
    #[error("a role that {0}")]
    Refused(&'static str),
    /// A role's thread ended by a panic.
    #[error("a role of the client panicked; its journal is whole up to that moment")]
    Panicked,
}

impl ClientError {
    /// The process's exit code: 65 unreadable specification, 70 everything else.
    pub fn exit_code(&self) -> i32 {
        match self {
            ClientError::Spec(_) => 65,
            _ => 70,
        }
    }
}

/// What a role's thread has at hand.
#[derive(Clone)]
pub struct Context {
    /// The process's specification.
    pub spec: Arc<ClientSpec>,
    /// The process's journal.
    pub journal: Arc<Journal>,
    /// Set when the process is asked to end.
    pub stop: Arc<Stop>,
}

/// `stormglass client --spec FILE`: the whole life of a client process. Returns its exit code; a failure is also told on
/// stderr.
pub fn main(spec_path: &Path) -> i32 {
    match run(spec_path) {
        Ok(_) => 0,
        Err(failure) => {
            // Whether anybody reads stderr is not the client's concern.
            let _ = writeln!(io::stderr(), "client: {failure}");
            failure.exit_code()
        }
    }
}

/// As [`main`], with what was done.
pub fn run(spec_path: &Path) -> Result<Status, ClientError> {
    let stop = Arc::new(Stop::default());
    let signals = listen(stop.clone())?;
    let ended = load_and_run(spec_path, stop);
    signals.close();
    ended
}

fn load_and_run(spec_path: &Path, stop: Arc<Stop>) -> Result<Status, ClientError> {
    let spec = Arc::new(ClientSpec::load(spec_path)?);
    if let Some(failure) = spec.library.applications().becomes(&spec, spec_path) {
        return Err(failure);
    }
    let journal = match spec.records {
        true => Journal::create(&spec.journal, spec.run)?,
        false => Journal::absent(spec.run),
    };
    let journal = Arc::new(journal);
    let context = Context { spec: spec.clone(), journal, stop };
    let status = Status { name: spec.name.clone(), roles: run_roles(&context)? };
    status.save(&spec.status_path()).map_err(|source| failed("write the status", &spec.status_path(), source))?;
    Ok(status)
}

fn listen(stop: Arc<Stop>) -> Result<signal_hook::iterator::Handle, ClientError> {
    let failed = |source| ClientError::Io { what: "listen to signals".into(), source };
    let mut signals = Signals::new([SIGTERM, SIGINT]).map_err(failed)?;
    let handle = signals.handle();
    let body = move || signals.forever().for_each(|_| stop.ask());
    thread::Builder::new().name("signals".into()).spawn(body).map_err(failed)?;
    Ok(handle)
}

fn run_roles(context: &Context) -> Result<Vec<Tally>, ClientError> {
    let (spec, library) = (context.spec.clone(), context.spec.library.applications());
    thread::scope(|scope| {
        let mut threads = Vec::new();
        for role in &spec.roles {
            let context = context.clone();
            threads.push(scope.spawn(move || {
                // A role that cannot go on ends the process's work: half a client would look like a quiet one.
                library.run(&context, role).inspect_err(|_| context.stop.ask())
            }));
        }
        threads.into_iter().map(|t| t.join().unwrap_or(Err(ClientError::Panicked))).collect()
    })
}

/// Ends the process by SIGKILL, now.
fn die() -> ! {
    let _ = nix::sys::signal::raise(nix::sys::signal::Signal::SIGKILL);
    loop {
        std::thread::park();
    }
}

fn failed(what: &str, path: &Path, source: io::Error) -> ClientError {
    let path: PathBuf = path.to_owned();
    ClientError::Io { what: format!("{what} {}", path.display()), source }
}
