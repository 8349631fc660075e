//! What the network did while it was broken: counters compared with those from when it was set.

use crate::actor::Actor;
use crate::cluster::{Cluster, Refusal};
use crate::episode::{Evidence, Phase};
use crate::network::{Counts, Network, Rule, Traffic};
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
    /// Sets the network and begins to count. What arrives or connects counts once the network is in force; what only a network
    /// brings about counts from before it is, or the little that is sent at once would be missed. Where another one was in force
    /// before, only resets are surely of this one.
    pub(crate) fn begin(network: &Network, cluster: &mut dyn Cluster) -> Result<Watch, Refusal> {
        let was_clear = cluster.network().is_clear();
        let earlier = cluster.traffic()?;
        cluster.set_network(network)?;
        let before = counted_from(was_clear, &earlier, cluster.traffic()?);
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
            counts: self.with_connects_back(rule, of(&rule.from, &rule.to), &now),
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
        let free = |t: &Traffic| self.network.on(t.from, t.to).chain(self.network.on(t.to, t.from)).next().is_none();
        let spared = self.network.is_of_clients().then(|| Evidence::Spared { passed: since(&free).passed, for_ms });
        Ok(links.chain(doors).chain(frames).chain(spared).collect())
    }

    /// True if anything was kept from arriving as it was sent.
    pub(crate) fn has_touched(&self, cluster: &mut dyn Cluster) -> Result<bool, Refusal> {
        Ok(self.since_begin(&cluster.traffic()?, &|_| true).shows_touch())
    }

    /// Who is cut off from answers in one direction asks for connections in the other: they are counted there, and told here.
    fn with_connects_back(&self, rule: &Rule, mut counts: Counts, now: &[Traffic]) -> Counts {
        let back = |t: &Traffic| rule.to.contains(&t.from) && rule.from.contains(&t.to);
        let free = |t: &Traffic| self.network.on(t.from, t.to).next().is_none();
        counts.connects_held += self.since_begin(now, &|t| back(t) && free(t)).connects_held;
        counts
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

/// Where to count from, of the counters just before and just after a network was set.
fn counted_from(was_clear: bool, earlier: &[Traffic], mut set: Vec<Traffic>) -> Vec<Traffic> {
    for Traffic { from, to, counts } in &mut set {
        let same = earlier.iter().find(|e| (e.from, e.to) == (*from, *to));
        let earlier = same.map_or(Counts::default(), |e| e.counts);
        *counts = if was_clear {
            let Counts { passed, connects, rewritten, .. } = *counts;
            Counts { passed, connects, rewritten, ..earlier }
        } else {
            Counts { resets: earlier.resets, ..*counts }
        };
    }
    set
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_little_that_a_new_cut_holds_at_once_counts_and_what_arrived_before_it_does_not() {
        let link = |counts| Traffic { from: Actor::Node(NodeId(1)), to: Actor::Node(NodeId(2)), counts };
        let earlier = [link(Counts { passed: 10, held: 5, connects_held: 1, ..Counts::default() })];
        let set = Counts { passed: 15, held: 9, connects_held: 2, resets: 1, ..Counts::default() };
        let now = Counts { passed: 15, held: 11, connects_held: 2, resets: 1, ..Counts::default() };
        let since = |was_clear| now.since(counted_from(was_clear, &earlier, vec![link(set)])[0].counts);
        assert_eq!(since(true), Counts { held: 6, connects_held: 1, resets: 1, ..Counts::default() });
        // What another cut may have held in between is not told of this one.
        assert_eq!(since(false), Counts { held: 2, resets: 1, ..Counts::default() });
    }
}
