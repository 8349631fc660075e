//! SIGKILL of a leader, and of its heir before anybody has followed it (the catalogue's R07 and R08; KIP-101, KIP-279).
//!
//! ```text
//! leader  ──append, acknowledged by all──SIGKILL···········································start─────────▶
//! heir    ──✂ from the third·············leads, appends what nobody copies──SIGKILL····················start──▶ gives that up
//! third   ──✂ from the heir··············learns who leads and cannot fetch·················leads──append──append──▶
//! ```
//! The third must have kept whatever was acknowledged although it knew of another leader meanwhile, and the heir, which comes
//! back with an epoch that the third has never heard of, must give up what it appended alone. It comes back when the log has gone
//! on beyond that: before, it would only be told that the log ends earlier.

use super::{behind_ms_max, every_link};
use crate::actor::Actor;
use crate::aim::Aim;
use crate::episode::Episode;
use crate::fault::{Asked, Family, Fault, Need};
use crate::ground::{Ground, Timing};
use crate::network::{Network, Weather};
use crate::scene::{Scene, Skip};
use crate::step::{ATTEMPTS_MS, Script, Step};
use std::ops::RangeInclusive;

/// Taken from what must not pass, milliseconds.
const MARGIN_MS: u64 = 500;

/// The harm.
pub struct Heir;

/// From the heir's election until it may drop the others from the in-sync set.
fn window_ms(timing: &Timing) -> u64 {
    timing.lag_ms_max.saturating_sub(MARGIN_MS)
}

impl Fault for Heir {
    fn pattern(&self) -> &'static str {
        "kill-{}-and-heir"
    }

    fn about(&self) -> &'static str {
        "cut the followers of a log off from each other, SIGKILL the leader, and who leads next before anybody has fetched from it; start it again when the others went on beyond it"
    }

    fn evidence(&self) -> &'static str {
        "as kill-leader, twice, and what the followers sent each other meanwhile did not arrive"
    }

    fn family(&self) -> Family {
        Family::Kill
    }

    fn need(&self) -> Need {
        Need::Proxy
    }

    fn aims(&self) -> &'static [Aim] {
        &[Aim::Leader]
    }

    fn hold_ms(&self, _: Aim, _: &Timing) -> RangeInclusive<u64> {
        100..=500
    }

    fn duration_ms(&self, timing: &Timing, hold_ms: u64) -> u64 {
        timing.session_ms * 2 + window_ms(timing).min(ATTEMPTS_MS) + hold_ms
    }

    fn impossible(&self, _: Aim, ground: &Ground) -> Option<String> {
        if ground.replication < 3 {
            return Some("it takes a log of three replicas to have an heir and a third".into());
        }
        let window = window_ms(&ground.timing);
        (window < ATTEMPTS_MS).then(|| format!("the heir would drop the third from the in-sync set within {window} ms"))
    }

    fn script(&self, scene: &Scene, asked: Asked, timing: &Timing) -> Result<Script, Skip> {
        let log = asked.log;
        let from @ (leader, epoch) = scene.leader(log)?;
        let followers = scene.followers(log)?;
        followers.iter().try_for_each(|follower| scene.in_sync(log, *follower))?;
        // The first in sync, in the order of the replicas, is who leads next.
        let [heir, thirds @ ..] = followers.as_slice() else { return Err(Skip::NoFollower(log)) };
        let thirds: Vec<Actor> = thirds.iter().copied().map(Actor::Node).collect();
        let cut = Network::default().between(&[Actor::Node(*heir)], &thirds, Weather::Cut);
        let patience_ms = timing.session_ms * 3;
        let alone = Step::AwaitAhead { log, node: *heir, at_most_ms: window_ms(timing) };
        let hurt = vec![
            Step::Network(Box::new(cut)),
            Step::Kill(leader.into()),
            Step::AwaitElection { log, from, at_most_ms: patience_ms },
            alone,
            Step::Traffic,
            Step::Kill((*heir).into()),
        ];
        let second = (*heir, history::LeaderEpoch(epoch.0 + 1));
        let heal = vec![
            Step::AwaitElection { log, from: second, at_most_ms: patience_ms },
            Step::Hold(asked.hold_ms),
            Step::Start(leader.into()),
            Step::AwaitBehind { log, node: *heir, at_most_ms: behind_ms_max(timing) },
            Step::Start((*heir).into()),
        ];
        Ok(Script { targets: vec![leader.into()], accomplices: vec![(*heir).into()], hurt, heal })
    }

    fn effective(&self, episode: &Episode) -> bool {
        let Some(target) = episode.target() else { return false };
        let apart = every_link(episode, |_, counts, _| counts.passed == 0);
        apart && episode.shows_kill(target) && episode.accomplices().all(|heir| episode.shows_kill(heir))
    }
}
