//! The connections of a node, or of a client, that stand fall silent, in both directions, and stay so; new ones work.
//!
//! As behind a load balancer or a firewall that forgot them. Whoever waits without a timeout waits for ever.

use super::{LINKED, every_link, network, others, shows_kept};
use crate::aim::Aim;
use crate::episode::Episode;
use crate::fault::{Asked, Family, Fault, Need};
use crate::ground::Timing;
use crate::network::{Network, Weather};
use crate::scene::{Scene, Skip};
use crate::step::Script;
use std::ops::RangeInclusive;

/// The harm.
pub struct Stall;

impl Fault for Stall {
    fn pattern(&self) -> &'static str {
        "stall-{}"
    }

    fn about(&self) -> &'static str {
        "the connections of {} that stand fall silent, both ways; new ones work"
    }

    fn evidence(&self) -> &'static str {
        "the proxy saw bytes sent in both directions (of a client: in one at least) on connections that it keeps silent"
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

    fn hold_ms(&self, _: Aim, _: &Timing) -> RangeInclusive<u64> {
        1000..=4000
    }

    fn duration_ms(&self, _: &Timing, hold_ms: u64) -> u64 {
        hold_ms
    }

    fn script(&self, scene: &Scene, asked: Asked, _: &Timing) -> Result<Script, Skip> {
        let targets = asked.aim.resolve(scene, asked.log, asked.pick)?;
        let stalled = Network::default().between(&targets, &others(scene, &targets), Weather::Stalled);
        Ok(Script::on(&targets, network(stalled, asked), Vec::new()))
    }

    fn effective(&self, episode: &Episode) -> bool {
        let both = every_link(episode, |_, counts, _| counts.held > 0);
        both || (episode.fault.aim().is_of_clients() && shows_kept(episode))
    }
}
