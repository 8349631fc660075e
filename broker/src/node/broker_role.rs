//! A broker from its start to its stop, inside a runtime: what the process runs, and what tests run several of.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::{End, NodeError, tasks};
use crate::broker::Broker;
use crate::config::{Address, Config};
use crate::coordinator::transaction::{Pendings, Transactions};
use crate::coordinator::{Coordinator, Home, topic};
use crate::evidence::{Event, Events};
use crate::groups::Settings;
use crate::groups::desk::Desk;
use crate::halt::Halt;
use crate::ids::BrokerEpoch;
use crate::lease::Lease;
use crate::metadata::{Applies, ClientConfig, ControllerClient, Incarnation, Standing};
use crate::partition::Context;
use crate::peers::Peers;
use crate::producer_ids::ProducerIds;
use crate::replicas::{Recovered, Replicas};
use crate::replication::{self, Fetchers, isr};
use crate::server;
use crate::storage::Storage;

const READY_PATIENCE: Duration = Duration::from_secs(3600);

/// See the module.
pub struct BrokerRole {
    broker: Arc<Broker>,
    fetchers: Arc<Fetchers>,
    tasks: JoinSet<()>,
    addresses: Vec<Address>,
}

impl BrokerRole {
    /// Recovers, listens and begins to register. Must be called inside a runtime.
    ///
    /// # Errors
    /// [`NodeError`].
    pub async fn start(config: Config, events: Events, halt: Halt) -> Result<BrokerRole, NodeError> {
        let storage = Storage::open(&config.log_dir, &config.cluster_id, config.node)?;
        let previous_epoch = storage.previous_epoch();
        let recovered = recover(storage, &config, &events).await?;
        let (sockets, addresses) = bind(&config).await?;
        let controller = ControllerClient::start(client_config(&config, &addresses[0], previous_epoch));
        let lease = match config.lease_enable {
            true => Lease::new(controller.heard_ns(), config.session_timeout),
            false => Lease::endless(),
        };
        let context = Arc::new(Context {
            me: config.node,
            events: events.clone(),
            bugs: config.bugs,
            lag_ns_max: config.replica.lag_time_max.as_nanos() as u64,
            lease,
            image: controller.image(),
        });
        let replicas = Arc::new(Replicas::new(recovered, context.clone()));
        let (isr, carrier) = isr::channel();
        let cluster_id = config.cluster_id.clone();
        let applied = watch::Sender::default();
        let home = |topic| Home {
            topic,
            replicas: replicas.clone(),
            context: context.clone(),
            halt: halt.clone(),
            commit_timeout: config.values().millis("offsets.commit.timeout.ms"),
        };
        let groups = Coordinator::new(home(topic::OFFSETS), Settings::of(&config));
        let groups = Arc::new(Desk::new(groups, applied.subscribe(), &config));
        let transactions = Transactions::new(Coordinator::new(home(topic::TRANSACTIONS), ()), config.bugs);
        let broker = Arc::new(Broker {
            transactions,
            pendings: Pendings::default(),
            peers: Peers::new(controller.image()),
            config,
            cluster_id,
            events,
            controller,
            replicas,
            context,
            isr,
            producer_ids: ProducerIds::default(),
            groups,
            halt,
            applied,
        });
        let fetchers = Arc::new(Fetchers::new(fetch_setting(&broker)));
        let mut tasks = JoinSet::new();
        let room = server::room(broker.config.limits.connections_max);
        for (listener, socket) in sockets.into_iter().enumerate() {
            tasks.spawn(server::serve(broker.clone(), socket, listener, room.clone()));
        }
        tasks.spawn(carrier.run(broker.controller.clone()));
        tasks::spawn(&mut tasks, &broker, &fetchers);
        Ok(BrokerRole { broker, fetchers, tasks, addresses })
    }

    /// Waits until the controllers have accepted this broker as a full member.
    ///
    /// # Errors
    /// [`NodeError::Controller`].
    pub async fn ready(&self) -> Result<(), NodeError> {
        let broker_epoch = self.broker.controller.ready(READY_PATIENCE).await?;
        self.broker.events.emit(Event::Registered { broker_epoch });
        Ok(())
    }

    /// Where clients reach it.
    pub fn listeners(&self) -> Vec<String> {
        self.addresses.iter().map(ToString::to_string).collect()
    }

