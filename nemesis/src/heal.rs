//! Undoes everything: afterwards the network is clear, every disk and clock is mended and every process runs.

use crate::actor::Actor;
use crate::cluster::{Cluster, NodeState, Refusal};
use crate::network::Network;

/// What could not be healed though it was tried, with what was said; never empty.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{}", .0.iter().map(|(what, why)| format!("{what}: {why}")).collect::<Vec<_>>().join("; "))]
pub struct Unhealed(pub Vec<(String, Refusal)>);

/// Clears the network, mends disks and clocks, continues what is paused, then starts what is down: one pass, so that it
/// can be called again until it succeeds, on an interrupt or after an error, any number of times. Stopped followers come
/// first: they may have to vote.
pub fn heal_all(cluster: &mut dyn Cluster) -> Result<(), Unhealed> {
    let mut refusals = Vec::new();
    if !cluster.network().is_clear()
        && let Err(refusal) = cluster.set_network(&Network::default())
    {
        refusals.push(("the network".to_owned(), refusal));
    }
    let actors = actors(cluster);
    for &actor in &actors {
        if let Err(refusal) = cluster.mend(actor) {
            refusals.push((actor.to_string(), refusal));
        }
    }
    for &actor in &actors {
        if let NodeState::Paused(_) = cluster.state(actor)
            && let Err(refusal) = cluster.resume(actor)
        {
            refusals.push((actor.to_string(), refusal));
        }
    }
    for &actor in &actors {
        if cluster.state(actor) == NodeState::Down
            && let Err(refusal) = cluster.start(actor)
        {
            refusals.push((actor.to_string(), refusal));
        }
    }
    unhealed(cluster, &actors, refusals)
}

/// Every node, then every client.
fn actors(cluster: &dyn Cluster) -> Vec<Actor> {
    let nodes = cluster.nodes().into_iter().map(|(node, _)| Actor::Node(node));
    nodes.chain(cluster.clients().into_iter().map(|(client, _)| Actor::Client(client))).collect()
}

fn unhealed(cluster: &dyn Cluster, actors: &[Actor], refusals: Vec<(String, Refusal)>) -> Result<(), Unhealed> {
    let running = |actor: &Actor| matches!(cluster.state(*actor), NodeState::Running(_));
    let mut still: Vec<String> = actors.iter().filter(|actor| !running(actor)).map(Actor::to_string).collect();
    if !cluster.network().is_clear() {
        still.push("the network".to_owned());
    }
    let why = |what: String| {
        let said = refusals.iter().rfind(|(whom, _)| *whom == what).map(|(_, refusal)| refusal.clone());
        (what, said.unwrap_or_else(|| Refusal("it does not run".into())))
    };
    if still.is_empty() { Ok(()) } else { Err(Unhealed(still.into_iter().map(why).collect())) }
}
