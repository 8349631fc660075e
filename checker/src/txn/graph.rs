//! The parts of the graph that have cycles: its strongly connected components.
//!
//! A graph without cycles, the usual one, is taken apart from its sources in one pass over flat arrays. What is left is taken
//! apart from its sinks, and only what then remains becomes a [`petgraph`] graph. Nothing here recurses.

use super::edges::{Dependency, Edge};
use crate::hash::Map;
use petgraph::algo::kosaraju_scc;
use petgraph::graph::{DiGraph, NodeIndex};

/// A strongly connected component with at least one cycle.
pub(super) struct Component {
    /// Its nodes, rising.
    pub(super) nodes: Vec<u32>,
    /// By place in `nodes`: (place, kind), rising, each once.
    pub(super) out: Vec<Vec<(u32, Dependency)>>,
}

/// The components with cycles.
pub(super) fn components(nodes: u32, edges: &[Edge]) -> Vec<Component> {
    let rest = peel(nodes, edges, |e| (e.from, e.to), &vec![true; nodes as usize]);
    let rest = peel(nodes, edges, |e| (e.to, e.from), &rest);
    let (mut graph, mut places) = (DiGraph::<u32, Dependency>::new(), Map::default());
    for node in (0..nodes).filter(|node| rest[*node as usize]) {
        places.insert(node, graph.add_node(node));
    }
    for edge in edges {
        if let (Some(from), Some(to)) = (places.get(&edge.from), places.get(&edge.to)) {
            graph.add_edge(*from, *to, edge.kind);
        }
    }
    let cyclic = kosaraju_scc(&graph).into_iter().filter(|component| component.len() > 1);
    let mut components: Vec<Component> = cyclic.map(|component| component_of(&graph, component)).collect();
    components.sort_unstable_by(|a, b| a.nodes.cmp(&b.nodes));
    components
}

/// Which of the nodes still `there` remain when those that nothing remaining leads to are taken away, again and again.
fn peel(nodes: u32, edges: &[Edge], ends: impl Fn(&Edge) -> (u32, u32), there: &[bool]) -> Vec<bool> {
    let inside = || edges.iter().map(&ends).filter(|(from, to)| there[*from as usize] && there[*to as usize]);
    let (mut starts, mut degrees) = (vec![0u32; nodes as usize + 1], vec![0u32; nodes as usize]);
    for (from, to) in inside() {
        starts[from as usize + 1] += 1;
        degrees[to as usize] += 1;
    }
    for node in 0..nodes as usize {
        starts[node + 1] += starts[node];
    }
    let mut filled = starts.clone();
    let mut targets = vec![0u32; starts[nodes as usize] as usize];
    for (from, to) in inside() {
        targets[filled[from as usize] as usize] = to;
        filled[from as usize] += 1;
    }
    let mut rest = there.to_vec();
    let mut free: Vec<u32> = (0..nodes).filter(|node| rest[*node as usize] && degrees[*node as usize] == 0).collect();
    while let Some(node) = free.pop() {
        rest[node as usize] = false;
        for to in &targets[starts[node as usize] as usize..starts[node as usize + 1] as usize] {
            degrees[*to as usize] -= 1;
            if degrees[*to as usize] == 0 {
                free.push(*to);
            }
        }
    }
    rest
}

fn component_of(graph: &DiGraph<u32, Dependency>, mut members: Vec<NodeIndex>) -> Component {
    members.sort_unstable();
    let places: Map<NodeIndex, u32> = members.iter().copied().zip(0u32..).collect();
    let out = members.iter().map(|node| {
        let edges = graph.edges(*node).filter_map(|e| {
            use petgraph::visit::EdgeRef;
            Some((*places.get(&e.target())?, *e.weight()))
        });
        let mut out: Vec<_> = edges.collect();
        out.sort_unstable();
        out.dedup();
        out
    });
    Component { out: out.collect(), nodes: members.iter().map(|node| graph[*node]).collect() }
}
