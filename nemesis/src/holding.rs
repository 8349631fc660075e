//! The steps of an episode that reach into disks and clocks, and what is seen of them.

use crate::act::{COUNT_EVERY_MS, Progress};
use crate::actor::Actor;
use crate::cluster::{Cluster, LogRoles, NodeState, Refusal};
use crate::disk::{DiskCounts, DiskFault, Wreck};
use crate::episode::Evidence;
use history::{Nanos, NodeId};
use std::collections::BTreeMap;

/// What disks had counted before they broke, and what chooses where a wreck leaves a choice.
#[derive(Debug, Default)]
pub(crate) struct Holding {
    before: BTreeMap<NodeId, DiskCounts>,
    pub(crate) seed: u64,
}

impl Holding {
    /// Breaks a disk.
    pub(crate) fn break_disk(
        &mut self,
        node: NodeId,
        fault: DiskFault,
        cluster: &mut dyn Cluster,
    ) -> Result<(), Refusal> {
        self.before.insert(node, cluster.disk_counts(node)?);
        cluster.break_disk(node, fault)
    }

    /// Waits until it was felt, or the node has ended.
    pub(crate) fn await_felt(
        &self,
        (node, fault): (NodeId, DiskFault),
        at_latest: Nanos,
        cluster: &mut dyn Cluster,
    ) -> Result<Waited, Refusal> {
        let before = self.before.get(&node).copied().unwrap_or_default();
        let (counts, now) = (cluster.disk_counts(node)? - before, cluster.now());
        let more = counts.of(fault) == 0 && cluster.state(Actor::Node(node)) != NodeState::Down;
        Ok(if more && now < at_latest { again(now) } else { Ok(Evidence::DiskFelt { node, fault, counts }) })
    }

    /// Harms what is on a disk.
    pub(crate) fn wreck(&self, node: NodeId, wreck: Wreck, cluster: &mut dyn Cluster) -> Result<Evidence, Refusal> {
        let seed = self.seed ^ u64::from(node.0.unsigned_abs()) << 48;
        Ok(Evidence::Wrecked { node, wreck, damage: cluster.wreck_disk(node, wreck, seed)? })
    }
}

/// Evidence, or not yet.
pub(crate) type Waited = Result<Evidence, Progress>;

fn again(now: Nanos) -> Waited {
    Err(Progress::Wait(now.plus_ms(COUNT_EVERY_MS)))
}

/// Waits until the process was told a time as wrong as asked.
pub(crate) fn await_told(
    who: Actor,
    asked_ms: u64,
    at_latest: Nanos,
    cluster: &mut dyn Cluster,
) -> Result<Waited, Refusal> {
    let (reading, now) = (cluster.clock_reading(who)?, cluster.now());
    let more = reading.skewed == 0 || reading.off_ms() < asked_ms;
    Ok(if more && now < at_latest { again(now) } else { Ok(Evidence::ClockTold { who, asked_ms, reading }) })
}

/// Waits until somebody else in sync keeps every log that these keep together with others.
pub(crate) fn await_spare(nodes: &[NodeId], at_latest: Nanos, cluster: &mut dyn Cluster) -> Result<Progress, Refusal> {
    let roles = cluster.roles();
    let others = |of: &[NodeId]| of.iter().any(|node| !nodes.contains(node));
    let bare = |roles: &&LogRoles| others(&roles.replicas) && !others(&roles.isr);
    let (found, now) = (roles.iter().find(bare).map(|roles| roles.log), cluster.now());
    match found {
        None if !roles.is_empty() => Ok(Progress::Over),
        _ if now < at_latest => Ok(Progress::Wait(now.plus_ms(SPARE_EVERY_MS))),
        None => Err(Refusal("nobody answered who is in sync".into())),
        Some(log) => {
            Err(Refusal(format!("only those hit are in sync on log {}: what they lose would be nowhere", log.0)))
        }
    }
}

const SPARE_EVERY_MS: u64 = 50;
