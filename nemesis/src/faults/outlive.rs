//! A leader that outlives its followers, and then dies itself (the catalogue's R03).
//!
//! ```text
//! followers  ──SIGKILL·····································start──▶ out of sync; one is elected only uncleanly
//! leader     ──append──[alone in sync]──append──SIGKILL·············start──▶ leads again, or truncates
//!                                        └ on the leader alone
//! ```
//! What was acknowledged in the last stretch is on the leader's disk, which a SIGKILL does not touch. A cluster that elects
//! nobody from outside the in-sync set loses nothing, it only waits for the leader; one that does, loses it.

use crate::actor::Actor;
use crate::aim::Aim;
use crate::episode::{Episode, Evidence};
use crate::fault::{Asked, Family, Fault};
use crate::ground::{Ground, Timing};
use crate::scene::{Scene, Skip};
use crate::step::{ATTEMPTS_MS, Script, Step};
use std::ops::RangeInclusive;

/// The harm.
pub struct Outlive;

/// Until dead followers have left the in-sync set, with as much again.
pub(super) fn alone_ms_max(timing: &Timing) -> u64 {
    (timing.lag_ms_max + timing.session_ms) * 2 + timing.recovery_ms
}

/// Until followers have come back and somebody was elected, where somebody can be.
pub(super) fn return_ms_max(timing: &Timing) -> u64 {
    timing.recovery_ms * 3 + timing.session_ms * 2
}

impl Fault for Outlive {
    fn pattern(&self) -> &'static str {
        "outlive-{}"
    }

    fn about(&self) -> &'static str {
        "SIGKILL all followers of a log, let the leader go on alone, SIGKILL it, start the followers first and then the leader"
    }

    fn evidence(&self) -> &'static str {
        "as kill-leader; every follower was killed too, the leader was alone in sync, and appends went to it alone"
    }

    fn family(&self) -> Family {
        Family::Kill
    }

    fn aims(&self) -> &'static [Aim] {
        &[Aim::Leader]
    }

    fn hold_ms(&self, _: Aim, _: &Timing) -> RangeInclusive<u64> {
        100..=800
    }

    fn duration_ms(&self, timing: &Timing, hold_ms: u64) -> u64 {
        alone_ms_max(timing) / 2 + ATTEMPTS_MS + return_ms_max(timing) + hold_ms
    }

    fn impossible(&self, _: Aim, ground: &Ground) -> Option<String> {
        (ground.replication < 2).then(|| "a log of one replica has no follower".into())
    }

    fn script(&self, scene: &Scene, asked: Asked, timing: &Timing) -> Result<Script, Skip> {
        let log = asked.log;
        let from @ (leader, _) = scene.leader(log)?;
        let followers = scene.followers(log)?;
        let each = |step: fn(_) -> Step| followers.iter().copied().map(Actor::Node).map(step);
        let alone = Step::AwaitAlone { log, node: leader, at_most_ms: alone_ms_max(timing) };
        let stale = Step::AwaitStale { log, settle_ms: 0, at_most_ms: ATTEMPTS_MS * 4 };
        let hurt = each(Step::Kill).chain([alone, stale, Step::Kill(leader.into())]).collect();
        let election = Step::AwaitElection { log, from, at_most_ms: return_ms_max(timing) };
        let heal = each(Step::Start).chain([election, Step::Hold(asked.hold_ms), Step::Start(leader.into())]).collect();
        let accomplices = followers.iter().copied().map(Actor::Node).collect();
        Ok(Script { targets: vec![leader.into()], accomplices, hurt, heal })
    }

    fn effective(&self, episode: &Episode) -> bool {
        let Some(target) = episode.target() else { return false };
        let stale =
            |e: &Evidence| matches!(e, Evidence::Stale { log, invoked, .. } if *log == episode.log && *invoked > 0);
        let gone = episode.accomplices().all(|follower| episode.shows_kill(follower));
        gone && episode.shows_kill(target) && episode.shows_alone() && episode.evidence.iter().any(stale)
    }
}
