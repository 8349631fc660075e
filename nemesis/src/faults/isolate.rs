//! A node, or several, cut off in both directions: from everybody, from the other nodes, from clients, from controllers. A client
//! cut off from all nodes.
//!
//! Cut off together with its clients a leader goes on acknowledging `acks=1` until it learns that it was deposed; all of it
//! is truncated after the healing (the catalogue's R06). With `acks=all` it cannot acknowledge anything.
//! A client that is cut off has requests under way whose outcome is unknown, and sends again what may have arrived; for longer than
//! `session.timeout.ms` a member of a group loses what it was given to another.

use super::{DISKS, LINKED, cut_ms, network, others, shows_cut};
use crate::actor::Actor;
use crate::aim::Aim;
use crate::cluster::NodePart;
use crate::episode::Episode;
use crate::fault::{Asked, Family, Fault, Need};
use crate::ground::{Ground, Timing};
use crate::network::{Network, Weather};
use crate::scene::{Scene, Skip};
use crate::step::{Script, Step};
use std::ops::RangeInclusive;

/// From whom they are cut off.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum From {
    /// Nodes, clients and the observer.
    Everybody,
    /// Nodes alone, and clients from those: the clients are on their side.
    OtherNodes,
    /// Clients and the observer.
    Clients,
    /// Controllers.
    Controllers,
}

/// The harm.
pub struct Isolate(pub From);

impl Isolate {
    fn network(&self, scene: &Scene, targets: &[Actor]) -> Network {
        let others = others(scene, targets);
        let (nodes, clients): (Vec<Actor>, Vec<Actor>) = others.iter().partition(|actor| actor.node().is_some());
        let controllers: Vec<Actor> = scene.of_part(NodePart::Controller).into_iter().map(Actor::Node).collect();
        let clear = Network::default();
        match self.0 {
            From::Everybody => clear.between(targets, &others, Weather::Cut),
            From::OtherNodes => {
                let clients = clients.into_iter().filter(|actor| *actor != Actor::Observer);
                let side: Vec<Actor> = targets.iter().copied().chain(clients).collect();
                clear.between(&side, &nodes, Weather::Cut)
            }
            From::Clients => clear.between(targets, &clients, Weather::Cut),
            From::Controllers => clear.between(targets, &controllers, Weather::Cut),
        }
    }
}

impl Fault for Isolate {
    fn pattern(&self) -> &'static str {
        match self.0 {
            From::Everybody => "isolate-{}",
            From::OtherNodes => "isolate-{}-with-clients",
            From::Clients => "isolate-{}-from-clients",
            From::Controllers => "isolate-{}-from-controllers",
        }
    }

    fn about(&self) -> &'static str {
        match self.0 {
            From::Everybody => "cut {} off from everybody, both ways",
            From::OtherNodes => "cut {}, and every client with it, off from every other node, both ways",
            From::Clients => "cut {} off from every client, both ways",
            From::Controllers => "cut {} off from every controller, both ways",
        }
    }

    fn evidence(&self) -> &'static str {
        "the proxy saw bytes sent in both directions (of a client: in one at least) and let none pass, and somebody noticed: a \
         leader or the in-sync set changed, somebody connected anew in vain, or the observer got no answer; of a client: it \
         connected anew in vain, or others were heard meanwhile"
    }

    fn family(&self) -> Family {
        Family::Network
    }

    fn need(&self) -> Need {
        Need::Proxy
    }

    fn aims(&self) -> &'static [Aim] {
        match self.0 {
            From::Everybody => LINKED,
            // No client speaks to a node that is a controller alone.
            From::Clients => DISKS,
            From::OtherNodes => &[Aim::Leader, Aim::Follower, Aim::Minority],
            From::Controllers => &[Aim::Leader, Aim::Follower, Aim::All, Aim::Some, Aim::Minority, Aim::Majority],
        }
    }

    fn hold_ms(&self, aim: Aim, timing: &Timing) -> RangeInclusive<u64> {
        cut_ms(aim, timing)
    }

    fn duration_ms(&self, timing: &Timing, hold_ms: u64) -> u64 {
        hold_ms + timing.probe_ms
    }

    fn impossible(&self, aim: Aim, ground: &Ground) -> Option<String> {
        if self.0 == From::Controllers && ground.controllers == 0 {
            return Some("no node is a controller alone".into());
        }
        let alone = ground.brokers < 2 && !matches!(aim, Aim::Controller) && self.0 == From::OtherNodes;
        alone.then(|| "there is no other broker to be cut off from".into())
    }

    fn script(&self, scene: &Scene, asked: Asked, _: &Timing) -> Result<Script, Skip> {
        let targets = asked.aim.resolve(scene, asked.log, asked.pick)?;
        let mut hurt = network(self.network(scene, &targets), asked);
        let brokers = scene.of_part(NodePart::Broker);
        if let (From::Everybody | From::Clients, Some(node)) = (self.0, targets.iter().find_map(|t| t.node()))
            && brokers.contains(&node)
        {
            hurt.insert(1, Step::RoundTrip(node));
        }
        Ok(Script::on(&targets, hurt, Vec::new()))
    }

    fn effective(&self, episode: &Episode) -> bool {
        shows_cut(episode)
    }
}
