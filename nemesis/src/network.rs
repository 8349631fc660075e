//! The network between everybody, as a value: which directed links are cut, slow, narrow or broken.
//!
//! A link leads from one who takes part to another; what travels on it are the bytes that the first sends the second, no
//! matter which of the two connected. Only links that end or begin at a node exist: clients do not speak to each other.
//! **Invariants:** the default network lets everything pass; a network is set as a whole, so that healing is setting the
//! default one. Pure: what puts it into force is `proxy`.

use crate::actor::Actor;
use history::NodeId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// What happens to bytes on their way, or to connections.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Weather {
    /// Nothing arrives. As with packets that are lost and sent again, what was sent meanwhile arrives after the healing,
    /// if the connection is still there.
    Cut,
    /// Everything arrives later.
    Slow {
        /// By so much, microseconds.
        latency_us: u64,
        /// And by up to so much more, drawn anew each time, microseconds. Order is kept.
        jitter_us: u64,
    },
    /// Not more than so many bytes a second arrive.
    Narrow {
        /// Bytes a second, over 0.
        bytes_per_s: u64,
    },
    /// Connections that stand when it begins fall silent and stay so; new ones work.
    Stalled,
    /// Connections are reset, those that stand and every new one.
    Reset,
}

/// What becomes of connects to a node, whoever they come from. Connections that stand when it begins are reset once.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Door {
    /// They are refused: nobody listens.
    Refusing,
    /// They are never answered.
    BlackHole,
}

/// Weather on some links.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Rule {
    /// On links from these…
    pub from: BTreeSet<Actor>,
    /// … to these.
    pub to: BTreeSet<Actor>,
    /// What it is like.
    pub weather: Weather,
}

/// What is done to a request or its answer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tampering {
    /// The request never arrives.
    DropRequest,
    /// The request arrives, its answer does not.
    DropResponse,
    /// The request arrives later, even if whoever sent it has gone.
    DelayRequest {
        /// By so much, milliseconds.
        ms: u64,
    },
    /// The answer arrives later.
    DelayResponse {
        /// By so much, milliseconds.
        ms: u64,
    },
    /// The request arrives twice; the second answer goes nowhere.
    DuplicateRequest,
}

/// Tampering with single frames of the Kafka protocol.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct FrameRule {
    /// Requests of these…
    pub from: BTreeSet<Actor>,
    /// … to these…
    pub to: BTreeSet<Actor>,
    /// … of this kind (`0` Produce, `1` Fetch, `26` EndTxn …).
    pub api_key: i16,
    /// What is done to them.
    pub tampering: Tampering,
    /// To every n-th only, counted from the first; over 0.
    pub every: u32,
    /// To so many at most, over all connections.
    pub times: u32,
}

/// A network.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Network {
    /// All of them hold at once.
    pub rules: Vec<Rule>,
    /// Nodes whose door is not open.
    pub doors: Vec<(NodeId, Door)>,
    /// All of them hold at once.
    pub frames: Vec<FrameRule>,
}

impl Network {
    /// True if everything passes.
    pub fn is_clear(&self) -> bool {
        self.rules.is_empty() && self.doors.is_empty() && self.frames.is_empty()
    }

    /// Adds weather on the links from some to some others.
    pub fn with(
        mut self,
        from: impl IntoIterator<Item = Actor>,
        to: impl IntoIterator<Item = Actor>,
        weather: Weather,
    ) -> Network {
        self.rules.push(Rule { from: from.into_iter().collect(), to: to.into_iter().collect(), weather });
        self
    }

    /// Adds weather on the links between two sides, both ways.
    pub fn between(self, one: &[Actor], other: &[Actor], weather: Weather) -> Network {
        let (one, other) = (one.iter().copied(), other.iter().copied());
        self.with(one.clone(), other.clone(), weather).with(other, one, weather)
    }

    /// True if it is only between the nodes and single clients.
    pub fn is_of_clients(&self) -> bool {
        let clients = |side: &BTreeSet<Actor>| side.iter().all(|actor| matches!(actor, Actor::Client(_)));
        let rules = self.rules.iter().all(|rule| clients(&rule.from) || clients(&rule.to));
        !self.rules.is_empty() && rules && self.doors.is_empty() && self.frames.is_empty()
    }

