//! Whole controllers and clients in one process: each controller has a runtime of its own, which can be killed or stopped.

mod brokers;
mod chaos;
mod quorum;

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        mpsc::{Sender, channel},
    },
    time::Duration,
};

use tempfile::TempDir;
use tokio::{
    net::TcpListener,
    runtime::{Builder, Runtime},
    sync::watch,
    time::timeout,
};

use super::{Controller, ControllerConfig};
use crate::metadata::{
    Applies, ClientConfig, ClusterImage, ControllerClient, Incarnation,
    event::{EventSink, Happened, MetadataEvent},
    ids::{BrokerEpoch, BrokerId, ControllerId},
    quorum::Leadership,
};

/// Longest wait for a condition; far beyond what it takes.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Events kept for questions.
#[derive(Default)]
pub struct Heard(Mutex<Vec<MetadataEvent>>);

impl EventSink for Heard {
    fn event(&self, event: &MetadataEvent) {
        self.0.lock().unwrap().push(event.clone());
    }
}

impl Heard {
    pub fn count(&self, matches: impl Fn(&Happened) -> bool) -> usize {
        self.0.lock().unwrap().iter().filter(|event| matches(&event.happened)).count()
    }
}

/// Controllers 100, 101, … and what they need to come back.
pub struct Quorum {
    folder: TempDir,
    voters: BTreeMap<ControllerId, String>,
    running: BTreeMap<ControllerId, Running>,
    pub heard: Arc<Heard>,
    tune: fn(&mut ControllerConfig),
}

struct Running {
    runtime: Runtime,
    controller: Controller,
    resume: Option<Sender<()>>,
}

impl Quorum {
    /// Starts this many controllers, with sessions of a second.
    pub fn start(count: i32) -> Self {
        Self::tuned(count, |config| config.session_timeout = Duration::from_secs(1))
    }

    /// Starts this many controllers, with sessions that do not end while a test runs.
    pub fn patient(count: i32) -> Self {
        Self::tuned(count, |config| config.session_timeout = PATIENCE)
    }

