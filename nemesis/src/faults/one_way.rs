//! A node, or a client, that nobody hears, or that hears nobody: links cut in one direction.
//!
//! Requests arrive and their answers do not, or the other way round. A leader that is heard by nobody still believes that
//! it leads; a controller that hears nobody still sends. What a deaf producer appends is appended, and it never hears of it.

use super::{LINKED, cut_ms, network, others, shows_cut};
use crate::aim::Aim;
use crate::cluster::NodePart;
use crate::episode::Episode;
use crate::fault::{Asked, Family, Fault, Need};
use crate::ground::Timing;
use crate::network::{Network, Weather};
use crate::scene::{Scene, Skip};
use crate::step::{Script, Step};
use std::ops::RangeInclusive;

/// The harm.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OneWay {
    /// Nothing that it sends arrives.
    Mute,
    /// Nothing that others send it arrives.
    Deafen,
}

impl Fault for OneWay {
    fn pattern(&self) -> &'static str {
        match self {
            OneWay::Mute => "mute-{}",
            OneWay::Deafen => "deafen-{}",
        }
    }

    fn about(&self) -> &'static str {
        match self {
            OneWay::Mute => "nothing that {} sends arrives anywhere",
            OneWay::Deafen => "nothing that anybody sends {} arrives",
        }
    }

    fn evidence(&self) -> &'static str {
        "the proxy saw bytes sent in that direction and let none pass, and somebody noticed, as with isolate"
    }

    fn family(&self) -> Family {
        Family::Network
    }

    fn need(&self) -> Need {
        Need::Proxy
    }

    fn aims(&self) -> &'static [Aim] {
        LINKED
    }

    fn hold_ms(&self, aim: Aim, timing: &Timing) -> RangeInclusive<u64> {
        cut_ms(aim, timing)
    }

    fn duration_ms(&self, timing: &Timing, hold_ms: u64) -> u64 {
        hold_ms + timing.probe_ms
    }

    fn script(&self, scene: &Scene, asked: Asked, _: &Timing) -> Result<Script, Skip> {
        let targets = asked.aim.resolve(scene, asked.log, asked.pick)?;
        let others = others(scene, &targets);
        let (from, to) = if *self == OneWay::Mute { (&targets, &others) } else { (&others, &targets) };
        let cut = Network::default().with(from.iter().copied(), to.iter().copied(), Weather::Cut);
        let mut hurt = network(cut, asked);
        let brokers = scene.of_part(NodePart::Broker);
        if let Some(node) = targets.iter().find_map(|t| t.node()).filter(|node| brokers.contains(node)) {
            hurt.insert(1, Step::RoundTrip(node));
        }
        Ok(Script::on(&targets, hurt, Vec::new()))
    }

    fn effective(&self, episode: &Episode) -> bool {
        shows_cut(episode)
    }
}
