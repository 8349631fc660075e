//! What the proxy is told: its doors in a file, the network over a socket, one JSON value a line.

use crate::network::{Network, Traffic};
use history::NodeId;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{self, Read};
use std::net::SocketAddr;
use std::path::Path;

/// Longest line either side accepts, bytes.
pub(super) const LINE_BYTES_MAX: usize = 4 << 20;
const SPEC_BYTES_MAX: u64 = 1 << 20;

/// The doors of a run.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProxySpec {
    /// Name of the abstract socket at which it takes orders.
    pub control: String,
    /// One a listener.
    pub doors: Vec<DoorSpec>,
}

/// One door.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DoorSpec {
    /// Whose.
    pub node: NodeId,
    /// Where others connect.
    pub listens: SocketAddr,
    /// Where the node is.
    pub target: SocketAddr,
    /// What is spoken.
    pub speech: Speech,
}

/// What is spoken at a door.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Speech {
    /// Something that is not to be understood.
    Opaque,
    /// Kafka's protocol.
    Kafka,
    /// Kafka's protocol, by a node that advertises its own port: addresses that it hands out are replaced by doors.
    KafkaRewritten,
}

impl ProxySpec {
    pub(super) fn load(path: &Path) -> io::Result<ProxySpec> {
        let mut text = String::new();
        File::open(path)?.take(SPEC_BYTES_MAX).read_to_string(&mut text)?;
        serde_json::from_str(&text).map_err(io::Error::from)
    }

    /// The door of a node at which clients speak to it.
    pub(super) fn door_of(&self, node: NodeId) -> Option<SocketAddr> {
        let speaks = |door: &&DoorSpec| door.node == node && door.speech != Speech::Opaque;
        self.doors.iter().find(speaks).map(|door| door.listens)
    }
}

/// An order.
#[derive(PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) enum Request {
    /// Put this network into force.
    Set(Network),
    /// Tell the counters.
    Traffic,
}

/// The answer to an order.
#[derive(PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) enum Reply {
    /// It is in force.
    Set,
    /// The counters.
    Traffic(Vec<Traffic>),
}
