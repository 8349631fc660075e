//! placeholder
use serde::{Deserialize, Serialize};
/// a
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RaftRequest {}
/// b
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RaftReply {}