    /// What its handlers share, for tests and tools.
    pub fn broker(&self) -> &Arc<Broker> {
        &self.broker
    }

    /// Waits until another process has taken this broker's id.
    pub async fn superseded(&self) {
        let mut standing = self.broker.controller.standing();
        let _closed = standing.wait_for(|standing| *standing == Standing::Superseded).await;
    }

    /// Ends it: in order if it was asked to, at once otherwise.
    pub async fn stop(mut self, end: &End) {
        if let End::Halted(reason) = end {
            let dir = self.broker.config.log_dir.display().to_string();
            self.broker.events.emit(Event::LogDirFailed { dir, error: reason.clone() });
            return;
        }
        let epoch = if *end == End::Stopped { self.hand_over().await } else { None };
        self.tasks.shutdown().await;
        self.fetchers.stop().await;
        self.close(epoch).await;
    }

    /// Gives up leaderships and the place in every ISR while still serving.
    async fn hand_over(&self) -> Option<BrokerEpoch> {
        let values = self.broker.config.values();
        if !values.flag("controlled.shutdown.enable") {
            return None;
        }
        let patience = values.millis("stormglass.shutdown.timeout.ms");
        self.broker.context.lease.give_up();
        self.broker.controller.stop(patience).await.ok()
    }

    async fn close(self, epoch: Option<BrokerEpoch>) {
        let BrokerRole { broker, fetchers, tasks, .. } = self;
        drop((fetchers, tasks));
        let closing = tokio::task::spawn_blocking(move || {
            let replicas = broker.replicas.clone();
            let events = broker.events.clone();
            drop(broker);
            let clean = replicas.close() && replicas.storage().left_clean(epoch).is_ok();
            if !clean {
                events.note("the stop was not clean: the logs will be recovered");
            }
        });
        let _panicked = closing.await;
    }
}

async fn bind(config: &Config) -> Result<(Vec<TcpListener>, Vec<Address>), NodeError> {
    let (mut sockets, mut addresses) = (Vec::new(), Vec::new());
    for listener in &config.listeners {
        let failed = |source| NodeError::Listen { address: listener.bind.to_string(), source };
        let socket = server::bind(&listener.bind).await.map_err(failed)?;
        let bound = socket.local_addr().map_err(failed)?.port();
        let port = if listener.advertised.port == 0 { bound } else { listener.advertised.port };
        addresses.push(Address { host: listener.advertised.host.clone(), port });
        sockets.push(socket);
    }
    if sockets.is_empty() {
        let source = std::io::ErrorKind::AddrNotAvailable.into();
        return Err(NodeError::Listen { address: "listeners: none for the broker role".to_owned(), source });
    }
    Ok((sockets, addresses))
}

fn client_config(config: &Config, address: &Address, previous_epoch: Option<BrokerEpoch>) -> ClientConfig {
    let timeout = config.values().millis("controller.quorum.request.timeout.ms");
    ClientConfig {
        broker: config.node,
        incarnation: Incarnation::random(),
        host: address.host.clone(),
        port: address.port,
        rack: config.rack.clone(),
        previous_epoch,
        voters: config.voters.iter().map(|voter| (voter.id, voter.address.to_string())).collect(),
        heartbeat_interval: config.heartbeat_interval,
        attempt_timeout: timeout.min(config.session_timeout / 3),
        request_timeout: timeout,
        applies: Applies::WhenTold,
    }
}

async fn recover(storage: Storage, config: &Config, events: &Events) -> Result<Recovered, NodeError> {
    let (config, events) = (config.clone(), events.clone());
    let opened = tokio::task::spawn_blocking(move || Recovered::open(storage, &config, &events)).await;
    let failed = |error: tokio::task::JoinError| NodeError::System { doing: "recovery", source: error.into() };
    Ok(opened.map_err(failed)??)
}

fn fetch_setting(broker: &Broker) -> replication::Setting {
    replication::Setting {
        me: broker.config.node,
        replica: broker.config.replica.clone(),
        answer_bytes_max: broker.config.limits.request_bytes_max,
        image: broker.context.image.clone(),
        standing: broker.controller.standing(),
        events: broker.events.clone(),
        replicas: broker.replicas.clone(),
        halt: broker.halt.clone(),
    }
}
