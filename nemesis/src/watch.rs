//! What the network did while it was broken: counters compared with those from just after it was set.

use crate::actor::Actor;
use crate::cluster::{Cluster, Refusal};
use crate::episode::{Evidence, Phase};
use crate::network::{Counts, Network, Traffic};
use history::{Nanos, NodeId};
use std::collections::BTreeSet;

/// Round trips measured at a time.
const ROUND_TRIPS: usize = 5;

/// A network that was set, and what had passed by then.
pub(crate) struct Watch {
    network: Network,
    since: Nanos,
    before: Vec<Traffic>,
}

impl Watch {
    /// Sets the network and begins to count: bytes once it is in force, resets from before it is, for it brings them about.
    pub(crate) fn begin(network: &Network, cluster: &mut dyn Cluster) -> Result<Watch, Refusal> {
        let earlier = cluster.traffic()?;
        cluster.set_network(network)?;
        let mut before = cluster.traffic()?;
        for traffic in &mut before {
            let same = earlier.iter().find(|e| (e.from, e.to) == (traffic.from, traffic.to));
            traffic.counts.resets = same.map_or(0, |e| e.counts.resets);
        }
        Ok(Watch { network: network.clone(), since: cluster.now(), before })
    }

    /// What happened since, a piece of evidence a rule.
    pub(crate) fn seen(&self, cluster: &mut dyn Cluster) -> Result<Vec<Evidence>, Refusal> {
        let now = cluster.traffic()?;
        let for_ms = cluster.now().since(self.since) / 1_000_000;
        let since = |touches: &dyn Fn(&Traffic) -> bool| self.since_begin(&now, touches);
        let of =
            |from: &BTreeSet<Actor>, to: &BTreeSet<Actor>| since(&|t| from.contains(&t.from) && to.contains(&t.to));
        let links = self.network.rules.iter().map(|rule| Evidence::Links {
            from: rule.from.iter().copied().collect(),
            to: rule.to.iter().copied().collect(),
            weather: rule.weather,
            counts: of(&rule.from, &rule.to),
            for_ms,
        });
        let doors = self.network.doors.iter().map(|(node, door)| Evidence::Doorstep {
            node: *node,
            door: *door,
            counts: since(&|t| t.to == Actor::Node(*node)),
        });
        let frames = self
            .network
            .frames
            .iter()
            .map(|rule| Evidence::Frames { frames: of(&rule.from, &rule.to).frames, rule: rule.clone() });
        Ok(links.chain(doors).chain(frames).collect())
    }

    fn since_begin(&self, now: &[Traffic], touches: &dyn Fn(&Traffic) -> bool) -> Counts {
        let mut sum = Counts::default();
        for traffic in now.iter().filter(|t| touches(t)) {
            let before = self.before.iter().find(|b| (b.from, b.to) == (traffic.from, traffic.to));
            sum += traffic.counts.since(before.map_or(Counts::default(), |b| b.counts));
        }
        sum
    }
}

/// Some round trips to a node through the network as it is now.
pub(crate) fn round_trips(node: NodeId, timeout_ms: u64, cluster: &mut dyn Cluster) -> Evidence {
    let phase = if cluster.network().is_clear() { Phase::Before } else { Phase::During };
    let mut us = Vec::new();
    while us.len() < ROUND_TRIPS {
        us.push(cluster.round_trip(node, timeout_ms));
        if us.last() == Some(&None) {
            break;
        }
    }
    Evidence::RoundTrips { node, phase, us }
}
