//! A leader whose followers are all gone for a while (the catalogue's R10).
//!
//! ```text
//! followers  ──SIGKILL·······························start──▶ catch up
//! leader     ──append──[alone in sync]──append──append──append
//! ```
//! With `min.insync.replicas=2` nothing is acknowledged with `acks=all`; what is acknowledged with `acks=1` is not visible until
//! a second replica is back. Nothing is lost either way.

use super::outlive::{alone_ms_max, return_ms_max};
use crate::actor::Actor;
use crate::aim::Aim;
use crate::episode::{Episode, Evidence};
use crate::fault::{Asked, Family, Fault};
use crate::ground::{Ground, Timing};
use crate::scene::{Scene, Skip};
use crate::step::{ATTEMPTS_MS, Script, Step};
use std::ops::RangeInclusive;

/// The harm.
pub struct Maroon;

impl Fault for Maroon {
    fn pattern(&self) -> &'static str {
        "maroon-{}"
    }

    fn about(&self) -> &'static str {
        "SIGKILL all followers of a log, let the leader go on alone for a while, start them again"
    }

    fn evidence(&self) -> &'static str {
        "every follower was killed and is another process, the leader was alone in sync, and appends went to it"
    }

    fn family(&self) -> Family {
        Family::Kill
    }

    fn aims(&self) -> &'static [Aim] {
        &[Aim::Leader]
    }

    fn hold_ms(&self, _: Aim, _: &Timing) -> RangeInclusive<u64> {
        500..=3000
    }

    fn duration_ms(&self, timing: &Timing, hold_ms: u64) -> u64 {
        alone_ms_max(timing) / 2 + ATTEMPTS_MS + return_ms_max(timing) + hold_ms
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
        let stale = Step::AwaitStale { log, settle_ms: 0, at_most_ms: ATTEMPTS_MS * 4 };
        let hurt = each(Step::Kill).chain([alone, stale, Step::Hold(asked.hold_ms)]).collect();
        let heal = each(Step::Start).collect();
        let accomplices = followers.iter().copied().map(Actor::Node).collect();
        Ok(Script { targets: vec![leader.into()], accomplices, hurt, heal })
    }

    fn effective(&self, episode: &Episode) -> bool {
        let stale =
            |e: &Evidence| matches!(e, Evidence::Stale { log, invoked, .. } if *log == episode.log && *invoked > 0);
        let gone = episode.accomplices().all(|follower| episode.shows_kill(follower));
        gone && episode.shows_alone() && episode.evidence.iter().any(stale)
    }
}
