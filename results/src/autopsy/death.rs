//! What is told of records that died the same way.

use super::event::Place;
use super::stage::Stage;
use history::{NodeId, Offset};
use serde::{Deserialize, Serialize};

/// How sure a stage is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Certainty {
    /// Files say that the record was there and how it went.
    Proven,
    /// Files say how such records went, and only the acknowledgement that this one was there.
    Inferred,
    /// Nothing tells; the stage is the first of several it could be.
    Candidate,
}

/// One replica's copy.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Copy {
    /// Whose.
    pub node: NodeId,
    /// What became of it, in words.
    pub fate: String,
    /// When, ns from the start of the load; absent if it is there, or never was.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub at_ns: Option<i64>,
}

/// A place in a file and what it says.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Proof {
    /// The file and the line or offset.
    #[serde(flatten)]
    pub place: Place,
    /// What stands there.
    pub says: String,
}

/// Records of one log that ended the same way.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Death {
    /// Where.
    pub stage: Stage,
    /// How sure that is.
    pub certainty: Certainty,
    /// How many records.
    pub records: u64,
    /// The first and the last acknowledged offset among them.
    pub offsets: (Offset, Offset),
    /// One sentence.
    pub sentence: String,
    /// Replica by replica.
    pub copies: Vec<Copy>,
    /// What it rests on.
    pub proof: Vec<Proof>,
}
