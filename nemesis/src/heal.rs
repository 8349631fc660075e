//! Undoes everything: afterwards every disk and clock is mended and every node runs.

use crate::cluster::{Cluster, NodeState, Refusal};
use history::NodeId;

/// Nodes that do not run though it was tried, with what was said; never empty.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{}", .0.iter().map(|(node, why)| format!("node {}: {why}", node.0)).collect::<Vec<_>>().join("; "))]
pub struct Unhealed(pub Vec<(NodeId, Refusal)>);

/// Mends disks and clocks, continues what is paused, then starts what is down: one pass, so that it can be called again until it succeeds, on an
/// interrupt or after an error, any number of times. Stopped followers come first: they may have to vote.
pub fn heal_all(cluster: &mut dyn Cluster) -> Result<(), Unhealed> {
    let nodes = cluster.nodes();
    let mut refusals = Vec::new();
    for &node in &nodes {
        if let Err(refusal) = cluster.mend(node) {
            refusals.push((node, refusal));
        }
    }
    for &node in &nodes {
        if let NodeState::Paused(_) = cluster.state(node)
            && let Err(refusal) = cluster.resume(node)
        {
            refusals.push((node, refusal));
        }
    }
    for &node in &nodes {
        if cluster.state(node) == NodeState::Down
            && let Err(refusal) = cluster.start(node)
        {
            refusals.push((node, refusal));
        }
    }
    let running = |node: &NodeId| matches!(cluster.state(*node), NodeState::Running(_));
    let still: Vec<NodeId> = nodes.into_iter().filter(|node| !running(node)).collect();
    let why = |node: NodeId| {
        let said = refusals.iter().rfind(|(n, _)| *n == node).map(|(_, refusal)| refusal.clone());
        (node, said.unwrap_or_else(|| Refusal("it does not run".into())))
    };
    if still.is_empty() { Ok(()) } else { Err(Unhealed(still.into_iter().map(why).collect())) }
}
