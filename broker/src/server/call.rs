//! One request as it came, and its answer as it goes.
//!
//! A `Call` is the request's header and undecoded body. A `Reply` is a frame that is ready, one that will be, none at
//! all (acks=0), or the wish to close the connection. Encoding and decoding are the codec's; bodies are checked by
//! `shape` before the codec allocates for them.

use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::messages::{ApiKey, RequestHeader, ResponseHeader};
use kafka_protocol::protocol::{Decodable, Encodable, Request};
use thiserror::Error;

use super::hurry::Hurry;
use super::pieces::{Frame, Gather};
use super::shape::header_fits;
use crate::log::FileSlice;

/// A request that cannot be answered; the connection is closed, as Kafka does.
#[derive(Debug, Error)]
pub enum CallError {
    /// Fewer bytes than a header has, or bytes that are none.
    #[error("malformed request: {0}")]
    Malformed(String),
    /// An API this broker does not know.
    #[error("unknown api key {0}")]
    UnknownApi(i16),
    /// A version of an API outside the accepted range.
    #[error("{api:?} version {version} is not supported")]
    Version {
        /// The API.
        api: ApiKey,
        /// The version asked for.
        version: i16,
    },
    /// The answer does not fit its own schema.
    #[error("answer not encodable: {0}")]
    Encode(String),
}

/// One request: header taken, body not.
#[derive(Clone, Debug)]
pub struct Call {
    /// Which API.
    pub api: ApiKey,
    /// In which version.
    pub version: i16,
    /// The number that ties the answer to it.
    pub correlation: i32,
    /// What the client calls itself.
    pub client: String,
    /// The rest of the frame.
    pub body: Bytes,
    /// Where the client is.
    pub peer: Option<IpAddr>,
    /// Index of the listener it came in by.
    pub listener: usize,
    /// Tells a waiting call that others queue behind it.
    pub hurry: Arc<Hurry>,
    /// Its place on the connection, counted from 1.
    pub number: u64,
}

/// What becomes of a call.
pub enum Reply {
    /// The whole frame.
    Ready(Bytes),
    /// The frame, later. Polled only when every earlier call of the connection is answered.
    Later(Pin<Box<dyn Future<Output = Result<Frame, CallError>> + Send>>),
    /// Nothing is sent.
    Silence,
    /// The connection is closed when every earlier call is answered.
    Close(CallError),
}

impl Call {
    /// Takes the header off a frame.
    pub fn parse(mut frame: Bytes, listener: usize, hurry: Arc<Hurry>, number: u64) -> Result<Call, CallError> {
        let Some(&[k0, k1, v0, v1]) = frame.first_chunk::<4>() else {
            return Err(CallError::Malformed("no header".to_owned()));
        };
        let (key, version) = (i16::from_be_bytes([k0, k1]), i16::from_be_bytes([v0, v1]));
        let api = ApiKey::try_from(key).map_err(|()| CallError::UnknownApi(key))?;
        if !header_fits(&frame, api.request_header_version(version)) {
            return Err(CallError::Malformed("no whole header".to_owned()));
        }
        let header = RequestHeader::decode(&mut frame, api.request_header_version(version)).map_err(malformed)?;
        let client = header.client_id.map(|id| id.to_string()).unwrap_or_default();
        Ok(Call {
            api,
            version,
            correlation: header.correlation_id,
            client,
            body: frame,
            peer: None,
            listener,
            hurry,
            number,
        })
    }

    /// The same call, as it came from there.
    #[must_use]
    pub fn from_peer(self, peer: Option<IpAddr>) -> Call {
        Call { peer, ..self }
    }

    /// The body, decoded.
    pub fn decode<R: Request>(&mut self) -> Result<R, CallError> {
        R::decode(&mut self.body, self.version).map_err(malformed)
    }

    /// The frame that answers this call.
    pub fn encode<R: Request>(&self, response: &R::Response) -> Result<Bytes, CallError> {
        self.encode_as(response, self.version)
    }

