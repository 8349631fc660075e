//! A partition's next state in the making; the one place where leader, ISR, ELR and epochs are brought in line.
//!
//! Rules, all of them in [`Draft::settle`]:
//! - a leader that is alive and in the ISR stays, unless the preferred one was asked for and can;
//! - every change of the leader, also to nobody, takes a new leader epoch; every change at all takes a new partition epoch;
//! - while the ISR is smaller than `min.insync.replicas` (or the replica count), who left it is kept in the ELR; otherwise the ELR is
//!   empty. Sound only because the high watermark stands still meanwhile (KIP-966, KAFKA-15583);
//! - after an unclean election the ISR is the leader alone and the ELR is empty.

use super::{Rules, election};
use crate::bugs::Bug;
use crate::metadata::{ids::BrokerId, image::PartitionImage, record::Election};

/// See the module.
#[derive(Clone, Debug)]
pub struct Draft<'a> {
    old: &'a PartitionImage,
    /// The state as wished, before it is settled.
    pub new: PartitionImage,
    rules: Rules,
    elr_candidates: Vec<BrokerId>,
    prefer_first: bool,
}

impl<'a> Draft<'a> {
    /// A draft that changes nothing yet.
    pub fn of(old: &'a PartitionImage, rules: Rules) -> Self {
        let elr_candidates = old.isr.iter().chain(&old.elr).copied().collect();
        Self { old, new: old.clone(), rules, elr_candidates, prefer_first: false }
    }

    /// Another ISR.
    pub fn with_isr(mut self, isr: Vec<BrokerId>) -> Self {
        self.new.isr = isr;
        self
    }

    /// Takes a broker that died out of the ISR, unless it is the last member.
    pub fn without(mut self, broker: BrokerId) -> Self {
        if self.new.isr != [broker] {
            self.new.isr.retain(|member| *member != broker);
        }
        self
    }

    /// Takes a broker that may have lost a tail of its log out of ISR and ELR, be it the last member (KIP-966).
    pub fn distrusting(mut self, broker: BrokerId) -> Self {
        self.new.isr.retain(|member| *member != broker);
        self.elr_candidates.retain(|member| *member != broker);
        self
    }

    /// Empties the ELR: `min.insync.replicas` has changed, and what it guaranteed with it (KIP-966).
    pub fn forgetting_elr(mut self) -> Self {
        self.elr_candidates.clear();
        self
    }

    /// Gives the lead to the preferred leader if it can have it.
    pub fn prefer_first(mut self) -> Self {
        self.prefer_first = true;
        self
    }

    /// Ends a reassignment whose new replicas are all in sync.
    pub fn completing_reassignment(mut self) -> Self {
        let caught_up = self.new.adding.iter().all(|replica| self.new.isr.contains(replica));
        let staying = |replicas: &[BrokerId], removing: &[BrokerId]| -> Vec<BrokerId> {
            replicas.iter().copied().filter(|replica| !removing.contains(replica)).collect()
        };
        let isr = staying(&self.new.isr, &self.new.removing);
        if self.new.is_reassigning() && caught_up && !isr.is_empty() {
            self.new.replicas = staying(&self.new.replicas, &self.new.removing);
            self.new.isr = isr;
            self.new.adding.clear();
            self.new.removing.clear();
        }
        self
    }

    /// The settled state and the election it took; `None` if nothing changed.
    pub fn settle(mut self, alive: impl Fn(BrokerId) -> bool) -> Option<(Option<Election>, PartitionImage)> {
        self.settle_elr();
        let election = self.settle_leader(&alive);
        let new = &mut self.new;
        if new.leader != self.old.leader && !self.rules.bugs.has(Bug::TwoLeadersOneEpoch) {
            new.leader_epoch = self.old.leader_epoch.next();
        }
        new.last_known_leader = match new.leader {
            Some(_) => None,
            None => self.old.leader.or(self.old.last_known_leader),
        };
        if new == self.old {
            return None;
        }
        new.partition_epoch = self.old.partition_epoch.next();
        Some((election, self.new))
    }

    fn settle_elr(&mut self) {
        let new = &mut self.new;
        let enough = self.rules.min_isr.min(new.replicas.len());
        new.elr.clear();
        if self.rules.elr && new.isr.len() < enough {
            let kept = new.replicas.iter().filter(|replica| self.elr_candidates.contains(replica));
            new.elr = kept.filter(|replica| !new.isr.contains(replica)).copied().collect();
        }
    }

    fn settle_leader(&mut self, alive: &impl Fn(BrokerId) -> bool) -> Option<Election> {
        let can_lead = |broker: &BrokerId| self.new.isr.contains(broker) && alive(*broker);
        if self.prefer_first && self.new.preferred().filter(can_lead).is_some() {
            self.new.leader = self.new.preferred();
            return (self.new.leader != self.old.leader).then_some(Election::Preferred);
        }
        if self.new.leader.filter(can_lead).is_some() {
            return None;
        }
        let (leader, election) = election::choose(&self.new, self.rules, alive);
        self.new.leader = leader;
        if let Some(leader) = leader {
            self.enthrone(leader, election);
        }
        (leader != self.old.leader).then_some(election)
    }

