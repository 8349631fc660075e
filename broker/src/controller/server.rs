//! The controller's listener: brokers and other controllers on one port.
//!
//! Every call is answered as soon as it can be, in any order; a connection has at most [`CALLS_MAX`] under way and there are at most
//! [`CONNECTIONS_MAX`] connections. Bytes that make no sense end their connection and nothing else; so does saying nothing to begin
//! with, or taking no answers.

use std::{sync::Arc, time::Duration};

use tokio::{
    io::BufReader,
    net::{TcpListener, TcpStream, tcp::OwnedWriteHalf},
    sync::{Semaphore, mpsc, oneshot},
    task::JoinSet,
    time::{Instant, timeout, timeout_at},
};

use super::reign::Asked;
use crate::metadata::{
    connection::{Call, CallBody, Response, ResponseBody},
    error::ControllerError,
    ids::Version,
    quorum::{Leadership, MetadataQuorum},
    raft::RaftQuorum,
    rpc::{FetchMetadata, MetadataUpdate, QuorumDescription, Reply, Request},
    wire,
};

/// Most connections at a time.
pub const CONNECTIONS_MAX: usize = 512;
/// Most unanswered calls of a connection.
pub const CALLS_MAX: usize = 64;

/// Until the first call is there: who connects has something to ask.
const FIRST_CALL_PATIENCE: Duration = Duration::from_secs(10);
/// Until an answer is taken.
const ANSWER_PATIENCE: Duration = Duration::from_secs(30);
/// Out of file descriptors, most likely: connections must end before another can begin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

const POLL_MS_MAX: u64 = 60_000;

/// What a connection needs.
#[derive(Clone)]
pub struct Service {
    /// For other controllers, and for what needs no decision.
    pub quorum: Arc<RaftQuorum>,
    /// To the deciding task.
    pub reign: mpsc::Sender<Asked>,
}

/// Serves until it is dropped; dropping it ends all connections.
pub async fn serve(listener: TcpListener, service: Service) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else {
                    let _ended = timeout(ACCEPT_PAUSE, std::future::pending::<()>()).await;
                    continue;
                };
                if let Ok(place) = Arc::clone(&places).try_acquire_owned() {
                    let service = service.clone();
                    connections.spawn(async move {
                        service.connection(stream).await;
                        drop(place);
                    });
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

impl Service {
    async fn connection(self, stream: TcpStream) {
        if stream.set_nodelay(true).is_err() {
            return;
        }
        let (read, write) = stream.into_split();
        let (answers, queue) = mpsc::channel(CALLS_MAX);
        let mut tasks = JoinSet::new();
        tasks.spawn(write_all(write, queue));
        let mut read = BufReader::new(read);
        let mut next = timeout(FIRST_CALL_PATIENCE, wire::read(&mut read)).await.ok();
        while let Some(Ok(Call { id, body })) = next {
            while tasks.len() > CALLS_MAX {
                tasks.join_next().await;
            }
            while tasks.try_join_next().is_some() {}
            let (service, answers) = (self.clone(), answers.clone());
            tasks.spawn(async move {
                let body = service.answer(body).await;
                let _connection_gone = answers.send(Response { id, body }).await;
            });
            next = Some(wire::read(&mut read).await);
        }
    }

    async fn answer(&self, body: CallBody) -> ResponseBody {
        match body {
            CallBody::Raft(request) => ResponseBody::Raft(Box::new(self.quorum.answer(*request).await)),
            CallBody::Broker(Request::FetchMetadata(fetch)) => {
                ResponseBody::Broker(self.fetch(fetch).await.map(Reply::FetchMetadata))
            }
            CallBody::Broker(Request::DescribeQuorum(_)) => {
                ResponseBody::Broker(Ok(Reply::DescribeQuorum(self.describe())))
            }
            CallBody::Broker(request) => ResponseBody::Broker(self.ask(request).await),
        }
    }

    async fn ask(&self, request: Request) -> Result<Reply, ControllerError> {
        let (answer, answered) = oneshot::channel();
        let asked = self.reign.send(Asked { request, answer }).await;
        asked.map_err(|_| ControllerError::NotController(None))?;
        answered.await.unwrap_or(Err(ControllerError::Timeout))
    }

    async fn fetch(&self, fetch: FetchMetadata) -> Result<MetadataUpdate, ControllerError> {
        let deadline = Instant::now() + Duration::from_millis(fetch.wait_ms_max.min(POLL_MS_MAX));
        let mut committed = self.quorum.committed();
        let mut leadership = self.quorum.leadership();
        loop {
            if let Leadership::Elsewhere { leader, .. } = *leadership.borrow_and_update() {
                return Err(ControllerError::NotController(leader));
            }
            if committed.borrow_and_update().image.version > fetch.from {
                break;
            }
            let changed = async {
                tokio::select! {
                    changed = committed.changed() => changed,
                    changed = leadership.changed() => changed,
                }
            };
            match timeout_at(deadline, changed).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return Err(ControllerError::NotController(None)),
                Err(_) => break,
            }
        }
        let committed = committed.borrow();
        let batches = if fetch.from == Version(0) { None } else { committed.since(fetch.from) };
        Ok(match batches {
            Some(batches) => MetadataUpdate::Batches(batches),
            None => MetadataUpdate::Image(Box::new(committed.image.as_ref().clone())),
        })
    }

    fn describe(&self) -> QuorumDescription {
        let (leader, term) = match *self.quorum.leadership().borrow() {
            Leadership::Here { term } => (Some(self.quorum.id()), term),
            Leadership::Elsewhere { leader, term } => (leader, term),
        };
        let voters = self.quorum.voters().iter().map(|(id, address)| (*id, address.clone())).collect();
        QuorumDescription { leader, term, voters, version: self.quorum.committed().borrow().image.version }
    }
}

async fn write_all(mut write: OwnedWriteHalf, mut queue: mpsc::Receiver<Response>) {
    while let Some(response) = queue.recv().await {
        if !matches!(timeout(ANSWER_PATIENCE, wire::write(&mut write, &response)).await, Ok(Ok(()))) {
            return;
        }
    }
}
