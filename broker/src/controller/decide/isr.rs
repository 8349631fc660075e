//! A leader proposes another ISR (KIP-497): compare-and-set under two epochs.
//!
//! Refused, in this order: an unknown partition, a leader or partition epoch of another time, an asker that does not lead, an ISR that is
//! no set of replicas with the leader in it, and a member that is fenced, unknown or of another incarnation than the leader saw fetching
//! (KIP-841, KIP-903). A fenced member would be counted as safe while it is not there.

use super::{Decision, View, changed, draft::Draft};
use crate::metadata::{
    error::ControllerError,
    ids::{BrokerEpoch, BrokerId, TopicPartition},
    image::PartitionImage,
    rpc::IsrProposal,
};

/// Where a proposal points to.
///
/// # Errors
/// [`ControllerError::UnknownTopicId`], [`ControllerError::UnknownTopic`].
pub fn find<'a>(
    view: View<'a>,
    proposal: &IsrProposal,
) -> Result<(TopicPartition, &'a PartitionImage), ControllerError> {
    let found = view.image.topic_by_id(proposal.topic);
    let (name, topic) = found.ok_or(ControllerError::UnknownTopicId(proposal.topic))?;
    let at = TopicPartition { topic: name.to_owned(), index: proposal.partition };
    let partition = topic.partition(at.index).ok_or_else(|| ControllerError::UnknownTopic(at.to_string()))?;
    Ok((at, partition))
}

/// One proposal of the broker.
///
/// # Errors
/// See the module.
pub fn alter(view: View<'_>, leader: BrokerId, proposal: &IsrProposal) -> Decision {
    let (at, old) = find(view, proposal)?;
    check_epochs(leader, old, proposal)?;
    check_members(view, leader, old, proposal)?;
    let isr = proposal.isr.iter().map(|(member, _)| *member).collect();
    let mut draft = Draft::of(old, view.rules(&at.topic)).with_isr(isr);
    draft.new.recovery = proposal.recovery;
    let settled = draft.completing_reassignment().settle(|broker| view.image.is_alive(broker));
    Ok(settled.map(|settled| changed(&at.topic, at.index, settled)).into_iter().collect())
}

fn check_epochs(asker: BrokerId, old: &PartitionImage, new: &IsrProposal) -> Result<(), ControllerError> {
    if new.leader_epoch > old.leader_epoch || new.partition_epoch > old.partition_epoch {
        return Err(ControllerError::NotController(None));
    }
    if new.leader_epoch < old.leader_epoch {
        return Err(ControllerError::FencedLeaderEpoch);
    }
    if old.leader != Some(asker) {
        return Err(ControllerError::InvalidRequest(format!("broker {asker} does not lead the partition")));
    }
    if new.partition_epoch < old.partition_epoch {
        return Err(ControllerError::InvalidUpdateVersion);
    }
    Ok(())
}

fn check_members(
    view: View<'_>,
    leader: BrokerId,
    old: &PartitionImage,
    new: &IsrProposal,
) -> Result<(), ControllerError> {
    let members: Vec<BrokerId> = new.isr.iter().map(|(member, _)| *member).collect();
    let invalid = |why: &str| Err(ControllerError::InvalidRequest(why.to_owned()));
    if !members.contains(&leader) {
        return invalid("the leader is not in the proposed ISR");
    }
    if members.iter().enumerate().any(|(at, member)| members[..at].contains(member)) {
        return invalid("a replica is in the proposed ISR twice");
    }
    if !members.iter().all(|member| old.replicas.contains(member)) {
        return invalid("a member of the proposed ISR is no replica");
    }
    if new.recovery && (!old.recovery || members.len() > 1) {
        return invalid("only a leader alone in its ISR recovers, and only after an unclean election");
    }
    new.isr.iter().try_for_each(|(member, epoch)| check_eligible(view, *member, *epoch))
}

