//! The harms, one a file.

pub mod ahead;
mod bad_disk;
pub mod clock;
pub mod disk_full;
pub mod disk_slow;
pub mod door;
pub mod frame;
pub mod fsync_error;
pub mod fsync_hang;
pub mod fsync_lies;
pub mod fsync_slow;
pub mod heir;
pub mod io_error;
pub mod isolate;
pub mod kill;
pub mod kill_lagging;
pub mod last_standing;
mod links;
pub mod maroon;
pub mod narrow;
pub mod one_way;
pub mod outlive;
pub mod partition;
pub mod pause;
pub mod reset;
pub mod restart;
pub mod rolling_restart;
pub mod slow;
pub mod stall;
pub mod terminate;
pub mod throttle;
pub mod wreck;

use crate::actor::Actor;
use crate::aim::Aim;
use crate::disk::{Damage, DiskFault, Wreck};
use crate::episode::{Episode, Evidence, Target};
use crate::fault::Asked;
use crate::ground::Timing;
use crate::scene::{Scene, Skip};
use crate::step::{Script, Step};
use history::NodeId;
use links::{cut_ms, every_link, links, network, others, shows_cut, shows_kept, shows_slowness, shows_unanswered};
use std::ops::RangeInclusive;

/// Whose process can be hit: any node's and any client's that matters.
const PROCESSES: &[Aim] = Aim::PROCESSES;

/// After how long of silence others stop waiting for those aimed at, milliseconds.
fn patience_ms(aim: Aim, timing: &Timing) -> u64 {
    match aim {
        Aim::Follower => timing.lag_ms_max,
        Aim::Producer | Aim::Consumer => 0,
        _ => timing.session_ms,
    }
}

/// Whose links can be broken: those of any node, and of any client to all nodes.
const LINKED: &[Aim] = Aim::PROCESSES;

/// Whose disk can be hit: that of any broker that matters; they are also the nodes that clients speak to.
const DISKS: &[Aim] = &[
    Aim::Leader,
    Aim::Follower,
    Aim::Isr,
    Aim::GroupCoordinator,
    Aim::TransactionCoordinator,
    Aim::All,
    Aim::Some,
    Aim::Minority,
    Aim::Majority,
];

/// How long a broken disk may take to be felt after the hold, milliseconds.
const FELT_MS_MAX: u64 = 8_000;
/// How long another replica in sync is waited for before something is lost, milliseconds.
const SPARE_MS_MAX: u64 = 5_000;

/// How long a disk or clock is useful to be wrong, milliseconds.
fn wrong_ms(aim: Aim, timing: &Timing) -> RangeInclusive<u64> {
    300..=patience_ms(aim, timing).max(300) + 1500
}

/// Until a log that is led again has gone on beyond what one that is down kept of it, milliseconds.
fn behind_ms_max(timing: &Timing) -> u64 {
    timing.recovery_ms * 2 + timing.session_ms
}

/// The aim's nodes.
fn nodes(scene: &Scene, asked: Asked) -> Result<Vec<NodeId>, Skip> {
    Ok(asked.aim.resolve(scene, asked.log, asked.pick)?.into_iter().filter_map(Actor::node).collect())
}

fn actors(nodes: &[NodeId]) -> Vec<Actor> {
    nodes.iter().copied().map(Actor::Node).collect()
}

/// Their disks go wrong for the hold, and longer if nothing was felt of it by then.
fn break_disks(scene: &Scene, asked: Asked, fault: DiskFault) -> Result<Script, Skip> {
    let targets = nodes(scene, asked)?;
    let broken = targets.iter().map(|node| Step::Break(*node, fault));
    let felt = targets.iter().map(|node| Step::AwaitFelt { node: *node, fault, at_most_ms: FELT_MS_MAX });
    let hurt = broken.chain([Step::Hold(asked.hold_ms)]).chain(felt).collect();
    Ok(Script::on(&actors(&targets), hurt, mended(&targets)))
}

/// All are killed before the first disk is harmed: the power goes at once. Not while they alone are in sync: the settings promise
/// copies at the moment of the acknowledgement, and none of them may be left but theirs.
fn wrecked(targets: &[NodeId], wreck: Wreck) -> Vec<Step> {
    let spare = Step::AwaitSpare { nodes: targets.to_vec(), at_most_ms: SPARE_MS_MAX };
    let kills = targets.iter().map(|node| Step::Kill(Actor::Node(*node)));
    [spare].into_iter().chain(kills).chain(targets.iter().map(|node| Step::Wreck(*node, wreck))).collect()
}

fn mended(targets: &[NodeId]) -> Vec<Step> {
    let mend = targets.iter().map(|node| Step::Mend(Actor::Node(*node)));
    mend.chain(targets.iter().map(|node| Step::Start(Actor::Node(*node)))).collect()
}

/// True if the target's process was killed and harm was done to what was on its disk.
fn shows_wreck(episode: &Episode, target: &Target) -> bool {
    shows_damage(episode, target, |damage| !damage.is_none())
}

/// True if the target's process was killed and what was done to its disk is of this kind.
fn shows_damage(episode: &Episode, target: &Target, holds: impl Fn(&Damage) -> bool) -> bool {
    let done = |e: &Evidence| matches!(e, Evidence::Wrecked { node, damage, .. } if Actor::Node(*node) == target.who && holds(damage));
    episode.shows_kill(target) && episode.evidence.iter().any(done)
}

/// True if the target felt what was wrong with its disk.
fn shows_felt(episode: &Episode, target: &Target) -> bool {
    episode.evidence.iter().any(|e| match e {
        Evidence::DiskFelt { node, fault, counts } => Actor::Node(*node) == target.who && counts.of(*fault) > 0,
        _ => false,
    })
}
