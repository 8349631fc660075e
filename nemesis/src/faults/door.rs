//! Nobody can connect to a node any more: connects are refused, or never answered. Connections that stand are reset once.
//!
//! Refused is what a crashed process looks like from afar, unanswered what a firewall or a lost machine does: a client
//! that has no timeout of its own waits for minutes.

use super::shows_unanswered;
use crate::aim::Aim;
use crate::episode::{Episode, Evidence};
use crate::fault::{Asked, Family, Fault, Need};
use crate::ground::Timing;
use crate::network::{Door, Network};
use crate::scene::{Scene, Skip};
use crate::step::{Script, Step};
use std::ops::RangeInclusive;

/// The harm.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shut {
    /// Connects are refused.
    Refuse,
    /// Connects are never answered.
    BlackHole,
}

impl Fault for Shut {
    fn pattern(&self) -> &'static str {
        if *self == Shut::Refuse { "refuse-{}" } else { "black-hole-{}" }
    }

    fn about(&self) -> &'static str {
        match self {
            Shut::Refuse => "refuse every connect to {}, after resetting the connections that stand",
            Shut::BlackHole => "leave every connect to {} unanswered, after resetting the connections that stand",
        }
    }

    fn evidence(&self) -> &'static str {
        "the proxy reset a connection that stood, and the observer, connecting anew, got no answer"
    }

    fn family(&self) -> Family {
        Family::Network
    }

    fn need(&self) -> Need {
        Need::Proxy
    }

    fn aims(&self) -> &'static [Aim] {
        &[Aim::Leader, Aim::Follower, Aim::GroupCoordinator, Aim::TransactionCoordinator, Aim::Some]
    }

    fn hold_ms(&self, _: Aim, timing: &Timing) -> RangeInclusive<u64> {
        200..=timing.session_ms.max(200) + 1000
    }

    fn duration_ms(&self, timing: &Timing, hold_ms: u64) -> u64 {
        hold_ms + timing.probe_ms
    }

    fn script(&self, scene: &Scene, asked: Asked, _: &Timing) -> Result<Script, Skip> {
        let targets = asked.aim.resolve(scene, asked.log, asked.pick)?;
        let door = if *self == Shut::Refuse { Door::Refusing } else { Door::BlackHole };
        let nodes = targets.iter().filter_map(|t| t.node());
        let shut = Network { doors: nodes.clone().map(|node| (node, door)).collect(), ..Network::default() };
        let mut hurt = vec![Step::Network(Box::new(shut))];
        hurt.extend(nodes.map(Step::RoundTrip));
        hurt.extend([Step::Hold(asked.hold_ms), Step::Traffic]);
        Ok(Script::on(&targets, hurt, Vec::new()))
    }

    fn effective(&self, episode: &Episode) -> bool {
        let reset = |e: &Evidence| matches!(e, Evidence::Doorstep { counts, .. } if counts.resets > 0);
        episode.evidence.iter().any(reset) && shows_unanswered(episode)
    }
}
