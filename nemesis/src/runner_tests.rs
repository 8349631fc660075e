//! The runner against clusters in memory, honest ones and others.

use super::*;
use crate::actor::Actor;
use crate::cluster::Probe;
use crate::coverage::Coverage;
use crate::episode::Evidence;
use crate::exposure::exposure;
use crate::fault::{Family, FaultKind};
use crate::ground::{Ground, Timing};
use crate::harm::Harm;
use crate::mix::Mix;
use crate::sim::{Flaw, Sim};
use history::NodeId;
use std::collections::BTreeSet;

fn kind(name: &str) -> FaultKind {
    name.parse().unwrap()
}

const TICKS_MAX: usize = 100_000;

fn one(fault: FaultKind, hold_ms: u64) -> Plan {
    let planned = Planned { fault, log: LogId(1), gap_ms: 1000, hold_ms, pick: 1 };
    Plan::scripted(30_000, ground(fault), vec![planned]).unwrap()
}

/// The usual one, or where that is too impatient for a fault one whose sessions outlast what a follower may lag.
fn ground(fault: FaultKind) -> Ground {
    let patient = Timing { session_ms: 9000, ..Timing::default() };
    match fault.impossible(&Ground::default()) {
        None => Ground::default(),
        Some(_) => Ground { timing: patient, ..Ground::default() },
    }
}

fn drive(plan: Plan, sim: &mut Sim, mut before_tick: impl FnMut(usize, &mut Runner)) -> (Runner, Vec<Episode>) {
    let mut runner = Runner::new(plan, sim.now());
    for tick in 0..TICKS_MAX {
        before_tick(tick, &mut runner);
        match runner.tick(sim) {
            Next::At(at) => sim.advance(at.max(sim.now().plus_ms(1))),
            Next::Done => {
                let episodes = runner.take_finished();
                return (runner, episodes);
            }
        }
    }
    panic!("the runner does not come to its end");
}

fn run(plan: Plan, sim: &mut Sim) -> Vec<Episode> {
    drive(plan, sim, |_, _| ()).1
}

fn only(plan: Plan, flaw: Flaw) -> Episode {
    let mut sim = Sim::new(1, flaw);
    let mut episodes = run(plan, &mut sim);
    assert!(sim.all_running() && episodes.len() == 1);
    episodes.remove(0)
}

#[test]
fn every_fault_takes_effect_on_an_honest_cluster_and_is_healed() {
    for fault in FaultKind::all() {
        let useful = fault.hold_ms(&Timing::default());
        for hold_ms in [300, 1000, 4500].map(|ms: u64| ms.clamp(*useful.start(), *useful.end())) {
            let episode = only(one(fault, hold_ms), Flaw::None);
            assert_eq!(episode.outcome, Outcome::Installed, "{fault}");
            assert!(episode.effective, "{episode:#?}");
            let (injected, healed) = (episode.injected.unwrap(), episode.healed.unwrap());
            assert!(episode.asked <= injected && healed.since(injected) >= hold_ms * 1_000_000);
            assert!(episode.recovered.unwrap() >= healed);
            assert_eq!(episode.logs_at_risk(), (0..4).map(LogId).collect::<Vec<_>>());
            let line = serde_json::to_string(&episode).unwrap();
            assert_eq!(serde_json::from_str::<Episode>(&line).unwrap(), episode);
            assert_eq!(exposure(&episode, [(LogId(1), injected, injected.plus_ms(1))]), 1);
        }
    }
}

#[test]
fn an_injector_that_does_nothing_is_never_called_effective() {
    let kills = [Flaw::KillLies, Flaw::KillsAnother];
    let pauses = [Flaw::PauseLies, Flaw::PausedInNameOnly, Flaw::PauseWearsOff];
    for fault in FaultKind::all() {
        let flaws: &[Flaw] = match (fault.harm(), fault.definition().family()) {
            (Harm::Terminate | Harm::Restart | Harm::RollingRestart, _) => &[Flaw::TerminateLies, Flaw::KillsAnother],
            (_, Family::Kill) => &kills,
            (Harm::Throttle, _) => &pauses[..2],
            (_, Family::Pause) => &pauses,
            (_, Family::Network) => &[Flaw::NetworkLies],
            (_, Family::Disk | Family::Clock) => &[Flaw::HoldsLie],
        };
        let both = if fault == kind("kill-lagging-leader") { &pauses[..] } else { &[] };
        for flaw in flaws.iter().chain(both) {
            let episode = only(one(fault, 4500), *flaw);
            assert!(!episode.effective, "{fault} {flaw:?}: {episode:#?}");
        }
    }
}

