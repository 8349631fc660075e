//! One connection: a loop that takes calls and hands them on, and a loop that sends their answers in order.
//!
//! A malformed request, an unknown API or an unsupported version closes the connection, as Kafka does, after everything
//! before it has been answered. So does a side that neither sends nor takes anything for `connections.max.idle.ms`.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::call::{Call, CallError, Reply};
use super::frame::Frames;
use super::hurry::Hurry;
use super::pieces::{self, Frame};
use crate::broker::Broker;
use crate::handlers;

/// Serves a connection until either side closes it.
pub async fn serve(broker: Arc<Broker>, stream: TcpStream, listener: usize) {
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let peer = stream.peer_addr().ok().map(|address| address.ip());
    let (from, to) = stream.into_split();
    let (queue, replies) = mpsc::channel(broker.config.limits.in_flight_max);
    let patience = broker.config.limits.idle_max;
    tokio::select! {
        () = take(&broker, from, queue, (listener, peer)) => {}
        () = answer(to, replies, patience) => {}
    }
}

/// Takes calls; ends only when the queue is closed, so that what is queued is still answered.
async fn take(
    broker: &Arc<Broker>,
    from: OwnedReadHalf,
    queue: mpsc::Sender<Reply>,
    (listener, peer): (usize, Option<IpAddr>),
) {
    let limits = &broker.config.limits;
    let mut frames = Frames::new(from, limits.request_bytes_max);
    let hurry = Arc::new(Hurry::default());
    loop {
        let Some(frame) = next(&mut frames, limits.idle_max).await else { break };
        let call = Call::parse(frame, listener, hurry.clone(), hurry.count());
        let reply = call.map_or_else(Reply::Close, |call| handlers::dispatch(broker, call.from_peer(peer)));
        let last = matches!(reply, Reply::Close(_));
        if queue.send(reply).await.is_err() || last {
            break;
        }
    }
    let closed = queue.clone();
    drop(queue);
    closed.closed().await;
}

async fn next(frames: &mut Frames<OwnedReadHalf>, idle_max: Option<Duration>) -> Option<Bytes> {
    let frame = match idle_max {
        Some(idle_max) => timeout(idle_max, frames.next()).await.ok()?,
        None => frames.next().await,
    };
    frame.ok().flatten()
}

async fn answer(mut to: OwnedWriteHalf, mut replies: mpsc::Receiver<Reply>, patience: pieces::Patience) {
    while let Some(reply) = replies.recv().await {
        let frame: Result<Frame, CallError> = match reply {
            Reply::Ready(frame) => Ok(frame.into()),
            Reply::Later(answer) => answer.await,
            Reply::Silence => continue,
            Reply::Close(why) => Err(why),
        };
        let Ok(frame) = frame else { return };
        if pieces::write(&mut to, frame, patience).await.is_err() {
            return;
        }
    }
}
