//! What the faults of the network share: whom they leave out, how long a cut must last, and what counters and round trips
//! show. Not a fault itself.

use crate::actor::Actor;
use crate::episode::{Episode, Evidence, Phase};
use crate::ground::Timing;
use crate::network::{Counts, Network, Weather};
use crate::scene::Scene;
use crate::step::Step;
use std::ops::RangeInclusive;

/// Everybody but these.
pub(super) fn others(scene: &Scene, these: &[Actor]) -> Vec<Actor> {
    scene.everybody().into_iter().filter(|actor| !these.contains(actor)).collect()
}

/// A cut long enough that somebody notices.
pub(super) fn cut_ms(timing: &Timing) -> RangeInclusive<u64> {
    let noticed = timing.lag_ms_max.max(timing.session_ms) + 500;
    noticed..=noticed + 1500
}

/// Puts the network into force for a while and notes what it did.
pub(super) fn network(network: Network, hold_ms: u64) -> Vec<Step> {
    vec![Step::Network(Box::new(network)), Step::Hold(hold_ms), Step::Traffic]
}

/// Every rule of an episode with what was counted.
pub(super) fn links(episode: &Episode) -> impl Iterator<Item = (Weather, Counts, u64)> {
    episode.evidence.iter().filter_map(|e| match e {
        Evidence::Links { weather, counts, for_ms, .. } => Some((*weather, *counts, *for_ms)),
        _ => None,
    })
}

/// True if there is a rule, and this holds of each.
pub(super) fn every_link(episode: &Episode, holds: impl Fn(Weather, Counts, u64) -> bool) -> bool {
    links(episode).next().is_some() && links(episode).all(|(weather, counts, for_ms)| holds(weather, counts, for_ms))
}

/// True if something was sent in each direction that was cut and nothing arrived, and somebody noticed.
pub(super) fn shows_cut(episode: &Episode) -> bool {
    let cut = every_link(episode, |_, counts, _| counts.held + counts.connects_held > 0 && counts.passed == 0);
    let tried_again = links(episode).any(|(_, counts, _)| counts.connects_held > 0);
    cut && (tried_again || episode.shows_change() || shows_unanswered(episode))
}

/// True if the observer got no answer while the harm lasted.
pub(super) fn shows_unanswered(episode: &Episode) -> bool {
    let unanswered =
        |e: &Evidence| matches!(e, Evidence::RoundTrips { phase: Phase::During, us, .. } if us.contains(&None));
    episode.evidence.iter().any(unanswered)
}

/// True if the median of the round trips while the harm lasted is longer than the one before by so much. One that was not
/// answered took longer than any.
pub(super) fn shows_slowness(episode: &Episode, by_us: u64) -> bool {
    let median = |wanted: Phase| {
        let trips = episode.evidence.iter().filter_map(|e| match e {
            Evidence::RoundTrips { phase, us, .. } if *phase == wanted => Some(us.iter().copied()),
            _ => None,
        });
        let mut us: Vec<u64> = trips.flatten().map(|us| us.unwrap_or(u64::MAX)).collect();
        us.sort_unstable();
        us.get(us.len() / 2).copied()
    };
    let (before, during) = (median(Phase::Before), median(Phase::During));
    matches!((before, during), (Some(before), Some(during)) if during >= before.saturating_add(by_us))
}
