//! Replicas move (KIP-455): first the new ones are added, and once they are all in sync the old ones go.
//!
//! While it lasts `replicas` holds both, the wanted ones first. It ends in [`super::draft::Draft::completing_reassignment`], with the
//! AlterPartition that brings the last new replica in sync, or at once if nothing is to be added. It can be cancelled or overridden.

use super::{Decision, View, changed, draft::Draft, placement};
use crate::metadata::{
    error::ControllerError,
    ids::{BrokerId, TopicPartition},
    image::PartitionImage,
};

/// Begins, overrides or (`None`) cancels a reassignment.
///
/// # Errors
/// [`ControllerError::UnknownTopic`], [`ControllerError::InvalidReplicaAssignment`], [`ControllerError::NoReassignmentInProgress`].
pub fn alter(view: View<'_>, at: &TopicPartition, target: Option<&[BrokerId]>) -> Decision {
    let old = view.partition(at)?;
    let original = minus(&old.replicas, &old.adding);
    let (replicas, adding, removing) = match target {
        Some(target) => {
            placement::check(target, |broker| view.image.brokers.contains_key(&broker))?;
            let (adding, removing) = (minus(target, &original), minus(&original, target));
            ([target, &removing].concat(), adding, removing)
        }
        None if old.is_reassigning() => (original, Vec::new(), Vec::new()),
        None => return Err(ControllerError::NoReassignmentInProgress),
    };
    let isr: Vec<_> = old.isr.iter().copied().filter(|member| replicas.contains(member)).collect();
    if isr.is_empty() && !old.isr.is_empty() {
        return Err(ControllerError::InvalidReplicaAssignment("no replica that stays is in sync".into()));
    }
    let mut draft = Draft::of(old, view.rules(&at.topic)).with_isr(isr);
    draft.new = PartitionImage { replicas, adding, removing, ..draft.new };
    let settled = draft.completing_reassignment().settle(|broker| view.image.is_alive(broker));
    Ok(settled.map(|settled| changed(&at.topic, at.index, settled)).into_iter().collect())
}

fn minus(all: &[BrokerId], without: &[BrokerId]) -> Vec<BrokerId> {
    all.iter().copied().filter(|broker| !without.contains(broker)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controller::decide::cluster;

    fn asked(topic: &str, target: Option<&[i32]>) -> Result<String, ControllerError> {
        let image = cluster::of("1 2 3 4", topic);
        let target: Option<Vec<_>> = target.map(|ids| ids.iter().copied().map(BrokerId).collect());
        let records = alter(cluster::view(&image), &cluster::t0(), target.as_deref())?;
        Ok(cluster::text(cluster::after(&image, &records).partition("t", 0).unwrap()))
    }

    #[test]
    fn new_replicas_are_added_before_old_ones_go() {
        let begun = "3,2,1 isr=1,2 adding=3 removing=1 leader=1 e=0 p=1";
        assert_eq!(asked("t 1,2 isr=1,2", Some(&[3, 2])).unwrap(), begun);
    }

    #[test]
    fn where_nothing_is_added_it_is_done_at_once() {
        assert_eq!(asked("t 1,2,3 isr=1,2,3", Some(&[3, 2])).unwrap(), "3,2 isr=2,3 leader=3 e=1 p=1");
        assert_eq!(asked("t 1,2 isr=1,2", Some(&[2, 1])).unwrap(), "2,1 isr=1,2 leader=1 e=0 p=1");
    }

    #[test]
    fn a_cancelled_one_leaves_the_old_replicas_and_only_a_running_one_can_be_cancelled() {
        let running = "t 3,2,1 isr=1,2,3 leader=1 adding=3 removing=1";
        assert_eq!(asked(running, None).unwrap(), "2,1 isr=1,2 leader=1 e=0 p=1");
        assert_eq!(asked("t 1,2 isr=1,2", None), Err(ControllerError::NoReassignmentInProgress));
    }

    #[test]
    fn a_running_one_is_overridden() {
        let running = "t 3,2,1 isr=1,2 leader=1 adding=3 removing=1";
        assert_eq!(asked(running, Some(&[4, 2])).unwrap(), "4,2,1 isr=1,2 adding=4 removing=1 leader=1 e=0 p=1");
    }

    #[test]
    fn nobody_in_sync_may_be_left_over() {
        assert!(matches!(asked("t 1,2 isr=1", Some(&[2])).as_deref(), Ok("2,1 isr=1 removing=1 leader=1 e=0 p=1")));
        let running = "t 3,1 isr=3 leader=3 adding=3 removing=1";
        assert!(matches!(asked(running, None), Err(ControllerError::InvalidReplicaAssignment(_))));
    }

    #[test]
    fn a_target_that_cannot_be_is_refused() {
        for target in [&[][..], &[1, 1], &[9]] {
            assert!(asked("t 1,2 isr=1,2", Some(target)).is_err(), "{target:?}");
        }
    }
}