    /// The weather on one link.
    pub fn on(&self, from: Actor, to: Actor) -> impl Iterator<Item = Weather> {
        let touches = move |rule: &&Rule| rule.from.contains(&from) && rule.to.contains(&to);
        self.rules.iter().filter(touches).map(|rule| rule.weather)
    }
}

/// What happened on one link so far. Every number only ever grows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Traffic {
    /// From whom.
    pub from: Actor,
    /// To whom.
    pub to: Actor,
    /// The numbers.
    pub counts: Counts,
}

/// Counters of a link.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Counts {
    /// Bytes that arrived.
    pub passed: u64,
    /// Bytes that were sent while the link was cut or stalled.
    pub held: u64,
    /// Bytes that were sent while they had to arrive late.
    pub delayed: u64,
    /// Connections opened by `from`.
    pub connects: u64,
    /// Connections that `from` asked for while the link was cut, in either direction. Of a rule that cuts one direction only,
    /// also those asked for in the other.
    pub connects_held: u64,
    /// Connections opened by `from` that were reset.
    pub resets: u64,
    /// Connections that `from` asked for and that were not let in.
    pub refused: u64,
    /// Requests, or answers to requests, of `from` that were tampered with.
    pub frames: u64,
    /// Answers of `from` in which addresses were replaced.
    pub rewritten: u64,
}

impl Counts {
    /// True if anything was kept from arriving as it was sent.
    pub fn shows_touch(self) -> bool {
        self.held + self.delayed + self.connects_held + self.resets + self.refused + self.frames > 0
    }

    /// What happened since `before`.
    pub fn since(self, before: Counts) -> Counts {
        Counts {
            passed: self.passed.saturating_sub(before.passed),
            held: self.held.saturating_sub(before.held),
            delayed: self.delayed.saturating_sub(before.delayed),
            connects: self.connects.saturating_sub(before.connects),
            connects_held: self.connects_held.saturating_sub(before.connects_held),
            resets: self.resets.saturating_sub(before.resets),
            refused: self.refused.saturating_sub(before.refused),
            frames: self.frames.saturating_sub(before.frames),
            rewritten: self.rewritten.saturating_sub(before.rewritten),
        }
    }
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Counts) {
        self.passed += other.passed;
        self.held += other.held;
        self.delayed += other.delayed;
        self.connects += other.connects;
        self.connects_held += other.connects_held;
        self.resets += other.resets;
        self.refused += other.refused;
        self.frames += other.frames;
        self.rewritten += other.rewritten;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actor::ClientId;
    use history::NodeId;

    #[test]
    fn a_one_way_cut_is_on_one_link_and_a_cut_between_sides_on_both() {
        let [a, b, c] = [1, 2, 3].map(|n| Actor::Node(NodeId(n)));
        let client = Actor::Client(ClientId(0));
        let one_way = Network::default().with([a], [b], Weather::Cut);
        assert_eq!((one_way.on(a, b).count(), one_way.on(b, a).count()), (1, 0));
        let both = Network::default().between(&[a, client], &[b, c], Weather::Cut);
        for (from, to, cut) in [(a, b, 1), (b, a, 1), (c, client, 1), (a, client, 0), (b, c, 0)] {
            assert_eq!(both.on(from, to).count(), cut, "{from} to {to}");
        }
        assert!(Network::default().is_clear() && !both.is_clear());
    }

    #[test]
    fn a_network_is_of_clients_if_each_rule_has_only_such_on_one_side() {
        let [node, client] = [Actor::Node(NodeId(1)), Actor::Client(ClientId(0))];
        let of = |one: &[Actor], other: &[Actor]| Network::default().between(one, other, Weather::Cut).is_of_clients();
        assert!(of(&[client], &[node]));
        assert!(!of(&[node], &[client, Actor::Observer]) && !of(&[node], &[node]));
        assert!(!Network::default().is_of_clients());
    }
}
