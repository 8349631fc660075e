//! What the faults of the network share: whom they leave out, how long a cut must last, and what counters and round trips
//! show. Not a fault itself.

use crate::actor::Actor;
use crate::aim::Aim;
use crate::episode::{Episode, Evidence, Phase};
use crate::fault::Asked;
use crate::ground::Timing;
use crate::network::{Counts, Network, Weather};
use crate::scene::Scene;
use crate::step::Step;
use std::ops::RangeInclusive;

/// How long a client may have nothing to say, milliseconds: it asks for metadata, or says that it lives, more often.
const SILENT_MS_MAX: u64 = 4000;

/// Everybody but these whom they speak to: clients do not speak to each other.
pub(super) fn others(scene: &Scene, these: &[Actor]) -> Vec<Actor> {
    let speak = |actor: &Actor| actor.node().is_some() || these.iter().any(|this| this.node().is_some());
    scene.everybody().into_iter().filter(|actor| !these.contains(actor) && speak(actor)).collect()
}

/// A cut long enough that somebody notices. Of a client a short one tells of late answers, a long one of a member given up.
pub(super) fn cut_ms(aim: Aim, timing: &Timing) -> RangeInclusive<u64> {
    if aim.is_of_clients() {
        return 1000..=timing.member_ms.max(1000) + 2000;
    }
    let noticed = timing.lag_ms_max.max(timing.session_ms) + 500;
    noticed..=noticed + 1500
}

/// Puts the network into force for a while and notes what it did. What it does to a client is waited for first: so long was it
/// kept from somebody who had something to say.
pub(super) fn network(network: Network, asked: Asked) -> Vec<Step> {
    let touched = asked.aim.is_of_clients().then_some(Step::AwaitTouched { at_most_ms: SILENT_MS_MAX });
    let begin = [Step::Network(Box::new(network))].into_iter().chain(touched);
    begin.chain([Step::Hold(asked.hold_ms), Step::Traffic]).collect()
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
///
/// A client is told apart by what it is kept from. Nobody answers a request that did not arrive, so one direction is enough;
/// nobody else need notice, but others must have been heard meanwhile, unless the client connected anew in vain.
pub(super) fn shows_cut(episode: &Episode) -> bool {
    if episode.fault.aim().is_of_clients() {
        let nothing_passed = every_link(episode, |_, counts, _| counts.passed == 0);
        let spared = episode.evidence.iter().any(|e| matches!(e, Evidence::Spared { passed, .. } if *passed > 0));
        let tried_again = links(episode).any(|(_, counts, _)| counts.connects_held > 0);
        return nothing_passed && shows_kept(episode) && (spared || tried_again);
    }
    let cut = every_link(episode, |_, counts, _| counts.held + counts.connects_held > 0 && counts.passed == 0);
    let tried_again = links(episode).any(|(_, counts, _)| counts.connects_held > 0);
    cut && (tried_again || episode.shows_change() || shows_unanswered(episode))
}

/// True if something that was sent was held, in one direction at least.
pub(super) fn shows_kept(episode: &Episode) -> bool {
    links(episode).any(|(_, counts, _)| counts.held + counts.connects_held > 0)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::act::unplaced;
    use crate::actor::ClientId;
    use crate::plan::Planned;
    use history::{LogId, Nanos, NodeId};

    /// What an episode of a fault shows, of (passed, held, connects held) a direction and of what passed between the others.
    fn shows(fault: &str, directions: &[(u64, u64, u64)], spared: u64) -> bool {
        let planned = Planned { fault: fault.parse().unwrap(), log: LogId(0), gap_ms: 0, hold_ms: 1000, pick: 0 };
        let links = directions.iter().map(|&(passed, held, connects_held)| Evidence::Links {
            from: vec![Actor::Client(ClientId(0))],
            to: vec![Actor::Node(NodeId(1))],
            weather: Weather::Cut,
            counts: Counts { passed, held, connects_held, ..Counts::default() },
            for_ms: 1000,
        });
        let evidence = links.chain([Evidence::Spared { passed: spared, for_ms: 1000 }]).collect();
        shows_cut(&Episode { evidence, ..unplaced(0, &planned, Nanos(0)) })
    }

    #[test]
    fn a_client_is_cut_off_if_it_spoke_and_nothing_passed_while_others_were_heard() {
        for (directions, spared, cut) in [
            (&[(0, 9, 0), (0, 0, 0)][..], 5, true),
            (&[(0, 0, 0), (0, 9, 0)], 5, true),
            (&[(0, 0, 1), (0, 0, 0)], 0, true),
            (&[(0, 9, 0)], 5, true),
            // It had nothing to say, something passed, nobody was heard at all, no rule was in force.
            (&[(0, 0, 0), (0, 0, 0)], 5, false),
            (&[(0, 9, 0), (1, 0, 0)], 5, false),
            (&[(0, 9, 0), (0, 0, 0)], 0, false),
            (&[], 5, false),
        ] {
            assert_eq!(shows("isolate-producer", directions, spared), cut, "{directions:?} {spared}");
        }
        assert!(!shows("isolate-leader", &[(0, 9, 1), (0, 0, 0)], 5), "a node is spoken to whatever it says");
        assert!(shows("isolate-leader", &[(0, 9, 1), (0, 9, 0)], 5));
    }

    #[test]
    fn clients_are_cut_off_from_nodes_and_nodes_from_everybody() {
        let mut sim = crate::sim::Sim::new(1, crate::sim::Flaw::None);
        let scene = Scene::take(&mut sim);
        let of = |who: Actor| others(&scene, &[who]);
        assert!(of(Actor::Client(ClientId(0))).iter().all(|other| other.node().is_some()));
        let around_a_node = of(Actor::Node(NodeId(1)));
        assert!(around_a_node.contains(&Actor::Observer) && around_a_node.contains(&Actor::Client(ClientId(0))));
    }
}
