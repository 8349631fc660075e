//! The life of a node: take the folder, recover, listen, register, serve, and stop in order.
//!
//! ```text
//! open storage -> recover logs -> bind -> register and follow the image -> ready -> ... -> hand over -> close -> exit 0
//!                                                                            \-> disk failure            -> exit 1
//! ```
//!
//! **Invariants.** Logs are recovered before the controller hears of this node. The image is applied by one task, in
//! order. The mark of a clean stop is written last, and only if every log was closed in order.

mod broker_role;
mod controller_role;
mod files;
mod tasks;

use std::path::Path;
use std::time::Duration;

use thiserror::Error;
use tokio::signal::unix::{SignalKind, signal};

use crate::clock;
use crate::config::{Config, ConfigError};
use crate::evidence::{Event, Events};
use crate::halt::Halt;
use crate::storage::StorageError;
pub use broker_role::BrokerRole;

/// Tokio's worker threads: one a core of the small machines it runs on, several nodes side by side.
pub const WORKER_THREADS: usize = 2;
/// Threads for fsync and recovery.
pub const BLOCKING_THREADS_MAX: usize = 16;
const RUNTIME_PATIENCE: Duration = Duration::from_secs(1);

/// Why a node could not start.
#[derive(Debug, Error)]
#[allow(missing_docs, reason = "the fields are named in the messages")]
pub enum NodeError {
    /// The properties are wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The log folder is unusable.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The address is unusable.
    #[error("cannot listen on {address}: {source}")]
    Listen { address: String, source: std::io::Error },
    /// The system refused something else.
    #[error("{doing}: {source}")]
    System { doing: &'static str, source: std::io::Error },
    /// The controller quorum was not reached, or knows another process under this id.
    #[error("not accepted by the controllers: {0}")]
    Controller(#[from] crate::metadata::ControllerError),
    /// The controller role could not start.
    #[error("controller: {0}")]
    ControllerRole(#[from] crate::controller::ControllerFailure),
}

/// How a node ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// Asked to by a signal.
    Stopped,
    /// Another process registered under its id.
    Superseded,
    /// A failure it must not survive.
    Halted(String),
}

impl End {
    /// The process's exit code.
    pub fn exit_code(&self) -> i32 {
        match self {
            End::Stopped => 0,
            End::Superseded | End::Halted(_) => 1,
        }
    }
}

/// Runs a node until it is told to stop, on a runtime of its own.
///
/// # Errors
/// [`NodeError`]: it never served.
pub fn run(properties: &Path) -> Result<i32, NodeError> {
    let mut config = Config::read(properties)?;
    let files = files::raise();
    config.limits.connections_max = config.limits.connections_max.min(files::connections(files));
    let events = Events::open(config.node, &config.events_file)
        .map_err(|source| NodeError::System { doing: "cannot open the events file", source })?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKER_THREADS)
        .max_blocking_threads(BLOCKING_THREADS_MAX)
        .thread_stack_size(1 << 20)
        .enable_all()
        .build()
        .map_err(|source| NodeError::System { doing: "cannot start the runtime", source })?;
    let ended = runtime.block_on(live(config, events.clone()));
    runtime.shutdown_timeout(RUNTIME_PATIENCE);
    let code = ended.as_ref().map_or(1, End::exit_code);
    events.emit(Event::Stopped { exit_code: code });
    ended.map(|end| end.exit_code())
}

async fn live(config: Config, events: Events) -> Result<End, NodeError> {
    let began_ns = clock::monotonic_ns();
    let halt = Halt::default();
    let mut stop = Signals::new()?;
    announce(&config, &events);
    let controller =
        if config.roles.controller() { Some(controller_role::start(&config, &events).await?) } else { None };
    let broker =
        if config.roles.broker() { Some(BrokerRole::start(config, events.clone(), halt.clone()).await?) } else { None };
    let end = tokio::select! {
        end = until_the_end(broker.as_ref(), &events, &halt, &mut stop, began_ns) => end?,
        reason = controller_role::ended(controller.as_ref()) => End::Halted(reason),
    };
    events.emit(Event::Stopping { reason: format!("{end:?}") });
    if let Some(broker) = broker {
        broker.stop(&end).await;
    }
    if let Some(controller) = controller {
        controller.shutdown().await;
    }
    Ok(end)
}

fn announce(config: &Config, events: &Events) {
    events.emit(Event::Starting {
        version: env!("CARGO_PKG_VERSION"),
        roles: format!("{:?}", config.roles).to_lowercase(),
        bugs: config.bugs.active().map(|bug| bug.name()).collect(),
    });
}

async fn until_the_end(
    broker: Option<&BrokerRole>,
    events: &Events,
    halt: &Halt,
    stop: &mut Signals,
    began_ns: u64,
) -> Result<End, NodeError> {
    let lived = async {
        let Some(broker) = broker else { return std::future::pending().await };
        broker.ready().await?;
        let startup_ms = (clock::monotonic_ns() - began_ns) / 1_000_000;
        events.emit(Event::Ready { listeners: broker.listeners(), startup_ms });
        broker.superseded().await;
        Ok(End::Superseded)
    };
    tokio::select! {
        end = lived => end,
        () = stop.received() => Ok(End::Stopped),
        reason = halt.reason() => Ok(End::Halted(reason)),
    }
}

/// SIGTERM and SIGINT.
struct Signals {
    term: tokio::signal::unix::Signal,
    int: tokio::signal::unix::Signal,
}

impl Signals {
    fn new() -> Result<Signals, NodeError> {
        let failed = |source| NodeError::System { doing: "cannot listen to signals", source };
        let of = |kind| signal(kind).map_err(failed);
        Ok(Signals { term: of(SignalKind::terminate())?, int: of(SignalKind::interrupt())? })
    }

    async fn received(&mut self) {
        tokio::select! {
            _ = self.term.recv() => {}
            _ = self.int.recv() => {}
        }
    }
}
