//! One TCP connection to a controller on which any number of calls wait for their answers at once.
//!
//! Cancelling a call only forgets its answer. The connection ends for all callers together, with the first error on it; it does not
//! reconnect (see [`super::client`]).

use std::{collections::HashMap, time::Duration};

use serde::{Deserialize, Serialize};
use tokio::{
    io::BufReader,
    net::{TcpStream, tcp::OwnedReadHalf, tcp::OwnedWriteHalf},
    sync::{mpsc, oneshot},
    task::JoinHandle,
    time::timeout,
};

use super::{
    error::ControllerError,
    raft::message::{RaftReply, RaftRequest},
    rpc,
    wire::{self, WireError},
};

const QUEUE_CALLS_MAX: usize = 256;

/// A numbered call.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Call {
    /// Repeated in the answer.
    pub id: u64,
    /// What is asked.
    pub body: CallBody,
}

/// Who asks what.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum CallBody {
    /// A broker.
    Broker(rpc::Request),
    /// Another controller.
    Raft(Box<RaftRequest>),
}

/// A numbered answer.
#[derive(Debug, Serialize, Deserialize)]
pub struct Response {
    /// The call's.
    pub id: u64,
    /// What is answered.
    pub body: ResponseBody,
}

/// What was answered to whom.
#[derive(Debug, Serialize, Deserialize)]
pub enum ResponseBody {
    /// To a broker.
    Broker(Result<rpc::Reply, ControllerError>),
    /// To another controller.
    Raft(Box<RaftReply>),
}

/// See the module.
#[derive(Debug)]
pub struct Connection {
    calls: mpsc::Sender<(CallBody, oneshot::Sender<ResponseBody>)>,
    driver: JoinHandle<()>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Connection {
    /// Connects to host:port.
    ///
    /// # Errors
    /// [`WireError::Io`]; [`WireError::Unanswered`] after `patience`.
    pub async fn open(address: &str, patience: Duration) -> Result<Self, WireError> {
        let stream = timeout(patience, TcpStream::connect(address));
        let stream = stream.await.map_err(|_| WireError::Unanswered("connection not accepted in time"))??;
        stream.set_nodelay(true)?;
        let (read, write) = stream.into_split();
        let (calls, queue) = mpsc::channel(QUEUE_CALLS_MAX);
        Ok(Self { calls, driver: tokio::spawn(drive(read, write, queue)) })
    }

    /// Whether it has ended.
    pub fn is_closed(&self) -> bool {
        self.driver.is_finished()
    }

    /// Ends it for all callers.
    pub fn close(&self) {
        self.driver.abort();
    }

    /// Asks and waits for the answer.
    ///
    /// # Errors
    /// [`WireError::Closed`] once the connection has ended; [`WireError::Unanswered`] after `patience`.
    pub async fn call(&self, body: CallBody, patience: Duration) -> Result<ResponseBody, WireError> {
        let (answer, answered) = oneshot::channel();
        let asked = async {
            self.calls.send((body, answer)).await.map_err(|_| WireError::Closed)?;
            answered.await.map_err(|_| WireError::Closed)
        };
        timeout(patience, asked).await.map_err(|_| WireError::Unanswered("no reply in time"))?
    }
}

async fn drive(
    read: OwnedReadHalf,
    mut write: OwnedWriteHalf,
    mut calls: mpsc::Receiver<(CallBody, oneshot::Sender<ResponseBody>)>,
) {
    let (arrived, mut arrivals) = mpsc::channel(QUEUE_CALLS_MAX);
    let reader = tokio::spawn(read_all(read, arrived));
    let _reader_ends_too = AbortOnDrop(reader);
    let mut waiting: HashMap<u64, oneshot::Sender<ResponseBody>> = HashMap::new();
    let mut next_id = 0_u64;
    loop {
        tokio::select! {
            call = calls.recv() => {
                let Some((body, answer)) = call else { return };
                waiting.retain(|_, answer| !answer.is_closed());
                next_id = next_id.wrapping_add(1);
                waiting.insert(next_id, answer);
                if wire::write(&mut write, &Call { id: next_id, body }).await.is_err() {
                    return;
                }
            }
            response = arrivals.recv() => {
                let Some(Response { id, body }) = response else { return };
                if let Some(answer) = waiting.remove(&id) {
                    let _caller_gone = answer.send(body);
                }
            }
        }
    }
}

async fn read_all(read: OwnedReadHalf, arrived: mpsc::Sender<Response>) {
    let mut read = BufReader::new(read);
    while let Ok(response) = wire::read(&mut read).await {
        if arrived.send(response).await.is_err() {
            return;
        }
    }
}

struct AbortOnDrop(JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}
