//! Who takes part in a run: nodes, clients, and the run's own observer.

use history::NodeId;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A client process of the run, numbered from 0 in the order of their start.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClientId(pub u32);

/// What a client process does.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClientPart {
    /// Appends, whatever else it does.
    Producer,
    /// Reads, and does not append.
    Consumer,
    /// Anything else: it is never hit.
    Other,
}

impl ClientPart {
    /// In a word.
    pub fn word(self) -> &'static str {
        match self {
            ClientPart::Producer => "producer",
            ClientPart::Consumer => "consumer",
            ClientPart::Other => "client of another kind",
        }
    }
}

/// One that takes part.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Actor {
    /// A node of the cluster.
    Node(NodeId),
    /// A client process.
    Client(ClientId),
    /// The run itself, looking at the cluster the way a client does. It has no process that a fault could hit.
    Observer,
}

impl Actor {
    /// The node, if it is one.
    pub fn node(self) -> Option<NodeId> {
        match self {
            Actor::Node(node) => Some(node),
            Actor::Client(_) | Actor::Observer => None,
        }
    }
}

impl From<NodeId> for Actor {
    fn from(node: NodeId) -> Actor {
        Actor::Node(node)
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Actor::Node(node) => write!(f, "node {}", node.0),
            Actor::Client(client) => write!(f, "client {}", client.0),
            Actor::Observer => f.write_str("the observer"),
        }
    }
}
