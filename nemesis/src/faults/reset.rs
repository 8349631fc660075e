//! The connections of a node, or of a client, are reset, those that stand and every new one, until it is healed.
//!
//! Requests under way have an unknown outcome; a client must find another node or wait.

use super::{links, network, others, shows_unanswered};
use crate::aim::Aim;
use crate::episode::Episode;
use crate::fault::{Asked, Family, Fault, Need};
use crate::ground::Timing;
use crate::network::{Network, Weather};
use crate::scene::{Scene, Skip};
use crate::step::{Script, Step};
use std::ops::RangeInclusive;

/// The harm.
pub struct Reset;

impl Fault for Reset {
    fn pattern(&self) -> &'static str {
        "reset-{}"
    }

    fn about(&self) -> &'static str {
        "reset the connections of {}, those that stand and every new one"
    }

    fn evidence(&self) -> &'static str {
        "the proxy reset a connection that stood, and the observer, or the client that is hit, connecting anew, got no answer"
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
            Aim::GroupCoordinator,
            Aim::TransactionCoordinator,
            Aim::Some,
            Aim::Producer,
            Aim::Consumer,
        ]
    }

    fn hold_ms(&self, _: Aim, _: &Timing) -> RangeInclusive<u64> {
        200..=2000
    }

    fn duration_ms(&self, timing: &Timing, hold_ms: u64) -> u64 {
        hold_ms + timing.probe_ms
    }

    fn script(&self, scene: &Scene, asked: Asked, _: &Timing) -> Result<Script, Skip> {
        let targets = asked.aim.resolve(scene, asked.log, asked.pick)?;
        let reset = Network::default().between(&targets, &others(scene, &targets), Weather::Reset);
        let mut hurt = network(reset, asked);
        hurt.splice(1..1, targets.iter().filter_map(|t| t.node()).take(1).map(Step::RoundTrip));
        Ok(Script::on(&targets, hurt, Vec::new()))
    }

    fn effective(&self, episode: &Episode) -> bool {
        let turned_away = links(episode).any(|(_, counts, _)| counts.refused > 0);
        let in_vain = if episode.fault.aim().is_of_clients() { turned_away } else { shows_unanswered(episode) };
        links(episode).any(|(_, counts, _)| counts.resets > 0) && in_vain
    }
}
