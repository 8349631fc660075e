//! The most that a run's faults take from replicas at one time: what the contract weighs the settings against.
//!
//! One episode at a time, each healed before the next, so the worst fault counts and not their sum. Pure.

use super::ClusterShape;
use crate::contract::Damage;
use nemesis::{Aim, FaultKind, Harm};

/// The damage of the worst of these faults, part by part.
pub fn of(kinds: &[FaultKind], shape: ClusterShape) -> Damage {
    kinds.iter().map(|kind| of_one(*kind, shape)).fold(Damage::default(), |a, b| Damage {
        unflushed_nodes: a.unflushed_nodes.max(b.unflushed_nodes),
        flushed_nodes: a.flushed_nodes.max(b.flushed_nodes),
        down_nodes: a.down_nodes.max(b.down_nodes),
        corrupts: a.corrupts || b.corrupts,
        clocks: a.clocks || b.clocks,
    })
}

fn of_one(kind: FaultKind, shape: ClusterShape) -> Damage {
    let hit = hit(kind.aim(), shape);
    let down = Damage { down_nodes: hit, ..Damage::default() };
    match kind.harm() {
        Harm::PowerLoss => Damage { unflushed_nodes: hit, ..down },
        Harm::FsyncLies | Harm::Wipe | Harm::Truncate => Damage { flushed_nodes: hit, ..down },
        Harm::BitRot => Damage { flushed_nodes: hit, corrupts: true, ..down },
        Harm::ClockJump | Harm::ClockDrift | Harm::ClockStrobe => Damage { clocks: true, ..down },
        _ => down,
    }
}

/// How many replicas of one log can be among those aimed at.
fn hit(aim: Aim, shape: ClusterShape) -> u16 {
    let brokers = shape.brokers;
    let nodes = match aim {
        Aim::Leader | Aim::Follower | Aim::GroupCoordinator | Aim::TransactionCoordinator => 1,
        Aim::Isr | Aim::All | Aim::Cluster => brokers,
        Aim::Some => brokers.saturating_sub(1).max(1),
        Aim::Minority => brokers.saturating_sub(1) / 2,
        Aim::Majority => brokers / 2 + 1,
        Aim::Controller | Aim::Producer | Aim::Consumer | Aim::Requests(_) => 0,
    };
    nodes.min(shape.replication)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::preset;

    fn damage(names: &[&str]) -> Damage {
        let kinds: Vec<FaultKind> = names.iter().map(|name| name.parse().unwrap()).collect();
        of(&kinds, preset::CLUSTER)
    }

    #[test]
    fn the_worst_fault_counts_part_by_part() {
        let none = Damage::default();
        assert_eq!(damage(&["kill-leader", "pause-all"]), Damage { down_nodes: 3, ..none });
        assert_eq!(damage(&["power-loss-leader"]), Damage { unflushed_nodes: 1, down_nodes: 1, ..none });
        assert_eq!(damage(&["power-loss-all"]), Damage { unflushed_nodes: 3, down_nodes: 3, ..none });
        assert_eq!(
            damage(&["power-loss-majority", "fsync-lies-follower"]),
            Damage { unflushed_nodes: 2, flushed_nodes: 1, down_nodes: 2, ..none }
        );
        assert!(damage(&["bit-rot-follower"]).corrupts && !damage(&["wipe-disk-follower"]).corrupts);
        assert_eq!(damage(&["clock-jump-producer", "disk-slow-leader"]).flushed_nodes, 0);
    }
}
