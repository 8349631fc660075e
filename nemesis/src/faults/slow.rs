//! Everything that a node, or several, or a client sends or is sent arrives later: by a fixed latency, or by one that varies.
//!
//! Nothing is lost and nothing is reordered; timeouts that are too tight fire.

use super::{every_link, network, others, shows_slowness};
use crate::aim::Aim;
use crate::cluster::NodePart;
use crate::episode::Episode;
use crate::fault::{Asked, Family, Fault, Need};
use crate::ground::Timing;
use crate::network::{Network, Weather};
use crate::scene::{Scene, Skip};
use crate::step::{Script, Step};
use std::ops::RangeInclusive;

const LATENCY_US: u64 = 100_000;
const JITTER_US: u64 = 80_000;
/// The least of what varies.
const JITTER_LEAST_US: u64 = 5_000;

/// The harm.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Slow {
    /// Always by as much.
    Latency,
    /// By a latency drawn anew each time.
    Jitter,
}

impl Slow {
    fn weather(self) -> Weather {
        match self {
            Slow::Latency => Weather::Slow { latency_us: LATENCY_US, jitter_us: 0 },
            Slow::Jitter => Weather::Slow { latency_us: JITTER_LEAST_US, jitter_us: JITTER_US },
        }
    }

    /// By how much more than before a round trip must usually take: one of two ways, or half of the usual for both.
    fn least_us(self) -> u64 {
        if self == Slow::Latency { LATENCY_US } else { (JITTER_LEAST_US + JITTER_US) / 2 }
    }
}

impl Fault for Slow {
    fn pattern(&self) -> &'static str {
        if *self == Slow::Latency { "slow-{}" } else { "jitter-{}" }
    }

    fn about(&self) -> &'static str {
        match self {
            Slow::Latency => "everything that {} sends or is sent arrives 100 ms later",
            Slow::Jitter => "everything that {} sends or is sent arrives 5 to 85 ms later, drawn anew each time",
        }
    }

    fn evidence(&self) -> &'static str {
        "the proxy held bytes up in both directions, and the median of measured round trips rose by as much; of a client: most of \
         what arrived in each direction had been held up so"
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
            Aim::GroupCoordinator,
            Aim::TransactionCoordinator,
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

    fn duration_ms(&self, timing: &Timing, hold_ms: u64) -> u64 {
        hold_ms + timing.probe_ms
    }

    fn script(&self, scene: &Scene, asked: Asked, _: &Timing) -> Result<Script, Skip> {
        let targets = asked.aim.resolve(scene, asked.log, asked.pick)?;
        let slow = Network::default().between(&targets, &others(scene, &targets), self.weather());
        let brokers = scene.of_part(NodePart::Broker);
        let probed = targets.iter().filter_map(|t| t.node()).find(|node| brokers.contains(node));
        let trips: Vec<Step> = probed.map(Step::RoundTrip).into_iter().collect();
        let mut hurt = trips.clone();
        hurt.extend(network(slow, asked));
        let at = hurt.len() - 2;
        hurt.splice(at..at, trips);
        Ok(Script::on(&targets, hurt, Vec::new()))
    }

    fn effective(&self, episode: &Episode) -> bool {
        let late = every_link(episode, |_, counts, _| counts.delayed > 0);
        if episode.fault.aim().is_of_clients() {
            return late && every_link(episode, |_, counts, _| counts.delayed >= counts.passed.div_ceil(2));
        }
        late && shows_slowness(episode, self.least_us())
    }
}
