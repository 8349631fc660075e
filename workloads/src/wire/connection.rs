//! One connection to one broker: a request, its reply, a deadline.
//!
//! **Invariant:** after any error but a broker's refusal the connection is of no use and must be dropped: a late reply would
//! be taken for the next one's. (The correlation id would show it; nothing is built on that.)

use super::error::WireError;
use super::{FRAME_BYTES_MAX, versions};
use crate::clock::Deadline;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::messages::{ApiVersionsRequest, ApiVersionsResponse, RequestHeader, ResponseHeader};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes, VersionRange};
use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};

const UNSUPPORTED_VERSION: i16 = 35;
const READ_STEP_BYTES: usize = 64 * 1024;

/// A connection to a broker whose versions are known.
#[derive(Debug)]
pub struct Connection {
    address: String,
    client_id: StrBytes,
    stream: TcpStream,
    correlation: i32,
    offered: BTreeMap<i16, VersionRange>,
}

impl Connection {
    /// Connects to `address` (`host:port`) and asks which versions it offers.
    pub fn open(address: &str, client_id: &str, deadline: Deadline) -> Result<Connection, WireError> {
        let stream = connect(address, deadline)?;
        let client_id = StrBytes::from_string(client_id.to_owned());
        let mut connection =
            Connection { address: address.to_owned(), client_id, stream, correlation: 0, offered: BTreeMap::new() };
        connection.ask_versions(deadline)?;
        Ok(connection)
    }

    /// Whom it is with.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The version in which a request of type `R` would be sent.
    pub fn version<R: Request>(&self) -> Result<i16, WireError> {
        let row = versions::of(R::KEY);
        let offered = self.offered.get(&R::KEY);
        row.zip(offered).and_then(|(ours, theirs)| versions::agree(ours.range, *theirs)).ok_or_else(|| {
            WireError::Unsupported { address: self.address.clone(), what: row.map_or("this request", |r| r.name) }
        })
    }

    /// Sends a request once and waits for its reply.
    pub fn call<R: Request>(&mut self, request: &R, deadline: Deadline) -> Result<R::Response, WireError> {
        let version = self.version::<R>()?;
        let body = self.exchange(request, version, deadline)?;
        self.decode::<R::Response>(body, version)
    }

    /// Sends a request that is not answered (acks = 0).
    pub fn send<R: Request>(&mut self, request: &R, deadline: Deadline) -> Result<(), WireError> {
        let version = self.version::<R>()?;
        let frame = self.frame(request, version)?;
        self.write(&frame, name_of(R::KEY), deadline)
    }

    fn ask_versions(&mut self, deadline: Deadline) -> Result<(), WireError> {
        let software = StrBytes::from_static_str("stormglass");
        let request = ApiVersionsRequest::default()
            .with_client_software_name(software)
            .with_client_software_version(StrBytes::from_static_str(env!("CARGO_PKG_VERSION")));
        let body = self.exchange(&request, 3, deadline)?;
        let response: ApiVersionsResponse = match body.get(..2).map(|b| i16::from_be_bytes([b[0], b[1]])) {
            // A broker without version 3 answers in version 0, whatever was asked (KIP-511).
            Some(UNSUPPORTED_VERSION) => {
                let body = self.exchange(&ApiVersionsRequest::default(), 0, deadline)?;
                self.decode(body, 0)?
            }
            _ => self.decode(body, 3)?,
        };
        WireError::check("ApiVersions", response.error_code)?;
        let range = |k: &kafka_protocol::messages::api_versions_response::ApiVersion| VersionRange {
            min: k.min_version,
            max: k.max_version,
        };
        self.offered = response.api_keys.iter().map(|k| (k.api_key, range(k))).collect();
        Ok(())
    }

    fn exchange<R: Request>(&mut self, request: &R, version: i16, deadline: Deadline) -> Result<Bytes, WireError> {
        let what = name_of(R::KEY);
        let frame = self.frame(request, version)?;
        self.write(&frame, what, deadline)?;
        let mut body = self.read_frame(what, deadline)?;
        let header = ResponseHeader::decode(&mut body, R::Response::header_version(version))
            .map_err(|e| self.protocol(format!("header of the answer to {what}: {e}")))?;
        if header.correlation_id != self.correlation {
            let (found, wanted) = (header.correlation_id, self.correlation);
            return Err(self.protocol(format!("answer {found} to {what} number {wanted}")));
        }
        Ok(body)
    }