#[test]
fn each_fault_leaves_the_evidence_it_names() {
    // Every node leads some log, so that also the loss of a follower moves a leader.
    for (fault, names) in [
        (kind("kill-leader"), &["leader-moved", "left-in-sync", "restarted", "sigkilled"][..]),
        (kind("kill-follower"), &["leader-moved", "left-in-sync", "restarted", "sigkilled"]),
        (kind("pause-leader"), &["leader-moved", "left-in-sync", "request-timed-out", "stopped"]),
        (kind("pause-follower"), &["leader-moved", "left-in-sync", "request-timed-out", "stopped"]),
        (kind("kill-lagging-leader"), &["appends-to-leader-alone", "restarted", "sigkilled", "stopped"]),
    ] {
        let seen: BTreeSet<&str> = only(one(fault, 4500), Flaw::None).evidence.iter().map(Evidence::name).collect();
        assert_eq!(seen, names.iter().copied().collect(), "{fault}");
    }
}

#[test]
fn the_telling_fault_without_appends_is_not_effective() {
    assert!(!only(one(kind("kill-lagging-leader"), 300), Flaw::Idle).effective);
}

#[test]
fn the_leader_is_killed_while_its_stopped_followers_still_count_as_in_sync() {
    for flaw in [Flaw::None, Flaw::AcksEarly] {
        let mut sim = Sim::new(1, flaw);
        let episode = run(one(kind("kill-lagging-leader"), 300), &mut sim).remove(0);
        let stale = episode.evidence.iter().find_map(|e| match e {
            Evidence::Stale { invoked, acked, .. } => Some((*invoked, *acked)),
            _ => None,
        });
        let (invoked, acked) = stale.unwrap();
        assert!(invoked >= 3 && if flaw == Flaw::None { acked == 0 } else { acked >= 3 }, "{invoked} {acked}");
        let [first_stop, .., kill] = sim.harms[..] else { panic!() };
        let behind_ms = kill.since(first_stop) / 1_000_000;
        assert!((Timing::default().fetch_wait_ms..Timing::default().lag_ms_max).contains(&behind_ms), "{behind_ms}");
        assert!(!episode.evidence.iter().any(|e| matches!(e, Evidence::LeftInSync { .. })));
        assert_eq!((episode.targets.len(), episode.accomplices().count()), (3, 2));
        let (leader, epoch) = sim.roles()[1].leader.unwrap();
        assert!(episode.targets[0].who != leader.into() && epoch.0 > 0);
    }
}

#[test]
fn whatever_is_refused_no_node_is_left_paused_or_down() {
    for seed in 0..300 {
        let plan = Plan::draw(seed, &Mix::default(), 60_000, Ground::default()).unwrap();
        let mut sim = Sim::new(seed, Flaw::Refuses(0.05 + (seed % 10) as f64 / 20.0));
        let planned: Vec<_> = plan.episodes.iter().map(|e| e.fault).collect();
        let (runner, episodes) = drive(plan, &mut sim, |_, _| ());
        assert!(sim.all_running() && runner.unhealed().is_none(), "seed {seed}");
        assert_eq!(episodes.iter().map(|e| e.fault).collect::<Vec<_>>(), planned);
        assert!(episodes.iter().enumerate().all(|(index, e)| e.index as usize == index));
        assert!(episodes.iter().all(|e| !e.effective || e.outcome == Outcome::Installed));
    }
}

#[test]
fn an_interrupt_at_any_tick_heals_and_leaves_a_record_of_every_episode() {
    let plan = Plan::draw(5, &Mix::default(), 60_000, Ground::default()).unwrap();
    let mut ticks = 0;
    drive(plan.clone(), &mut Sim::new(1, Flaw::None), |tick, _| ticks = tick);
    for at in 0..ticks {
        let mut sim = Sim::new(1, Flaw::None);
        let mut at_interrupt = Nanos(0);
        let mut runner = Runner::new(plan.clone(), sim.now());
        let mut tick = 0;
        while let Next::At(next) = {
            if tick == at {
                at_interrupt = sim.now();
                runner.interrupt()
            };
            runner.tick(&mut sim)
        } {
            sim.advance(next);
            tick += 1;
        }
        let episodes = runner.take_finished();
        assert!(sim.all_running(), "interrupted at tick {at}");
        assert_eq!(episodes.len(), plan.episodes.len());
        assert!(sim.harms.iter().all(|harm| *harm <= at_interrupt));
        assert!(sim.now().since(at_interrupt) < 1_000_000_000, "healing takes no longer than it must");
        assert!(episodes.iter().all(|e| e.injected.is_none() || e.healed.is_some()));
    }
}

