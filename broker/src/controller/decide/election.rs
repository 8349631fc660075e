//! Who leads: the first living replica, in replica order, of the best set that has one.
//!
//! ISR, then ELR (KIP-966), then the last leader if ISR and ELR have both lost all their members to unclean stops (KIP-966), then, only
//! if `unclean.leader.election.enable` is true, anybody. Everything after the ELR may lose acknowledged records and sets the partition's
//! recovery flag.

use super::{Decision, Rules, View, changed, draft::Draft};
use crate::metadata::{
    error::ControllerError,
    ids::{BrokerId, TopicPartition},
    image::PartitionImage,
    record::Election,
    rpc::ElectionKind,
};

/// The leader to be and from where it was taken.
pub fn choose(
    partition: &PartitionImage,
    rules: Rules,
    alive: impl Fn(BrokerId) -> bool,
) -> (Option<BrokerId>, Election) {
    let elr = if rules.elr { partition.elr.as_slice() } else { &[] };
    let nobody_left = partition.isr.is_empty() && elr.is_empty();
    let belongs = |election, replica| match election {
        Election::Isr => partition.isr.contains(&replica),
        Election::Elr => elr.contains(&replica),
        Election::LastKnown => nobody_left && partition.last_known_leader == Some(replica),
        Election::Unclean => rules.unclean,
        Election::Preferred | Election::NoLeader => false,
    };
    let first = |election| {
        let mut replicas = partition.replicas.iter().copied();
        Some((Some(replicas.find(|replica| belongs(election, *replica) && alive(*replica))?), election))
    };
    let best_first = [Election::Isr, Election::Elr, Election::LastKnown, Election::Unclean];
    best_first.into_iter().find_map(first).unwrap_or((None, Election::NoLeader))
}

/// An election an operator asked for (KIP-460).
///
/// # Errors
/// [`ControllerError::UnknownTopic`], [`ControllerError::ElectionNotNeeded`], [`ControllerError::PreferredLeaderNotAvailable`],
/// [`ControllerError::EligibleLeadersNotAvailable`].
pub fn on_demand(view: View<'_>, at: &TopicPartition, kind: ElectionKind) -> Decision {
    let old = view.partition(at)?;
    let mut rules = view.rules(&at.topic);
    let (needed, draft, refusal) = match kind {
        ElectionKind::Preferred => {
            let needed = old.leader != old.preferred();
            (needed, Draft::of(old, rules).prefer_first(), ControllerError::PreferredLeaderNotAvailable)
        }
        ElectionKind::Unclean => {
            rules.unclean = true;
            (old.leader.is_none(), Draft::of(old, rules), ControllerError::EligibleLeadersNotAvailable)
        }
    };
    if !needed {
        return Err(ControllerError::ElectionNotNeeded);
    }
    let settled = draft.settle(|broker| view.image.is_alive(broker));
    let elected = settled.filter(|(_, state)| state.leader.is_some() && state.leader != old.leader);
    Ok(vec![changed(&at.topic, at.index, elected.ok_or(refusal)?)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bugs::Bugs;
    use crate::controller::decide::cluster;

    fn chosen(brokers: &str, topic: &str, rules: Rules) -> (Option<i32>, Election) {
        let image = cluster::of(brokers, topic);
        let (leader, election) = choose(image.partition("t", 0).unwrap(), rules, |broker| image.is_alive(broker));
        (leader.map(|leader| leader.0), election)
    }

    const SAFE: Rules = Rules { min_isr: 2, unclean: false, elr: true, bugs: Bugs::NONE };
    const NO_ELR: Rules = Rules { elr: false, ..SAFE };
    const UNCLEAN: Rules = Rules { unclean: true, ..SAFE };

    #[test]
    fn the_best_set_with_a_living_member_gives_the_leader() {
        let table = [
            ("1 2 3", "t 1,2,3 isr=2,3", SAFE, (Some(2), Election::Isr)),
            ("1 2 3", "t 3,2,1 isr=1,2", SAFE, (Some(2), Election::Isr)),
            ("1 2- 3", "t 1,2,3 isr=2,3", SAFE, (Some(3), Election::Isr)),
            ("1 2- 3", "t 1,2,3 isr=2", SAFE, (None, Election::NoLeader)),
            ("1 2- 3", "t 1,2,3 isr=2 elr=3", SAFE, (Some(3), Election::Elr)),
            ("1 2- 3", "t 1,2,3 isr=2 elr=3", NO_ELR, (None, Election::NoLeader)),
            ("1 2- 3", "t 1,2,3 isr=2 elr=3", UNCLEAN, (Some(3), Election::Elr)),
            ("1 2- 3-", "t 1,2,3 isr=2 elr=3", UNCLEAN, (Some(1), Election::Unclean)),
            ("1 2- 3-", "t 1,2,3 isr=2 elr=3", SAFE, (None, Election::NoLeader)),
            ("1 2 3", "t 1,2,3 isr= last=2", SAFE, (Some(2), Election::LastKnown)),
            ("1 2 3-", "t 1,2,3 isr= elr=3 last=2", SAFE, (None, Election::NoLeader)),
            ("1- 2- 3-", "t 1,2,3 isr=1,2,3", UNCLEAN, (None, Election::NoLeader)),
        ];
        for (brokers, topic, rules, expected) in table {
            assert_eq!(chosen(brokers, topic, rules), expected, "{brokers} | {topic} | {rules:?}");
        }
    }

    fn asked(brokers: &str, topic: &str, kind: ElectionKind) -> Result<String, ControllerError> {
        let image = cluster::of(brokers, topic);
        let records = on_demand(cluster::view(&image), &cluster::t0(), kind)?;
        Ok(cluster::text(cluster::after(&image, &records).partition("t", 0).unwrap()))
    }

    #[test]
    fn the_preferred_leader_comes_back_only_if_it_is_in_sync_and_another_one_leads() {
        let preferred = |brokers, topic| asked(brokers, topic, ElectionKind::Preferred);
        assert_eq!(preferred("1 2", "t 1,2 isr=2,1 leader=2").unwrap(), "1,2 isr=2,1 leader=1 e=1 p=1");
        assert_eq!(preferred("1 2", "t 1,2 isr=2 leader=2"), Err(ControllerError::PreferredLeaderNotAvailable));
        assert_eq!(preferred("1- 2", "t 1,2 isr=1,2 leader=2"), Err(ControllerError::PreferredLeaderNotAvailable));
        assert_eq!(preferred("1 2", "t 1,2 isr=1,2 leader=1"), Err(ControllerError::ElectionNotNeeded));
    }

    #[test]
    fn an_operators_unclean_election_is_held_only_where_nobody_leads() {
        let unclean = |brokers, topic| asked(brokers, topic, ElectionKind::Unclean);
        assert_eq!(unclean("1- 2", "t 1,2 isr=1 last=1").unwrap(), "1,2 isr=2 leader=2 recovery e=1 p=1");
        assert_eq!(unclean("1- 2", "t 1,2 isr=2 leader=2"), Err(ControllerError::ElectionNotNeeded));
        assert_eq!(unclean("1- 2-", "t 1,2 isr=1 last=1"), Err(ControllerError::EligibleLeadersNotAvailable));
    }
}