    /// The frame that answers this call in another version of its API.
    pub fn encode_as<M: Encodable>(&self, response: &M, version: i16) -> Result<Bytes, CallError> {
        let header = ResponseHeader::default().with_correlation_id(self.correlation);
        let header_version = self.api.response_header_version(version);
        let size = response.compute_size(version).map_err(unencodable)? + 16;
        let mut frame = BytesMut::with_capacity(size);
        frame.put_i32(0);
        header.encode(&mut frame, header_version).map_err(unencodable)?;
        response.encode(&mut frame, version).map_err(unencodable)?;
        let length = i32::try_from(frame.len() - 4).map_err(|error| CallError::Encode(error.to_string()))?;
        frame[..4].copy_from_slice(&length.to_be_bytes());
        Ok(frame.freeze())
    }

    /// A reply that is ready, or the wish to close if it cannot be encoded.
    pub fn ready<R: Request>(&self, response: &R::Response) -> Reply {
        self.encode::<R>(response).map_or_else(Reply::Close, Reply::Ready)
    }

    /// A reply that a future makes.
    pub fn later<R, F>(self, answer: F) -> Reply
    where
        R: Request,
        R::Response: Send,
        F: Future<Output = R::Response> + Send + 'static,
    {
        Reply::Later(Box::pin(async move {
            let response = answer.await;
            self.encode::<R>(&response).map(Frame::from)
        }))
    }

    /// A reply that a future makes, parts of which stay in files: their stand-ins are in the answer, in this order.
    pub fn later_in_pieces<R, F>(self, answer: F) -> Reply
    where
        R: Request,
        R::Response: Send,
        F: Future<Output = (R::Response, Vec<FileSlice>)> + Send + 'static,
    {
        Reply::Later(Box::pin(async move {
            let (response, slices) = answer.await;
            match slices.is_empty() {
                true => self.encode::<R>(&response).map(Frame::from),
                false => self.gather::<R>(&response, slices),
            }
        }))
    }

    fn gather<R: Request>(&self, response: &R::Response, slices: Vec<FileSlice>) -> Result<Frame, CallError> {
        let header = ResponseHeader::default().with_correlation_id(self.correlation);
        let in_files: usize = slices.iter().map(|slice| slice.len).sum();
        let size = response.compute_size(self.version).map_err(unencodable)? + 16;
        let mut frame = Gather::new(size.saturating_sub(in_files), slices);
        frame.put_i32(0);
        header.encode(&mut frame, self.api.response_header_version(self.version)).map_err(unencodable)?;
        response.encode(&mut frame, self.version).map_err(unencodable)?;
        frame.frame().ok_or_else(|| CallError::Encode("a piece of a file has no place".to_owned()))
    }
}

fn malformed(error: impl std::fmt::Display) -> CallError {
    CallError::Malformed(error.to_string())
}

fn unencodable(error: impl std::fmt::Display) -> CallError {
    CallError::Encode(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(frame: &'static [u8]) -> Result<Call, CallError> {
        Call::parse(Bytes::from_static(frame), 0, Arc::default(), 1)
    }

    #[test]
    fn a_header_is_taken_and_the_body_left() {
        let call = parse(b"\0\x03\0\x01\0\0\0\x09\0\x02mebody").unwrap();
        assert_eq!((call.api, call.version, call.correlation), (ApiKey::Metadata, 1, 9));
        assert_eq!((call.client.as_str(), &call.body[..]), ("me", &b"body"[..]));
    }

    #[test]
    fn a_frame_too_short_for_a_header_is_malformed_and_not_a_panic() {
        for length in 0..12 {
            let whole = b"\0\x03\0\x0c\0\0\0\x09\0\x02me\0";
            assert!(matches!(parse(&whole[..length]), Err(CallError::Malformed(_))), "{length} bytes");
        }
    }

    #[test]
    fn an_unknown_api_is_told_apart_from_a_malformed_one() {
        assert!(matches!(parse(b"\x7f\xff\0\0\0\0\0\0"), Err(CallError::UnknownApi(0x7fff))));
    }
}
