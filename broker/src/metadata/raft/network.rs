//! How a voter reaches the others: one call at a time on a connection, which is thrown away at the first error.
//!
//! openraft makes a client for each of its tasks, some of them for one call only; a client that goes leaves its connection to the next.

use std::{
    collections::BTreeMap,
    future::Future,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use openraft::{
    OptionalSend, Snapshot,
    error::{
        Fatal, InstallSnapshotError, NetworkError, RPCError, RaftError, RemoteError, ReplicationClosed, StreamingError,
        Unreachable,
    },
    network::{Backoff, RPCOption, RaftNetwork, RaftNetworkFactory},
    raft::{
        AppendEntriesRequest, AppendEntriesResponse, InstallSnapshotRequest, InstallSnapshotResponse, SnapshotResponse,
        VoteRequest, VoteResponse,
    },
};

use super::{
    Types, Vote,
    message::{RaftReply, RaftRequest},
};
use crate::metadata::{
    connection::{CallBody, Connection, ResponseBody},
    ids::ControllerId,
    wire::WireError,
};

const BACKOFF: Duration = Duration::from_millis(50);
const IDLE_MAX: usize = 4;

type Rpc<T, E> = Result<T, RPCError<ControllerId, openraft::BasicNode, E>>;

/// Makes a [`Peer`] for each of openraft's tasks.
#[derive(Clone, Debug, Default)]
pub struct Network {
    idle: BTreeMap<ControllerId, Idle>,
}

/// Connections to one voter that nobody uses.
type Idle = Arc<Mutex<Vec<Connection>>>;

impl RaftNetworkFactory<Types> for Network {
    type Network = Peer;

    async fn new_client(&mut self, target: ControllerId, node: &openraft::BasicNode) -> Peer {
        let idle = Arc::clone(self.idle.entry(target).or_default());
        Peer { target, address: node.addr.clone(), open: None, idle }
    }
}

/// The way to one voter.
#[derive(Debug)]
pub struct Peer {
    target: ControllerId,
    address: String,
    open: Option<Connection>,
    idle: Idle,
}

impl Drop for Peer {
    fn drop(&mut self) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE_MAX {
            idle.extend(self.open.take());
        }
    }
}

impl Peer {
    async fn call(&mut self, request: RaftRequest, patience: Duration) -> Result<RaftReply, WireError> {
        let connection = match self.open.take().or_else(|| self.reuse()) {
            Some(connection) => connection,
            None => Connection::open(&self.address, patience).await?,
        };
        match connection.call(CallBody::Raft(Box::new(request)), patience).await? {
            ResponseBody::Raft(reply) => {
                self.open = Some(connection);
                Ok(*reply)
            }
            ResponseBody::Broker(_) => Err(WireError::Unanswered("not a voter's answer")),
        }
    }

    fn reuse(&self) -> Option<Connection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|connection| !connection.is_closed());
        idle.pop()
    }

    async fn rpc<T, E: std::error::Error>(
        &mut self,
        request: RaftRequest,
        patience: Duration,
        answer: impl FnOnce(RaftReply) -> Option<Result<T, E>>,
    ) -> Rpc<T, E> {
        let reply =
            self.call(request, patience).await.map_err(|error| RPCError::Unreachable(Unreachable::new(&error)))?;
        match answer(reply) {
            Some(Ok(answer)) => Ok(answer),
            Some(Err(error)) => Err(RPCError::RemoteError(RemoteError::new(self.target, error))),
            None => Err(RPCError::Network(NetworkError::new(&WireError::Unanswered("answer to something else")))),
        }
    }
}

impl RaftNetwork<Types> for Peer {
    async fn append_entries(
        &mut self,
        rpc: AppendEntriesRequest<Types>,
        option: RPCOption,
    ) -> Rpc<AppendEntriesResponse<ControllerId>, RaftError<ControllerId>> {
        let answer = |reply| if let RaftReply::Append(answer) = reply { Some(answer) } else { None };
        self.rpc(RaftRequest::Append(rpc), option.hard_ttl(), answer).await
    }

    async fn vote(
        &mut self,
        rpc: VoteRequest<ControllerId>,
        option: RPCOption,
    ) -> Rpc<VoteResponse<ControllerId>, RaftError<ControllerId>> {
        let answer = |reply| if let RaftReply::Vote(answer) = reply { Some(answer) } else { None };
        self.rpc(RaftRequest::Vote(rpc), option.hard_ttl(), answer).await
    }

    /// Never called: [`Peer::full_snapshot`] sends an image in one piece.
    async fn install_snapshot(
        &mut self,
        _: InstallSnapshotRequest<Types>,
        _: RPCOption,
    ) -> Rpc<InstallSnapshotResponse<ControllerId>, RaftError<ControllerId, InstallSnapshotError>> {
        Err(RPCError::Unreachable(Unreachable::new(&WireError::Unanswered("images are sent in one piece"))))
    }

    async fn full_snapshot(
        &mut self,
        vote: Vote,
        snapshot: Snapshot<Types>,
        cancel: impl Future<Output = ReplicationClosed> + OptionalSend + 'static,
        option: RPCOption,
    ) -> Result<SnapshotResponse<ControllerId>, StreamingError<Types, Fatal<ControllerId>>> {
        let image = String::from_utf8(snapshot.snapshot.into_inner());
        let image = image.map_err(|error| StreamingError::Network(NetworkError::new(&error)))?;
        let request = RaftRequest::Snapshot { vote, meta: snapshot.meta, image };
        let answer = |reply| if let RaftReply::Snapshot(answer) = reply { Some(answer) } else { None };
        let target = self.target;
        let sent = tokio::select! {
            sent = self.rpc(request, option.hard_ttl(), answer) => sent,
            closed = cancel => return Err(StreamingError::Closed(closed)),
        };
        sent.map_err(|error| match error {
            RPCError::RemoteError(remote) => StreamingError::RemoteError(RemoteError::new(target, remote.source)),
            RPCError::Network(error) => StreamingError::Network(error),
            RPCError::Timeout(error) => StreamingError::Timeout(error),
            RPCError::Unreachable(error) => StreamingError::Unreachable(error),
            RPCError::PayloadTooLarge(error) => StreamingError::Network(NetworkError::new(&error)),
        })
    }

    fn backoff(&self) -> Backoff {
        Backoff::new(std::iter::repeat(BACKOFF))
    }
}
