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
    /// Appends.
    Producer,
    /// Reads.
    Consumer,
    /// Appends what it makes of what it reads.
    Transformer,
    /// Anything else: it is never hit.
    Other,
}

impl ClientPart {
    /// In a word.
    pub fn word(self) -> &'static str {
        match self {
            ClientPart::Producer => "producer",
            ClientPart::Consumer => "consumer",
            ClientPart::Transformer => "transformer",
            ClientPart::Other => "client of another kind",
        }
    }

    /// True if it is, among other things, what the other one is alone.
    pub fn does(self, other: ClientPart) -> bool {
        use ClientPart::{Consumer, Producer, Transformer};
        self == other || (self == Transformer && matches!(other, Producer | Consumer))
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

/// The variable in whose value every process of a run carries its name; whatever it starts inherits it.
pub const TAG: &str = "STORMGLASS_ACTOR";

impl Actor {
    /// The name a process carries; `None` for the observer.
    pub fn tag(self) -> Option<String> {
        match self {
            Actor::Node(node) => Some(format!("node-{}", node.0)),
            Actor::Client(client) => Some(format!("client-{}", client.0)),
            Actor::Observer => None,
        }
    }

    /// Whose name that is.
    pub fn from_tag(tag: &str) -> Option<Actor> {
        match tag.split_once('-')? {
            ("node", id) => Some(Actor::Node(NodeId(id.parse().ok()?))),
            ("client", id) => Some(Actor::Client(ClientId(id.parse().ok()?))),
            _ => None,
        }
    }

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_as_it_was_given() {
        for actor in [Actor::Node(NodeId(3)), Actor::Node(NodeId(100)), Actor::Client(ClientId(0))] {
            assert_eq!(Actor::from_tag(&actor.tag().unwrap()), Some(actor));
        }
        assert!(["", "node", "node-x", "client--1", "observer-1"].iter().all(|tag| Actor::from_tag(tag).is_none()));
    }
}
