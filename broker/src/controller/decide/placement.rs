//! Where the replicas of new partitions go.
//!
//! Round robin: partition `i` prefers broker `start + i`, and its followers are the next ones, shifted by one more each time the preferred
//! leaders have gone round, so that the load of a dead leader spreads (Kafka's `AdminUtils`, KIP-36). Brokers of different racks take turns.

use std::collections::BTreeMap;

use crate::metadata::{error::ControllerError, ids::BrokerId, image::BrokerImage};

/// Most partitions of one topic.
pub const PARTITIONS_MAX: usize = 10_000;

/// Brokers in the order of placement: racks take turns.
pub fn ring<'a>(brokers: impl Iterator<Item = &'a BrokerImage>) -> Vec<BrokerId> {
    let mut racks: BTreeMap<&Option<String>, Vec<BrokerId>> = BTreeMap::new();
    for broker in brokers {
        racks.entry(&broker.rack).or_default().push(broker.id);
    }
    let deepest = racks.values().map(Vec::len).max().unwrap_or(0);
    (0..deepest).flat_map(|depth| racks.values().filter_map(move |rack| rack.get(depth).copied())).collect()
}

/// Replicas for partitions `first .. first + count`.
///
/// # Errors
/// [`ControllerError::InvalidReplicationFactor`] if there are fewer brokers than replicas, or no replicas.
pub fn place(
    ring: &[BrokerId],
    start: usize,
    first: usize,
    count: usize,
    factor: usize,
) -> Result<Vec<Vec<BrokerId>>, ControllerError> {
    if factor == 0 || factor > ring.len() {
        let why = format!("{factor} replicas on {} brokers", ring.len());
        return Err(ControllerError::InvalidReplicationFactor(why));
    }
    Ok((first..first + count)
        .map(|partition| replicas(ring, start + partition, partition / ring.len(), factor))
        .collect())
}

fn replicas(ring: &[BrokerId], leader: usize, shift: usize, factor: usize) -> Vec<BrokerId> {
    let others = ring.len().saturating_sub(1).max(1);
    let follower = |number: usize| (leader + 1 + (shift + number) % others) % ring.len();
    std::iter::once(leader % ring.len()).chain((0..factor - 1).map(follower)).map(|at| ring[at]).collect()
}

/// Refuses lists that are empty, name a broker twice or one that is not registered.
///
/// # Errors
/// [`ControllerError::InvalidReplicaAssignment`].
pub fn check(assignment: &[BrokerId], known: impl Fn(BrokerId) -> bool) -> Result<(), ControllerError> {
    let why = if assignment.is_empty() {
        "no replicas".to_owned()
    } else if let Some(unknown) = assignment.iter().find(|broker| !known(**broker)) {
        format!("broker {unknown} is not registered")
    } else if assignment.iter().enumerate().any(|(at, broker)| assignment[..at].contains(broker)) {
        "a broker is listed twice".to_owned()
    } else {
        return Ok(());
    };
    Err(ControllerError::InvalidReplicaAssignment(why))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controller::decide::cluster;

    fn placed(brokers: i32, start: usize, count: usize, factor: usize) -> Vec<Vec<i32>> {
        let ring: Vec<_> = (0..brokers).map(BrokerId).collect();
        let placed = place(&ring, start, 0, count, factor).unwrap();
        placed.into_iter().map(|replicas| replicas.into_iter().map(|id| id.0).collect()).collect()
    }

    #[test]
    fn preferred_leaders_go_round_and_followers_shift_with_every_round() {
        let expected = [[0, 1, 2], [1, 2, 3], [2, 3, 0], [3, 0, 1], [0, 2, 3], [1, 3, 0]];
        assert_eq!(placed(4, 0, 6, 3), expected);
        assert_eq!(placed(3, 2, 3, 2), [[2, 0], [0, 1], [1, 2]]);
        assert_eq!(placed(1, 5, 2, 1), [[0], [0]]);
    }

    #[test]
    fn more_replicas_than_brokers_or_none_are_refused() {
        let ring = [BrokerId(1), BrokerId(2)];
        assert!(place(&ring, 0, 0, 1, 3).is_err());
        assert!(place(&ring, 0, 0, 1, 0).is_err());
        assert!(place(&[], 0, 0, 1, 1).is_err());
        assert!(place(&ring, 0, 0, 1, 2).is_ok());
    }

    #[test]
    fn brokers_of_different_racks_take_turns() {
        let mut image = cluster::of("1 2 3 4", "");
        for (id, rack) in [(1, "a"), (2, "a"), (3, "b"), (4, "b")] {
            image.brokers.get_mut(&BrokerId(id)).unwrap().rack = Some(rack.into());
        }
        assert_eq!(ring(image.alive()).iter().map(|id| id.0).collect::<Vec<_>>(), [1, 3, 2, 4]);
    }

    #[test]
    fn an_assignment_names_every_broker_once_and_only_known_ones() {
        let known = |broker: BrokerId| broker.0 < 4;
        let checked = |ids: &[i32]| check(&ids.iter().copied().map(BrokerId).collect::<Vec<_>>(), known).is_ok();
        assert!(checked(&[3, 1]));
        assert!(!checked(&[]) && !checked(&[1, 4]) && !checked(&[1, 2, 1]));
    }
}