    pub fn tuned(count: i32, tune: fn(&mut ControllerConfig)) -> Self {
        let ids: Vec<_> = (100..100 + count).map(ControllerId).collect();
        let sockets: Vec<_> = ids.iter().map(|_| std::net::TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let address = |socket: &std::net::TcpListener| socket.local_addr().unwrap().to_string();
        let voters = ids.iter().copied().zip(sockets.iter().map(address)).collect();
        let folder = tempfile::tempdir().unwrap();
        let mut quorum = Self { folder, voters, running: BTreeMap::new(), heard: Arc::default(), tune };
        for (id, socket) in ids.into_iter().zip(sockets) {
            quorum.launch(id, socket);
        }
        quorum
    }

    fn launch(&mut self, id: ControllerId, socket: std::net::TcpListener) {
        let mut config = ControllerConfig::new(id, self.voters.clone(), self.folder_of(id));
        config.election_timeout = Duration::from_millis(300);
        (self.tune)(&mut config);
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let events: Arc<Heard> = Arc::clone(&self.heard);
        let controller = aside(|| {
            runtime.block_on(async {
                socket.set_nonblocking(true).unwrap();
                super::start_on(TcpListener::from_std(socket).unwrap(), config, events).await
            })
        });
        self.running.insert(id, Running { runtime, controller: controller.unwrap(), resume: None });
    }

    pub fn folder_of(&self, id: ControllerId) -> std::path::PathBuf {
        self.folder.path().join(id.to_string())
    }

    /// As SIGKILL, but that what is being written is written.
    pub fn kill(&mut self, id: ControllerId) {
        let Running { runtime, controller, resume } = self.running.remove(&id).unwrap();
        drop(resume);
        aside(|| runtime.shutdown_timeout(PATIENCE));
        drop(controller);
    }

    pub fn restart(&mut self, id: ControllerId) {
        let socket = std::net::TcpListener::bind(&self.voters[&id]).unwrap();
        self.launch(id, socket);
    }

    /// As SIGSTOP.
    pub fn stop(&mut self, id: ControllerId) {
        let running = self.running.get_mut(&id).unwrap();
        let (resume, wait) = channel();
        let (stopping, stopped) = channel();
        running.runtime.spawn(async move {
            stopping.send(()).unwrap();
            let _resumed = wait.recv();
        });
        stopped.recv_timeout(PATIENCE).unwrap();
        running.resume = Some(resume);
    }

    /// As SIGCONT.
    pub fn resume(&mut self, id: ControllerId) {
        drop(self.running.get_mut(&id).unwrap().resume.take());
    }

    /// Where the first of them listens.
    pub fn address(&self) -> String {
        self.voters[&ControllerId(100)].clone()
    }

    pub fn leadership(&self, id: ControllerId) -> watch::Receiver<Leadership> {
        self.running[&id].controller.leadership()
    }

    pub fn image(&self, id: ControllerId) -> Arc<ClusterImage> {
        Arc::clone(&self.running[&id].controller.committed().borrow().image)
    }

    /// Whoever leads, once somebody among those not stopped does.
    pub async fn leader(&self) -> ControllerId {
        let awake = self.running.iter().filter(|(_, running)| running.resume.is_none());
        let mut leaderships: Vec<_> = awake.map(|(id, running)| (*id, running.controller.leadership())).collect();
        let found = async {
            loop {
                let leads = |leadership: &Leadership| matches!(leadership, Leadership::Here { .. });
                if let Some((id, _)) = leaderships.iter().find(|(_, leadership)| leads(&leadership.borrow())) {
                    return *id;
                }
                let [first, rest @ ..] = leaderships.as_mut_slice() else { panic!("nobody is awake") };
                let _polls_the_others_too = timeout(Duration::from_millis(20), first.1.changed()).await;
                rest.iter_mut().for_each(|(_, leadership)| leadership.mark_unchanged());
            }
        };
        timeout(PATIENCE, found).await.expect("nobody leads")
    }

    /// A client of broker `id`, registering.
    pub fn client(&self, id: i32) -> ControllerClient {
        ControllerClient::start(self.client_config(id, None))
    }

    pub fn client_config(&self, id: i32, previous_epoch: Option<BrokerEpoch>) -> ClientConfig {
        ClientConfig {
            broker: BrokerId(id),
            incarnation: Incarnation::random(),
            host: "127.0.0.1".into(),
            port: 9092,
            rack: None,
            previous_epoch,
            voters: self.voters.clone(),
            heartbeat_interval: Duration::from_millis(100),
            attempt_timeout: Duration::from_millis(500),
            request_timeout: PATIENCE,
            applies: Applies::OnReceipt,
        }
    }
}

impl Drop for Quorum {
    fn drop(&mut self) {
        let all: Vec<_> = self.running.keys().copied().collect();
        all.into_iter().for_each(|id| self.kill(id));
    }
}

/// On a thread of its own, for what may not be done on one that drives a runtime.
fn aside<T: Send>(act: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| scope.spawn(act).join().unwrap())
}

/// Waits until a client's image satisfies a condition.
pub async fn until(client: &ControllerClient, condition: impl Fn(&ClusterImage) -> bool) -> Arc<ClusterImage> {
    let mut image = client.image();
    let found = timeout(PATIENCE, image.wait_for(|image| condition(image))).await;
    Arc::clone(&found.expect("the image never became so").expect("the client ended"))
}

/// Brokers 1, 2, 3, ready.
pub async fn three_brokers(quorum: &Quorum) -> [ControllerClient; 3] {
    let clients = [1, 2, 3].map(|id| quorum.client(id));
    for client in &clients {
        client.ready(PATIENCE).await.unwrap();
    }
    clients
}
