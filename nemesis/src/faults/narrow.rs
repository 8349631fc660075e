//! Little of what a node, or several, or a client sends or is sent arrives in a second: a line of 64 KiB/s.
//!
//! Replication falls behind without anything being broken; a follower that cannot keep up leaves the in-sync set.

use super::{every_link, network, others};
use crate::aim::Aim;
use crate::episode::Episode;
use crate::fault::{Asked, Family, Fault, Need};
use crate::ground::Timing;
use crate::network::{Network, Weather};
use crate::scene::{Scene, Skip};
use crate::step::Script;
use std::ops::RangeInclusive;

const BYTES_PER_S: u64 = 64 << 10;
/// Connections that may each use the whole of it.
const CONNECTIONS: u64 = 64;

/// The harm.
pub struct Narrow;

impl Fault for Narrow {
    fn pattern(&self) -> &'static str {
        "narrow-{}"
    }

    fn about(&self) -> &'static str {
        "no connection of {} carries more than 64 KiB/s in either direction"
    }

    fn evidence(&self) -> &'static str {
        "the proxy held bytes up in both directions, and no more arrived than so many connections can carry"
    }

    fn family(&self) -> Family {
        Family::Network
    }

    fn need(&self) -> Need {
        Need::Proxy
    }

    fn aims(&self) -> &'static [Aim] {
        &[
            Aim::Leader,
            Aim::Follower,
            Aim::Isr,
            Aim::All,
            Aim::Some,
            Aim::Minority,
            Aim::Majority,
            Aim::Producer,
            Aim::Consumer,
        ]
    }

    fn hold_ms(&self, _: Aim, _: &Timing) -> RangeInclusive<u64> {
        1000..=4000
    }

    fn duration_ms(&self, _: &Timing, hold_ms: u64) -> u64 {
        hold_ms
    }

    fn script(&self, scene: &Scene, asked: Asked, _: &Timing) -> Result<Script, Skip> {
        let targets = asked.aim.resolve(scene, asked.log, asked.pick)?;
        let narrow = Weather::Narrow { bytes_per_s: BYTES_PER_S };
        let narrow = Network::default().between(&targets, &others(scene, &targets), narrow);
        Ok(Script::on(&targets, network(narrow, asked), Vec::new()))
    }

    fn effective(&self, episode: &Episode) -> bool {
        every_link(episode, |_, counts, for_ms| {
            let most = BYTES_PER_S * CONNECTIONS * (for_ms + 1000) / 1000;
            counts.delayed > 0 && counts.passed <= most
        })
    }
}
