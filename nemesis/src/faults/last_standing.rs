//! The last replica standing loses its un-synced data (the catalogue's R05, KIP-966).
//!
//! ```text
//! leader     ──append, acknowledged by all──[alone in sync]──✂ power────start──▶ leads again, its log cut
//! followers  ──they have it too────SIGSTOP·······························SIGCONT──▶ truncate to it
//! ```
//! Every acknowledged record is on three replicas, and the only one that may lead is the one that lost it. A cluster that elects
//! from the eligible leader replicas, or that syncs before it acknowledges, loses nothing. The followers stand still instead of
//! dying: a replica that comes back from an unclean stop is nobody's candidate.

use super::outlive::{alone_ms_max, return_ms_max};
use super::shows_wreck;
use crate::actor::Actor;
use crate::aim::Aim;
use crate::disk::{Loss, Wreck};
use crate::episode::Episode;
use crate::fault::{Asked, Family, Fault, Need};
use crate::ground::{Ground, Timing};
use crate::scene::{Scene, Skip};
use crate::step::{Script, Step};
use std::ops::RangeInclusive;

/// The harm.
pub struct LastStanding;

impl Fault for LastStanding {
    fn pattern(&self) -> &'static str {
        "power-loss-last-{}"
    }

    fn about(&self) -> &'static str {
        "SIGSTOP all followers of a log until its leader is alone in sync, cut the leader's power, SIGCONT them, start it again"
    }

    fn evidence(&self) -> &'static str {
        "as power-loss-leader; every follower in /proc state T before and after, and the leader was alone in sync"
    }

    fn family(&self) -> Family {
        Family::Disk
    }

    fn need(&self) -> Need {
        Need::PowerLoss
    }

    fn is_survivable(&self) -> bool {
        false
    }

    fn forgets(&self) -> bool {
        true
    }

    fn aims(&self) -> &'static [Aim] {
        &[Aim::Leader]
    }

    fn hold_ms(&self, _: Aim, _: &Timing) -> RangeInclusive<u64> {
        100..=800
    }

    fn duration_ms(&self, timing: &Timing, hold_ms: u64) -> u64 {
        alone_ms_max(timing) / 2 + return_ms_max(timing) + hold_ms
    }

    fn impossible(&self, _: Aim, ground: &Ground) -> Option<String> {
        (ground.replication < 2).then(|| "a log of one replica has no follower".into())
    }

    fn script(&self, scene: &Scene, asked: Asked, timing: &Timing) -> Result<Script, Skip> {
        let log = asked.log;
        let (leader, _) = scene.leader(log)?;
        let followers = scene.followers(log)?;
        let each = |step: fn(_) -> Step| followers.iter().copied().map(Actor::Node).map(step);
        let alone = Step::AwaitAlone { log, node: leader, at_most_ms: alone_ms_max(timing) };
        let mut hurt: Vec<Step> = each(Step::Pause).chain(each(Step::Sample)).chain([alone]).collect();
        let wreck = Step::Wreck(leader, Wreck::PowerLoss { loss: Loss::All });
        hurt.extend(each(Step::Sample).chain([Step::Kill(leader.into()), wreck]));
        let back = [Step::Hold(asked.hold_ms), Step::Mend(leader.into()), Step::Start(leader.into())];
        let heal = each(Step::Resume).chain(back).collect();
        let accomplices = followers.iter().copied().map(Actor::Node).collect();
        Ok(Script { targets: vec![leader.into()], accomplices, hurt, heal })
    }

    fn effective(&self, episode: &Episode) -> bool {
        let Some(target) = episode.target() else { return false };
        let behind = episode.accomplices().all(|follower| episode.shows_stop(follower));
        behind && episode.shows_alone() && shows_wreck(episode, target)
    }
}