    fn enthrone(&mut self, leader: BrokerId, election: Election) {
        match election {
            Election::Preferred | Election::Isr | Election::NoLeader => {}
            Election::Elr => {
                self.new.isr = vec![leader];
                self.settle_elr();
            }
            Election::LastKnown | Election::Unclean => {
                self.new.isr = vec![leader];
                self.new.elr.clear();
                self.new.recovery = true;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bugs::Bugs;
    use crate::controller::decide::cluster;

    fn settled(brokers: &str, topic: &str, rules: Rules, change: fn(Draft<'_>) -> Draft<'_>) -> String {
        let image = cluster::of(brokers, topic);
        let old = image.partition("t", 0).unwrap();
        match change(Draft::of(old, rules)).settle(|broker| image.is_alive(broker)) {
            Some((_, state)) => cluster::text(&state),
            None => "unchanged".to_owned(),
        }
    }

    const MIN_1: Rules = Rules { min_isr: 1, unclean: false, elr: true, bugs: Bugs::NONE };
    const MIN_2: Rules = Rules { min_isr: 2, ..MIN_1 };
    const NO_ELR: Rules = Rules { elr: false, ..MIN_2 };

    fn lost_2(draft: Draft<'_>) -> Draft<'_> {
        draft.without(BrokerId(2))
    }

    fn distrust_2(draft: Draft<'_>) -> Draft<'_> {
        draft.distrusting(BrokerId(2))
    }

    #[test]
    fn who_leaves_an_isr_at_or_above_the_minimum_is_not_eligible_below_it_is() {
        let table = [
            ("t 1,2,3 isr=1,2,3 leader=1", MIN_2, "1,2,3 isr=1,3 leader=1 e=0 p=1"),
            ("t 1,2,3 isr=1,2 leader=1", MIN_2, "1,2,3 isr=1 elr=2 leader=1 e=0 p=1"),
            ("t 1,2,3 isr=1,2 leader=1", MIN_1, "1,2,3 isr=1 leader=1 e=0 p=1"),
            ("t 1,2,3 isr=1,2 leader=1", NO_ELR, "1,2,3 isr=1 leader=1 e=0 p=1"),
        ];
        for (topic, rules, expected) in table {
            assert_eq!(settled("1 2- 3", topic, rules, lost_2), expected, "{topic} {rules:?}");
        }
    }

    #[test]
    fn the_last_member_of_the_isr_stays_in_it_when_it_dies() {
        assert_eq!(settled("1 2- 3", "t 2,1,3 isr=2 leader=2", NO_ELR, lost_2), "2,1,3 isr=2 last=2 e=1 p=1");
    }

    #[test]
    fn an_eligible_replica_takes_over_and_the_former_last_member_becomes_eligible() {
        assert_eq!(
            settled("1 2- 3", "t 2,1,3 isr=2 elr=3 leader=2", MIN_2, lost_2),
            "2,1,3 isr=3 elr=2 leader=3 e=1 p=1"
        );
    }

    #[test]
    fn a_distrusted_replica_leaves_even_an_isr_of_one() {
        let topic = "t 2,1,3 isr=2 elr=3 last=2";
        assert_eq!(settled("1 2- 3-", topic, MIN_2, distrust_2), "2,1,3 isr= elr=3 last=2 e=0 p=1");
        assert_eq!(settled("1 2- 3", topic, MIN_2, distrust_2), "2,1,3 isr=3 leader=3 e=1 p=1");
    }

    #[test]
    fn an_unclean_leader_is_alone_and_recovering() {
        let unclean = Rules { unclean: true, ..MIN_2 };
        assert_eq!(
            settled("1 2- 3-", "t 2,1,3 isr=2 elr=3 leader=2", unclean, lost_2),
            "2,1,3 isr=1 leader=1 recovery e=1 p=1"
        );
    }

    #[test]
    fn a_draft_that_changes_nothing_is_no_change() {
        assert_eq!(settled("1 2 3", "t 1,2,3 isr=1,3 leader=1", MIN_2, lost_2), "unchanged");
    }

    #[test]
    fn the_eligible_are_forgotten_once_the_isr_is_large_enough_again() {
        let image = cluster::of("1 2 3", "t 1,2,3 isr=1 elr=2,3 leader=1");
        let old = image.partition("t", 0).unwrap();
        let grown = Draft::of(old, MIN_2).with_isr(vec![BrokerId(1), BrokerId(2)]);
        let (_, state) = grown.settle(|broker| image.is_alive(broker)).unwrap();
        assert_eq!(cluster::text(&state), "1,2,3 isr=1,2 leader=1 e=0 p=1");
    }

    #[test]
    fn a_reassignment_ends_when_its_new_replicas_are_in_sync_and_not_before() {
        let done = |isr: &str| {
            let topic = format!("t 3,4,1 isr={isr} leader=1 adding=3,4 removing=1");
            settled("1 3 4", &topic, MIN_2, |draft| draft.completing_reassignment())
        };
        assert_eq!(done("1,3,4"), "3,4 isr=3,4 leader=3 e=1 p=1");
        assert_eq!(done("1,3"), "unchanged");
    }
}