fn check_eligible(view: View<'_>, member: BrokerId, epoch: Option<BrokerEpoch>) -> Result<(), ControllerError> {
    let ineligible = |why: &str| Err(ControllerError::IneligibleReplica(format!("broker {member} {why}")));
    match (view.image.brokers.get(&member), epoch) {
        (None, _) => ineligible("is not registered"),
        (Some(known), _) if known.fenced => ineligible("is fenced"),
        (Some(known), Some(epoch)) if known.epoch != epoch => ineligible("is of another incarnation"),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::{
        controller::decide::cluster,
        metadata::ids::{LeaderEpoch, PartitionEpoch, TopicId},
    };

    struct Ask {
        brokers: &'static str,
        topic: &'static str,
        asker: i32,
        isr: &'static [(i32, Option<i64>)],
        epochs: (i32, i32),
        recovery: bool,
    }

    const ASK: Ask = Ask {
        brokers: "1 2 3 4",
        topic: "t 1,2,3 isr=1,2 leader=1",
        asker: 1,
        isr: &[(1, Some(10)), (2, Some(20)), (3, Some(30))],
        epochs: (5, 7),
        recovery: false,
    };

    fn asked(ask: &Ask) -> Result<String, ControllerError> {
        let mut image = cluster::of(ask.brokers, ask.topic);
        let partition = &mut image.topics.get_mut("t").unwrap().partitions[0];
        (partition.leader_epoch, partition.partition_epoch) = (LeaderEpoch(5), PartitionEpoch(7));
        let proposal = IsrProposal {
            topic: TopicId(Uuid::from_u128(1)),
            partition: 0,
            leader_epoch: LeaderEpoch(ask.epochs.0),
            partition_epoch: PartitionEpoch(ask.epochs.1),
            isr: ask.isr.iter().map(|(id, epoch)| (BrokerId(*id), epoch.map(BrokerEpoch))).collect(),
            recovery: ask.recovery,
        };
        let records = alter(cluster::view(&image), BrokerId(ask.asker), &proposal)?;
        Ok(cluster::text(cluster::after(&image, &records).partition("t", 0).unwrap()))
    }

    #[test]
    fn a_leader_may_grow_and_shrink_its_isr() {
        assert_eq!(asked(&ASK).unwrap(), "1,2,3 isr=1,2,3 leader=1 e=5 p=8");
        assert_eq!(asked(&Ask { isr: &[(1, None)], ..ASK }).unwrap(), "1,2,3 isr=1 leader=1 e=5 p=8");
    }

    #[test]
    fn epochs_of_another_time_are_refused() {
        let refused = |epochs| asked(&Ask { epochs, ..ASK }).unwrap_err();
        assert_eq!(refused((4, 7)), ControllerError::FencedLeaderEpoch);
        assert_eq!(refused((5, 6)), ControllerError::InvalidUpdateVersion);
        assert_eq!(refused((6, 7)), ControllerError::NotController(None));
        assert_eq!(refused((5, 8)), ControllerError::NotController(None));
        assert_eq!(refused((4, 6)), ControllerError::FencedLeaderEpoch);
    }

    #[test]
    fn a_member_that_is_fenced_unknown_or_reborn_is_not_eligible() {
        let ineligible = |ask| matches!(asked(&ask), Err(ControllerError::IneligibleReplica(_)));
        assert!(ineligible(Ask { brokers: "1 2 3-", ..ASK }));
        assert!(ineligible(Ask { brokers: "1 2", ..ASK }));
        assert!(ineligible(Ask { brokers: "1- 2 3", ..ASK }));
        assert!(ineligible(Ask { isr: &[(1, Some(10)), (3, Some(29))], ..ASK }));
        assert!(!ineligible(Ask { isr: &[(1, Some(10)), (3, Some(30))], ..ASK }));
        assert!(!ineligible(Ask { brokers: "1 2- 3", isr: &[(1, Some(10)), (3, None)], ..ASK }));
    }

    #[test]
    fn an_isr_that_cannot_be_is_invalid() {
        let invalid = |ask| matches!(asked(&ask), Err(ControllerError::InvalidRequest(_)));
        assert!(invalid(Ask { isr: &[(2, None)], ..ASK }));
        assert!(invalid(Ask { isr: &[], ..ASK }));
        assert!(invalid(Ask { isr: &[(1, None), (4, None)], ..ASK }));
        assert!(invalid(Ask { isr: &[(1, None), (1, None)], ..ASK }));
        assert!(invalid(Ask { asker: 2, ..ASK }));
        assert!(invalid(Ask { recovery: true, ..ASK }));
    }

    #[test]
    fn a_leader_reports_its_recovery_once_and_then_lets_others_in() {
        let topic = "t 1,2,3 isr=1 leader=1 recovery";
        let done = Ask { topic, isr: &[(1, None)], ..ASK };
        assert_eq!(asked(&done).unwrap(), "1,2,3 isr=1 leader=1 e=5 p=8");
        assert_eq!(asked(&Ask { recovery: true, ..done }).unwrap(), "1,2,3 isr=1 leader=1 recovery e=5 p=7");
        assert!(asked(&Ask { topic, recovery: true, ..ASK }).is_err());
    }

    #[test]
    fn the_same_isr_again_changes_nothing() {
        let same = Ask { isr: &[(1, None), (2, None)], ..ASK };
        assert_eq!(asked(&same).unwrap(), "1,2,3 isr=1,2 leader=1 e=5 p=7");
    }
}
