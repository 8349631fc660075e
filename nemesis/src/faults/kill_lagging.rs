//! SIGKILL of a leader whose followers have fallen behind but still count as in sync (the catalogue's P07).
//!
//! ```text
//! followers  ──SIGSTOP·······································SIGCONT──▶ one of them is elected, append──append
//! leader     ──append──append──[parked fetches gone]──append──SIGKILL···································start──▶ truncates to the new history
//!                                                      └ on the leader alone
//! ```
//! The leader comes back when the new history is longer than its own: before, it would only be told that the log ends earlier.
//! Whatever was acknowledged in the last stretch is lost. A cluster that acknowledges only what all in-sync replicas
//! have acknowledges nothing there, so the fault is harmless to it; one that lies, or was asked to (`acks=1`), is
//! caught. The whole must happen before the followers leave the in-sync set, or none of them could be elected.

use super::behind_ms_max;
use crate::actor::Actor;
use crate::aim::Aim;
use crate::episode::{Episode, Evidence};
use crate::fault::{Asked, Family, Fault};
use crate::ground::{Ground, Timing};
use crate::scene::{Scene, Skip};
use crate::step::{ATTEMPTS_MS, Script, Step};
use std::ops::RangeInclusive;

/// Added to what must pass, taken from what must not, milliseconds.
const MARGIN_MS: u64 = 250;

/// The harm.
pub struct KillLagging;

/// From the stop of the followers until nothing parked for them is left.
fn settle_ms(timing: &Timing) -> u64 {
    timing.fetch_wait_ms + MARGIN_MS
}

/// From the stop of the followers until they might leave the in-sync set.
fn window_ms(timing: &Timing) -> u64 {
    let lag = timing.lag_ms_max.saturating_sub(timing.fetch_wait_ms);
    let session = timing.session_ms.saturating_sub(timing.heartbeat_ms);
    lag.min(session).saturating_sub(MARGIN_MS)
}

impl Fault for KillLagging {
    fn pattern(&self) -> &'static str {
        "kill-lagging-{}"
    }

    fn about(&self) -> &'static str {
        "SIGSTOP all followers of a log, let appends go by that they miss, SIGKILL the leader, SIGCONT them, start it again when they went on beyond it"
    }

    fn evidence(&self) -> &'static str {
        "as kill-leader; every follower in /proc state T before and after, and appends went to the leader alone"
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
        window_ms(timing).min(settle_ms(timing) + ATTEMPTS_MS) + timing.session_ms + hold_ms
    }

    fn impossible(&self, _: Aim, ground: &Ground) -> Option<String> {
        if ground.replication < 2 {
            return Some("a log of one replica has no follower".into());
        }
        let (settle, window) = (settle_ms(&ground.timing), window_ms(&ground.timing));
        (settle >= window).then(|| {
            format!("followers must miss appends for {settle} ms, but leave the in-sync set after {window} ms")
        })
    }

    fn script(&self, scene: &Scene, asked: Asked, timing: &Timing) -> Result<Script, Skip> {
        let log = asked.log;
        let from @ (leader, _) = scene.leader(log)?;
        let followers = scene.followers(log)?;
        followers.iter().try_for_each(|follower| scene.in_sync(log, *follower))?;
        let each = |step: fn(_) -> Step| followers.iter().copied().map(Actor::Node).map(step);
        let stale = Step::AwaitStale { log, settle_ms: settle_ms(timing), at_most_ms: window_ms(timing) };
        let mut hurt: Vec<Step> = each(Step::Pause).chain(each(Step::Sample)).chain([stale]).collect();
        hurt.extend(each(Step::Sample).chain([Step::Kill(leader.into())]));
        let election = Step::AwaitElection { log, from, at_most_ms: timing.session_ms * 2 };
        let behind = Step::AwaitBehind { log, node: leader, at_most_ms: behind_ms_max(timing) };
        let back = [election, Step::Hold(asked.hold_ms), behind, Step::Start(leader.into())];
        let heal = each(Step::Resume).chain(back).collect();
        let accomplices = followers.iter().copied().map(Actor::Node).collect();
        Ok(Script { targets: vec![leader.into()], accomplices, hurt, heal })
    }

    fn effective(&self, episode: &Episode) -> bool {
        let Some(target) = episode.target() else { return false };
        let stale =
            |e: &Evidence| matches!(e, Evidence::Stale { log, invoked, .. } if *log == episode.log && *invoked > 0);
        let behind = episode.accomplices().all(|follower| episode.shows_stop(follower));
        behind && episode.shows_kill(target) && episode.evidence.iter().any(stale)
    }
}