#[test]
fn a_node_that_never_starts_again_is_named_and_the_end_still_comes() {
    let mut sim = Sim::new(1, Flaw::NeverRestarts(NodeId(2)));
    let (runner, episodes) = drive(one(kind("kill-leader"), 300), &mut sim, |_, _| ());
    assert_eq!(runner.unhealed().unwrap().to_string(), "node 2: its folder is gone");
    let reason = "not healed: node 2: its folder is gone".into();
    assert_eq!((&episodes[0].outcome, episodes[0].effective), (&Outcome::Indeterminate { reason }, false));
}

#[test]
fn a_log_without_leader_is_left_for_another_and_no_leader_at_all_is_a_skip() {
    let episode = only(one(kind("kill-leader"), 300), Flaw::Leaderless(LogId(1)));
    assert_eq!((episode.log, episode.attempts, episode.effective), (LogId(2), 2, true));
    let episode = only(one(kind("kill-leader"), 300), Flaw::NobodyAnswers);
    let reason = "nobody answered who leads".into();
    assert_eq!((&episode.outcome, episode.attempts, episode.injected), (&Outcome::Skipped { reason }, 4, None));
}

#[test]
fn a_node_found_down_is_started_and_the_episode_tried_again() {
    let mut sim = Sim::new(1, Flaw::None);
    sim.kill(Actor::Node(NodeId(3))).unwrap();
    let episode = run(one(kind("pause-follower"), 300), &mut sim).remove(0);
    assert!(sim.all_running() && episode.effective && episode.attempts == 2);
}

#[test]
fn nothing_is_started_that_would_reach_into_the_quiet_end() {
    for seed in 0..200 {
        let plan = Plan::draw(seed, &Mix::default(), 20_000, Ground::default()).unwrap();
        let mut sim = Sim::new(seed, Flaw::None);
        let quiet_from = sim.now().plus_ms(16_000);
        let episodes = run(plan, &mut sim);
        assert!(sim.harms.iter().all(|harm| *harm < quiet_from) && episodes.iter().any(|e| e.effective));
    }
    assert!(only(one(kind("kill-leader"), 300), Flaw::None).effective, "a script has no quiet end");
    let late = Plan { quiet_from_ms: Some(1200), ..one(kind("kill-leader"), 300) };
    let reason = "no time left before the quiet end".into();
    assert_eq!(only(late, Flaw::None).outcome, Outcome::Skipped { reason });
}

#[test]
fn a_run_of_ten_seconds_has_an_effective_episode_with_every_seed() {
    for seed in 0..1000 {
        let plan = Plan::draw(seed, &Mix::default(), 10_000, Ground::default()).unwrap();
        let episodes = run(plan, &mut Sim::new(seed, Flaw::None));
        let coverage: Coverage = episodes.iter().map(|episode| (episode, 1)).collect();
        assert!(coverage.total.exposed >= 1, "{seed}");
    }
}

#[test]
fn a_node_that_was_hit_counts_as_recovered_only_when_it_answers() {
    let mut sim = Sim::new(1, Flaw::None);
    let episode = run(one(kind("pause-leader"), 4500), &mut sim).remove(0);
    assert_eq!(sim.probe(episode.targets[0].who.node().unwrap(), 1), Probe::Answered);
    assert!(episode.recovered.unwrap() > episode.healed.unwrap(), "it had left the in-sync set");
}

#[test]
fn a_record_is_told_in_one_line() {
    for (flaw, line) in [
        (Flaw::None, "kill-leader on log 1: node 2, effective, recovered after 0.3 s"),
        (
            Flaw::KillLies,
            "kill-leader on log 1: node 2, installed without evidence of an effect, recovered after 0.3 s",
        ),
        (Flaw::NobodyAnswers, "kill-leader on log 1: skipped: nobody answered who leads"),
        (Flaw::Refuses(1.0), "kill-leader on log 1: skipped: nobody answered who leads"),
    ] {
        assert_eq!(only(one(kind("kill-leader"), 300), flaw).to_string(), line, "{flaw:?}");
    }
}
