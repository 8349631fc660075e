//! A connection to another broker, speaking the ordinary protocol: requests out, answers in, in order.
//!
//! Several requests may be under way; the caller knows which answer belongs to which, because answers come in order.

use std::io;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::messages::{ApiKey, RequestHeader, ResponseHeader};
use kafka_protocol::protocol::{Decodable, Encodable, Request, StrBytes};
use thiserror::Error;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::{error::Elapsed, timeout};

use crate::server::frame::{FrameError, Frames};

const CLIENT: &str = "stormglass-replica";

/// Why a connection is of no use any more.
#[derive(Debug, Error)]
pub enum PeerError {
    /// It could not be made, or failed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It sent something that is no frame, or ended.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The other side closed it.
    #[error("closed by the other side")]
    Closed,
    /// Nothing came in time.
    #[error("no answer in time")]
    Silent(#[from] Elapsed),
    /// What came is no answer to what was asked.
    #[error("unintelligible: {0}")]
    Unintelligible(String),
}

/// See the module.
pub struct Peer {
    frames: Frames<OwnedReadHalf>,
    to: OwnedWriteHalf,
    sent: i32,
    received: i32,
}

impl Peer {
    /// Connects; frames larger than `bytes_max` will be refused.
    ///
    /// # Errors
    /// [`PeerError`].
    pub async fn connect(host: &str, port: u16, patience: Duration, bytes_max: usize) -> Result<Peer, PeerError> {
        let stream = timeout(patience, TcpStream::connect((host, port))).await??;
        stream.set_nodelay(true)?;
        let (from, to) = stream.into_split();
        Ok(Peer { frames: Frames::new(from, bytes_max), to, sent: 0, received: 0 })
    }

    /// Sends a request.
    ///
    /// # Errors
    /// [`PeerError`].
    pub async fn send<R: Request>(&mut self, request: &R, version: i16) -> Result<(), PeerError> {
        self.sent = self.sent.wrapping_add(1);
        let header = RequestHeader::default()
            .with_request_api_key(R::KEY)
            .with_request_api_version(version)
            .with_correlation_id(self.sent)
            .with_client_id(Some(StrBytes::from_static_str(CLIENT)));
        let mut frame = BytesMut::with_capacity(1024);
        frame.put_i32(0);
        header.encode(&mut frame, R::header_version(version)).map_err(unintelligible)?;
        request.encode(&mut frame, version).map_err(unintelligible)?;
        let length = i32::try_from(frame.len() - 4).map_err(unintelligible)?;
        frame[..4].copy_from_slice(&length.to_be_bytes());
        Ok(self.to.write_all(&frame).await?)
    }

    /// Receives the answer to the oldest unanswered request. Safe to drop and call again.
    ///
    /// # Errors
    /// [`PeerError`].
    pub async fn receive<R: Request>(&mut self, version: i16) -> Result<R::Response, PeerError> {
        let mut frame: Bytes = self.frames.next().await?.ok_or(PeerError::Closed)?;
        let key = ApiKey::try_from(R::KEY).map_err(|()| unintelligible("unknown api"))?;
        let header =
            ResponseHeader::decode(&mut frame, key.response_header_version(version)).map_err(unintelligible)?;
        self.received = self.received.wrapping_add(1);
        if header.correlation_id != self.received {
            return Err(unintelligible(format!("answer {} where {} was due", header.correlation_id, self.received)));
        }
        R::Response::decode(&mut frame, version).map_err(unintelligible)
    }

    /// Asks and waits.
    ///
    /// # Errors
    /// [`PeerError`].
    pub async fn ask<R: Request>(
        &mut self,
        request: &R,
        version: i16,
        patience: Duration,
    ) -> Result<R::Response, PeerError> {
        self.send(request, version).await?;
        timeout(patience, self.receive::<R>(version)).await?
    }
}

fn unintelligible(error: impl std::fmt::Display) -> PeerError {
    PeerError::Unintelligible(error.to_string())
}
