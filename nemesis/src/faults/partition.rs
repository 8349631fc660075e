//! The nodes divided among themselves; clients reach all of them.
//!
//! ```text
//! halves  {1 2} | {3 100}       ring  1 → 2 → 3 → 1, or each its two neighbours       bridge  1 — 2 — 3, not 1 — 3
//! ```
//! In a ring and across a bridge nobody agrees on who is there: each node has a quorum of its own.

use super::{cut_ms, network, shows_cut};
use crate::actor::Actor;
use crate::aim::Aim;
use crate::cluster::NodePart;
use crate::episode::Episode;
use crate::fault::{Asked, Family, Fault, Need};
use crate::ground::{Ground, Timing};
use crate::network::{Network, Weather};
use crate::scene::{Scene, Skip};
use crate::step::Script;
use std::ops::RangeInclusive;

/// The harm.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Partition {
    /// Two halves, brokers and controllers, that do not see each other.
    Halves,
    /// Each broker is heard by its neighbours only.
    Ring,
    /// The brokers but one do not see each other.
    Bridge,
}

impl Partition {
    /// The network that divides these, in this order.
    pub fn network(self, brokers: &[Actor], controllers: &[Actor]) -> Network {
        let clear = Network::default();
        match self {
            Partition::Halves => {
                let nodes = [brokers, controllers].concat();
                let (one, other) = nodes.split_at(nodes.len() / 2);
                clear.between(one, other, Weather::Cut)
            }
            Partition::Ring => links(brokers, |from, to, n| {
                let ahead = (to + n - from) % n;
                ahead != 1 && (n == 3 || ahead != n - 1)
            }),
            Partition::Bridge => links(brokers, |from, to, _| from != 0 && to != 0),
        }
    }
}

/// One rule for all links between two different nodes of which `is_cut` says so.
fn links(nodes: &[Actor], is_cut: impl Fn(usize, usize, usize) -> bool) -> Network {
    let mut network = Network::default();
    for (from, actor) in nodes.iter().enumerate() {
        let cut = |to: &usize| *to != from && is_cut(from, *to, nodes.len());
        let deaf: Vec<Actor> = (0..nodes.len()).filter(cut).map(|to| nodes[to]).collect();
        if !deaf.is_empty() {
            network = network.with([*actor], deaf, Weather::Cut);
        }
    }
    network
}

impl Fault for Partition {
    fn pattern(&self) -> &'static str {
        match self {
            Partition::Halves => "partition-halves",
            Partition::Ring => "partition-ring",
            Partition::Bridge => "partition-bridge",
        }
    }

    fn about(&self) -> &'static str {
        match self {
            Partition::Halves => "divide the nodes into two halves that do not see each other",
            Partition::Ring => "let each broker be heard by its neighbours in a ring only",
            Partition::Bridge => "let no broker see another but one, which all see",
        }
    }

    fn evidence(&self) -> &'static str {
        "the proxy saw bytes sent in each direction that was cut and let none pass, and somebody noticed, as with isolate"
    }

    fn family(&self) -> Family {
        Family::Network
    }

    fn need(&self) -> Need {
        Need::Proxy
    }

    fn aims(&self) -> &'static [Aim] {
        &[Aim::Cluster]
    }

    fn hold_ms(&self, aim: Aim, timing: &Timing) -> RangeInclusive<u64> {
        cut_ms(aim, timing)
    }

    fn duration_ms(&self, _: &Timing, hold_ms: u64) -> u64 {
        hold_ms
    }

    fn impossible(&self, _: Aim, ground: &Ground) -> Option<String> {
        let least = if *self == Partition::Halves { 2 } else { 3 };
        (ground.brokers < least).then(|| format!("it needs {least} brokers, and there are {}", ground.brokers))
    }

    fn script(&self, scene: &Scene, asked: Asked, _: &Timing) -> Result<Script, Skip> {
        let mut brokers = asked.aim.resolve(scene, asked.log, asked.pick)?;
        let turn = asked.pick as usize % brokers.len().max(1);
        brokers.rotate_left(turn);
        let controllers: Vec<Actor> = scene.of_part(NodePart::Controller).into_iter().map(Actor::Node).collect();
        Ok(Script::on(&brokers, network(self.network(&brokers, &controllers), asked), Vec::new()))
    }

    fn effective(&self, episode: &Episode) -> bool {
        shows_cut(episode)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use history::NodeId;

    fn nodes(ids: std::ops::RangeInclusive<i32>) -> Vec<Actor> {
        ids.map(|id| Actor::Node(NodeId(id))).collect()
    }

    /// Who hears whom, a row a node, among the brokers.
    fn heard(partition: Partition, count: i32) -> Vec<String> {
        let brokers = nodes(1..=count);
        let network = partition.network(&brokers, &nodes(100..=100));
        let hears = |to: Actor, from: Actor| if network.on(from, to).count() == 0 { 'x' } else { '.' };
        brokers.iter().map(|to| brokers.iter().map(|from| hears(*to, *from)).collect()).collect()
    }

    #[test]
    fn the_shapes_are_what_their_names_say() {
        assert_eq!(heard(Partition::Halves, 4), ["xx..", "xx..", "..xx", "..xx"]);
        assert_eq!(heard(Partition::Ring, 3), ["x.x", "xx.", ".xx"]);
        assert_eq!(heard(Partition::Ring, 5), ["xx..x", "xxx..", ".xxx.", "..xxx", "x..xx"]);
        assert_eq!(heard(Partition::Bridge, 3), ["xxx", "xx.", "x.x"]);
    }

    #[test]
    fn a_controller_is_on_one_side_of_the_halves() {
        let (brokers, controller) = (nodes(1..=3), nodes(100..=100));
        let network = Partition::Halves.network(&brokers, &controller);
        let cut = |broker: &&Actor| network.on(**broker, controller[0]).count() > 0;
        assert_eq!(brokers.iter().filter(cut).count(), 2);
    }
}