    fn frame<R: Request>(&mut self, request: &R, version: i16) -> Result<BytesMut, WireError> {
        self.correlation = self.correlation.wrapping_add(1);
        let header = RequestHeader::default()
            .with_request_api_key(R::KEY)
            .with_request_api_version(version)
            .with_correlation_id(self.correlation)
            .with_client_id(Some(self.client_id.clone()));
        let mut frame = BytesMut::new();
        frame.put_u32(0);
        header
            .encode(&mut frame, R::header_version(version))
            .and_then(|()| request.encode(&mut frame, version))
            .map_err(|e| self.protocol(format!("{} cannot be sent: {e}", name_of(R::KEY))))?;
        let length = u32::try_from(frame.len() - 4).map_err(|_| self.protocol("request over 4 GiB".into()))?;
        frame[..4].copy_from_slice(&length.to_be_bytes());
        Ok(frame)
    }

    /// Bytes after the end of an answer are nobody's business, as with the Java client.
    fn decode<M: Decodable>(&self, mut body: Bytes, version: i16) -> Result<M, WireError> {
        M::decode(&mut body, version).map_err(|e| self.protocol(format!("answer: {e}")))
    }

    fn write(&mut self, mut bytes: &[u8], what: &'static str, deadline: Deadline) -> Result<(), WireError> {
        while !bytes.is_empty() {
            self.stream.set_write_timeout(Some(self.left(what, deadline)?)).map_err(|e| self.broken(e, what))?;
            match self.stream.write(bytes) {
                Ok(0) => return Err(self.broken(ErrorKind::WriteZero.into(), what)),
                Ok(n) => bytes = &bytes[n..],
                Err(e) if e.kind() == ErrorKind::Interrupted => (),
                Err(e) => return Err(self.broken(e, what)),
            }
        }
        Ok(())
    }

    fn read_frame(&mut self, what: &'static str, deadline: Deadline) -> Result<Bytes, WireError> {
        let length = self.read(4, what, deadline)?.get_u32() as usize;
        if length > FRAME_BYTES_MAX {
            return Err(self.protocol(format!("answer to {what} of {length} bytes, over {FRAME_BYTES_MAX}")));
        }
        self.read(length, what, deadline)
    }

    /// Reads exactly `length` bytes; memory grows with what arrives, not with what was announced.
    fn read(&mut self, length: usize, what: &'static str, deadline: Deadline) -> Result<Bytes, WireError> {
        let mut bytes = BytesMut::new();
        while bytes.len() < length {
            let (have, step) = (bytes.len(), (length - bytes.len()).min(READ_STEP_BYTES));
            bytes.resize(have + step, 0);
            self.stream.set_read_timeout(Some(self.left(what, deadline)?)).map_err(|e| self.broken(e, what))?;
            let got = match self.stream.read(&mut bytes[have..]) {
                Ok(0) => return Err(self.broken(ErrorKind::UnexpectedEof.into(), what)),
                Ok(n) => n,
                Err(e) if e.kind() == ErrorKind::Interrupted => 0,
                Err(e) => return Err(self.broken(e, what)),
            };
            bytes.truncate(have + got);
        }
        Ok(bytes.freeze())
    }

    fn left(&self, what: &'static str, deadline: Deadline) -> Result<std::time::Duration, WireError> {
        deadline.remaining().ok_or_else(|| WireError::Timeout { address: self.address.clone(), what })
    }

    fn broken(&self, source: io::Error, what: &'static str) -> WireError {
        let address = self.address.clone();
        match source.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => WireError::Timeout { address, what },
            _ => WireError::Io { address, source },
        }
    }

    pub(super) fn protocol(&self, what: String) -> WireError {
        WireError::Protocol { address: self.address.clone(), what }
    }
}

fn connect(address: &str, deadline: Deadline) -> Result<TcpStream, WireError> {
    let io = |source| WireError::Io { address: address.to_owned(), source };
    let timeout = || WireError::Timeout { address: address.to_owned(), what: "connect" };
    let mut last = io(io::Error::new(ErrorKind::NotFound, "names no address"));
    for socket in address.to_socket_addrs().map_err(io)? {
        match TcpStream::connect_timeout(&socket, deadline.remaining().ok_or_else(timeout)?) {
            Ok(stream) => {
                stream.set_nodelay(true).map_err(io)?;
                return Ok(stream);
            }
            Err(e) if e.kind() == ErrorKind::TimedOut => last = timeout(),
            Err(e) => last = io(e),
        }
    }
    Err(last)
}

fn name_of(key: i16) -> &'static str {
    versions::of(key).map_or("a request", |s| s.name)
}
