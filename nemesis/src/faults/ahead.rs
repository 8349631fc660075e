//! One follower stays behind, and whoever went on without it dies: where the controllers have heard that it fell out of the
//! in-sync set, and where they could not (KIP-497).
//!
//! ```text
//! controllers ──(SIGKILL)····································(start)──▶ elect from the in-sync set they know
//! left behind ──SIGSTOP····································SIGCONT──▶ is in it only if nobody could be told
//! the others  ──append──[it lags]──append──SIGKILL                      start──▶
//! ```
//! Heard: what was acknowledged in the last stretch is on the dead alone, and nobody may lead before one of them is back.
//! Unheard: a leader that acts upon an in-sync set as soon as it has asked for it acknowledges there what the one left behind
//! never saw; one that waits for the controller acknowledges nothing.

use crate::actor::Actor;
use crate::aim::Aim;
use crate::cluster::NodePart;
use crate::episode::{Episode, Evidence};
use crate::fault::{Asked, Family, Fault};
use crate::ground::{Ground, Timing};
use crate::scene::{Scene, Skip};
use crate::step::{ATTEMPTS_MS, Script, Step};
use std::ops::RangeInclusive;

/// Added to what must pass, taken from what must not, milliseconds.
const MARGIN_MS: u64 = 500;

/// The harm.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ahead {
    /// The controllers take the one left behind out of the in-sync set.
    Heard,
    /// They are dead meanwhile, and what they were asked is lost with them.
    Unheard,
}

/// From the stop of the follower until its leader wants it out of the in-sync set.
fn lag_ms(timing: &Timing) -> u64 {
    timing.lag_ms_max + timing.fetch_wait_ms + MARGIN_MS
}

/// From the stop of the follower until it has left the in-sync set.
fn gone_ms(timing: &Timing) -> u64 {
    lag_ms(timing).max(timing.session_ms + MARGIN_MS)
}

/// From the stop of the controllers until brokers count as fenced, or do no longer trust that they are not.
fn window_ms(timing: &Timing) -> u64 {
    timing.session_ms.saturating_sub(timing.heartbeat_ms + MARGIN_MS)
}

impl Fault for Ahead {
    fn pattern(&self) -> &'static str {
        match self {
            Ahead::Heard => "kill-ahead-{}",
            Ahead::Unheard => "kill-unheard-{}",
        }
    }

    fn about(&self) -> &'static str {
        match self {
            Ahead::Heard => {
                "SIGSTOP one follower of a log until it has left the in-sync set, SIGKILL the leader and whoever kept up, SIGCONT"
            }
            Ahead::Unheard => {
                "SIGKILL the controllers, SIGSTOP one follower of a log, let it lag, SIGKILL the leader and whoever kept up, start, SIGCONT"
            }
        }
    }

    fn evidence(&self) -> &'static str {
        "as kill-leader; the one left behind in /proc state T before and after, and appends went to the leader"
    }

    fn family(&self) -> Family {
        Family::Kill
    }

    fn aims(&self) -> &'static [Aim] {
        &[Aim::Leader]
    }

    fn hold_ms(&self, _: Aim, _: &Timing) -> RangeInclusive<u64> {
        100..=500
    }

    fn duration_ms(&self, timing: &Timing, hold_ms: u64) -> u64 {
        gone_ms(timing) + ATTEMPTS_MS + timing.session_ms + hold_ms
    }

    fn impossible(&self, _: Aim, ground: &Ground) -> Option<String> {
        if ground.replication < 3 {
            return Some("it takes a log of three replicas to go on without one".into());
        }
        if *self == Ahead::Heard {
            return None;
        }
        if ground.controllers == 0 {
            return Some("no node is a controller alone".into());
        }
        let (lag, window) = (lag_ms(&ground.timing) + ATTEMPTS_MS, window_ms(&ground.timing));
        (lag >= window).then(|| {
            format!("a follower must lag for {lag} ms, but brokers without a controller stop serving after {window} ms")
        })
    }

    fn script(&self, scene: &Scene, asked: Asked, timing: &Timing) -> Result<Script, Skip> {
        let log = asked.log;
        let from @ (leader, _) = scene.leader(log)?;
        let followers = scene.followers(log)?;
        followers.iter().try_for_each(|follower| scene.in_sync(log, *follower))?;
        let silent = scene.follower(log, asked.pick)?;
        let others: Vec<Actor> = followers.into_iter().filter(|node| *node != silent).map(Actor::Node).collect();
        let controllers: Vec<Actor> = match self {
            Ahead::Heard => Vec::new(),
            Ahead::Unheard => scene.of_part(NodePart::Controller).into_iter().map(Actor::Node).collect(),
        };
        let silent = Actor::Node(silent);
        let each = |whom: &[Actor], step: fn(Actor) -> Step| whom.iter().copied().map(step).collect::<Vec<_>>();
        let (settle_ms, at_most_ms) = match self {
            Ahead::Heard => (gone_ms(timing), gone_ms(timing) + ATTEMPTS_MS * 2),
            Ahead::Unheard => (lag_ms(timing), window_ms(timing)),
        };
        let mut hurt = each(&controllers, Step::Kill);
        hurt.extend([Step::Pause(silent), Step::Sample(silent)]);
        hurt.push(Step::AwaitStale { log, settle_ms, at_most_ms });
        hurt.extend([Step::Sample(silent), Step::Kill(leader.into())]);
        hurt.extend(each(&others, Step::Kill));
        let mut heal = each(&controllers, Step::Start);
        heal.push(Step::Resume(silent));
        heal.push(Step::AwaitElection { log, from, at_most_ms: timing.session_ms * 2 });
        heal.push(Step::Hold(asked.hold_ms));
        heal.push(Step::Start(leader.into()));
        heal.extend(each(&others, Step::Start));
        let accomplices = controllers.into_iter().chain([silent]).chain(others).collect();
        Ok(Script { targets: vec![leader.into()], accomplices, hurt, heal })
    }

    fn effective(&self, episode: &Episode) -> bool {
        let Some(target) = episode.target() else { return false };
        let stale =
            |e: &Evidence| matches!(e, Evidence::Stale { log, invoked, .. } if *log == episode.log && *invoked > 0);
        let hit = episode.accomplices().all(|who| episode.shows_stop(who) || episode.shows_kill(who));
        hit && episode.shows_kill(target) && episode.evidence.iter().any(stale)
    }
}
