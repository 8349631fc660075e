//! What a leader knows of its followers, and what follows from it: the in-sync replicas and the high watermark.
//!
//! Pure: time, log ends and the eligibility of brokers come in as arguments.
//!
//! **Invariants.** The high watermark is never beyond what every member of the *maximal* ISR has: the ISR in force, and
//! the one asked for while the controller has not answered (KIP-497). So whichever of the two the controller acts upon,
//! each member it may elect has every record below the high watermark. A follower counts only under the leader's own
//! epoch and the newest incarnation of its broker (KIP-903).
//!
//! Not here: truncation, the log, and the sending of proposals.

use std::collections::BTreeMap;

use crate::ids::{BrokerEpoch, LeaderEpoch, NodeId, Offset, PartitionEpoch};

/// The in-sync replicas as this leader may rely upon them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Isr {
    /// The controller's word.
    Settled(Vec<NodeId>),
    /// Another set has been asked for; until the answer either may be in force.
    Asked {
        /// In force when asked.
        settled: Vec<NodeId>,
        /// Asked for.
        wanted: Vec<NodeId>,
    },
}

impl Isr {
    /// The set the controller last confirmed.
    pub fn settled(&self) -> &[NodeId] {
        match self {
            Isr::Settled(settled) | Isr::Asked { settled, .. } => settled,
        }
    }

    /// Whether the broker is in a set that may be in force.
    pub fn may_contain(&self, broker: NodeId) -> bool {
        match self {
            Isr::Settled(settled) => settled.contains(&broker),
            Isr::Asked { settled, wanted } => settled.contains(&broker) || wanted.contains(&broker),
        }
    }
}

/// What is known of one follower.
#[derive(Clone, Debug, Default)]
struct Progress {
    /// Its log end as of its last fetch under this leadership.
    end: Option<Offset>,
    broker_epoch: Option<BrokerEpoch>,
    /// Where its log starts, as of its last fetch.
    start: Option<Offset>,
    fetched_ns: u64,
    /// When it last had everything the leader had.
    caught_up_ns: u64,
    /// The leader's log end at its last fetch.
    leader_end: Offset,
}

/// The leader's side at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// Monotonic nanoseconds.
    pub now_ns: u64,
    /// The leader's log end.
    pub end: Offset,
    /// The high watermark so far.
    pub high_watermark: Offset,
    /// `replica.lag.time.max.ms`
    pub lag_ns_max: u64,
}

/// An in-sync set the leader wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// Under which it leads.
    pub leader_epoch: LeaderEpoch,
    /// The state it would change.
    pub partition_epoch: PartitionEpoch,
    /// The set, each member with the incarnation the leader has seen.
    pub isr: Vec<(NodeId, Option<BrokerEpoch>)>,
    /// Why, for people.
    pub why: String,
}

/// A fetch that must not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stale {
    /// The fetcher is not a replica of this partition.
    NotAReplica,
    /// A newer incarnation of the broker has fetched already.
    Incarnation,
}

/// Leading one partition in one leader epoch.
#[derive(Clone, Debug)]
pub struct Leadership {
    me: NodeId,
    epoch: LeaderEpoch,
    since: LeaderEpoch,
    start: Offset,
    partition_epoch: PartitionEpoch,
    isr: Isr,
    followers: BTreeMap<NodeId, Progress>,
}

impl Leadership {
    /// Leads from `start`, the log's end when the epoch began; `since` is the first epoch of an unbroken reign.
    pub fn new(me: NodeId, epoch: LeaderEpoch, since: LeaderEpoch, start: Offset) -> Leadership {
        let (partition_epoch, isr) = (PartitionEpoch(-1), Isr::Settled(vec![me]));
        Leadership { me, epoch, since, start, partition_epoch, isr, followers: BTreeMap::new() }
    }

    /// The epoch of this leadership.
    pub fn epoch(&self) -> LeaderEpoch {
        self.epoch
    }

    /// The first epoch from which on this replica has led without following anybody: its log was not truncated since.
    pub fn since(&self) -> LeaderEpoch {
        self.since
    }

    /// Where the epoch began in the log.
    pub fn start(&self) -> Offset {
        self.start
    }

    /// The state of the partition this leader acts upon.
    pub fn partition_epoch(&self) -> PartitionEpoch {
        self.partition_epoch
    }

    /// The in-sync replicas.
    pub fn isr(&self) -> &Isr {
        &self.isr
    }

    /// Replicas, this one included.
    pub fn replica_count(&self) -> usize {
        self.followers.len() + 1
    }

    /// Takes over the controller's state. A newly known in-sync follower counts as caught up now.
    pub fn take(&mut self, replicas: &[NodeId], isr: Vec<NodeId>, partition_epoch: PartitionEpoch, now_ns: u64) {
        self.followers.retain(|follower, _| replicas.contains(follower));
        for follower in replicas.iter().filter(|replica| **replica != self.me) {
            let caught_up_ns = if isr.contains(follower) { now_ns } else { 0 };
            self.followers.entry(*follower).or_insert(Progress { caught_up_ns, ..Progress::default() });
        }
        self.isr = Isr::Settled(isr);
        self.partition_epoch = partition_epoch;
    }

    /// Notes that a follower fetched from `offset`, and so has everything below.
    pub fn fetched(
        &mut self,
        follower: NodeId,
        broker_epoch: Option<BrokerEpoch>,
        offset: Offset,
        moment: &Moment,
    ) -> Result<(), Stale> {
        let progress = self.followers.get_mut(&follower).ok_or(Stale::NotAReplica)?;
        if broker_epoch.is_some() && broker_epoch < progress.broker_epoch {
            return Err(Stale::Incarnation);
        }
        let caught_up_ns = if offset >= moment.end {
            moment.now_ns
        } else if progress.end.is_some() && offset >= progress.leader_end {
            progress.fetched_ns
        } else {
            0
        };
        progress.caught_up_ns = progress.caught_up_ns.max(caught_up_ns);
        progress.end = Some(offset);
        progress.broker_epoch = broker_epoch.or(progress.broker_epoch);
        progress.fetched_ns = moment.now_ns;
        progress.leader_end = moment.end;
        Ok(())
    }

    /// The high watermark that the followers' progress allows; never below the one so far. `joins` says of a follower
    /// outside the ISR whether it may join, and so must be waited for if it is about to.
    pub fn high_watermark(&self, moment: &Moment, joins: impl Fn(NodeId, Option<BrokerEpoch>) -> bool) -> Offset {
        let counts = |broker: NodeId, progress: &Progress| {
            let keeps_up = moment.now_ns.saturating_sub(progress.caught_up_ns) <= moment.lag_ns_max;
            self.isr.may_contain(broker) || (progress.end.is_some() && keeps_up && joins(broker, progress.broker_epoch))
        };
        let counted = self.followers.iter().filter(|(broker, progress)| counts(**broker, progress));
        let lowest = counted.map(|(_, progress)| progress.end.unwrap_or(moment.high_watermark)).min();
        lowest.unwrap_or(moment.end).min(moment.end).max(moment.high_watermark)
    }

    /// As [`Leadership::high_watermark`], but waiting for nobody who has fallen silent: only for the planted bug.
    pub fn careless_high_watermark(&self, moment: &Moment) -> Offset {
        let speaks = |progress: &&Progress| {
            progress.end.is_some() && moment.now_ns.saturating_sub(progress.fetched_ns) <= moment.lag_ns_max
        };
        let lowest = self.followers.values().filter(speaks).filter_map(|progress| progress.end).min();
        lowest.unwrap_or(moment.end).min(moment.end).max(moment.high_watermark)
    }

    /// The ISR with this follower, if it has caught up with the high watermark and with the start of the epoch.
    pub fn expansion(&self, follower: NodeId, moment: &Moment) -> Option<Proposal> {
        let Isr::Settled(settled) = &self.isr else { return None };
        let progress = self.followers.get(&follower)?;
        let end = progress.end?;
        if settled.contains(&follower) || end < moment.high_watermark || end < self.start {
            return None;
        }
        let wanted: Vec<NodeId> = settled.iter().copied().chain([follower]).collect();
        Some(self.proposal(&wanted, format!("{follower} caught up at {end}")))
    }

    /// Notes where a follower's log starts; whether that is news.
    pub fn started(&mut self, follower: NodeId, start: Offset) -> bool {
        let Some(progress) = self.followers.get_mut(&follower) else { return false };
        progress.start.replace(start) != Some(start)
    }

    /// The lowest start among the followers that are alive; the very first one for a follower nobody has heard of.
    pub fn lowest_start(&self, alive: impl Fn(NodeId) -> bool) -> Option<Offset> {
        let living = self.followers.iter().filter(|(follower, _)| alive(**follower));
        living.map(|(_, progress)| progress.start.unwrap_or(Offset(0))).min()
    }

    /// Whether a follower has everything below `offset`.
    pub fn has(&self, follower: NodeId, offset: Offset) -> bool {
        self.followers.get(&follower).and_then(|progress| progress.end).is_some_and(|end| end >= offset)
    }

    /// The incarnation of a follower as of its last fetch.
    pub fn broker_epoch(&self, follower: NodeId) -> Option<BrokerEpoch> {
        self.followers.get(&follower)?.broker_epoch
    }

    /// The ISR without those who have not been caught up for longer than `lag_ns_max`.
    pub fn shrinkage(&self, moment: &Moment) -> Option<Proposal> {
        let Isr::Settled(settled) = &self.isr else { return None };
        let (out, wanted): (Vec<_>, Vec<_>) = settled.iter().partition(|member| self.lags(**member, moment));
        if out.is_empty() {
            return None;
        }
        let out: Vec<String> = out.iter().map(|member: &NodeId| self.describe(*member, moment)).collect();
        Some(self.proposal(&wanted, out.join(", ")))
    }

    fn lags(&self, member: NodeId, moment: &Moment) -> bool {
        let Some(progress) = self.followers.get(&member) else { return false };
        progress.end != Some(moment.end) && moment.now_ns.saturating_sub(progress.caught_up_ns) > moment.lag_ns_max
    }

    fn describe(&self, member: NodeId, moment: &Moment) -> String {
        let progress = self.followers.get(&member).cloned().unwrap_or_default();
        let end = progress.end.map_or("unknown".to_owned(), |end| end.to_string());
        let silent_ms = moment.now_ns.saturating_sub(progress.caught_up_ns) / 1_000_000;
        format!("{member} at {end} of {} and not caught up for {silent_ms} ms", moment.end)
    }

    fn proposal(&self, wanted: &[NodeId], why: String) -> Proposal {
        let isr = wanted.iter().map(|member| (*member, self.broker_epoch(*member))).collect();
        Proposal { leader_epoch: self.epoch, partition_epoch: self.partition_epoch, isr, why }
    }

    /// Notes that a proposal is on its way.
    pub fn asked(&mut self, proposal: &Proposal) {
        let wanted = proposal.isr.iter().map(|(member, _)| *member).collect();
        self.isr = Isr::Asked { settled: self.isr.settled().to_vec(), wanted };
    }

    /// Counts on what was asked for as if it had been granted: only for the planted bug.
    pub fn presume(&mut self) {
        if let Isr::Asked { wanted, .. } = &self.isr {
            self.isr = Isr::Asked { settled: wanted.clone(), wanted: wanted.clone() };
        }
    }

    /// Whether this proposal is still unanswered.
    pub fn awaits(&self, proposal: &Proposal) -> bool {
        let same = (self.epoch, self.partition_epoch) == (proposal.leader_epoch, proposal.partition_epoch);
        same && matches!(self.isr, Isr::Asked { .. })
    }

    /// Notes that a proposal was refused and surely has not taken effect.
    pub fn refused(&mut self, proposal: &Proposal) {
        if proposal.partition_epoch == self.partition_epoch {
            self.isr = Isr::Settled(self.isr.settled().to_vec());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ME: NodeId = NodeId(1);
    const A: NodeId = NodeId(2);
    const B: NodeId = NodeId(3);

    fn moment(now_ns: u64, end: i64, high_watermark: i64) -> Moment {
        Moment { now_ns, end: Offset(end), high_watermark: Offset(high_watermark), lag_ns_max: 100 }
    }

    fn leading(isr: &[NodeId]) -> Leadership {
        let mut leadership = Leadership::new(ME, LeaderEpoch(5), LeaderEpoch(5), Offset(10));
        leadership.take(&[ME, A, B], isr.to_vec(), PartitionEpoch(7), 1000);
        leadership
    }

    fn fetch(leadership: &mut Leadership, follower: NodeId, offset: i64, moment: &Moment) {
        leadership.fetched(follower, Some(BrokerEpoch(1)), Offset(offset), moment).unwrap();
    }

    fn nobody(_: NodeId, _: Option<BrokerEpoch>) -> bool {
        false
    }

    fn anybody(_: NodeId, _: Option<BrokerEpoch>) -> bool {
        true
    }

    #[test]
    fn the_high_watermark_waits_for_every_in_sync_follower() {
        let (mut leadership, now) = (leading(&[ME, A, B]), moment(1001, 20, 10));
        assert_eq!(leadership.high_watermark(&now, nobody), Offset(10));
        fetch(&mut leadership, A, 20, &now);
        assert_eq!(leadership.high_watermark(&now, nobody), Offset(10));
        fetch(&mut leadership, B, 15, &now);
        assert_eq!(leadership.high_watermark(&now, nobody), Offset(15));
    }

    #[test]
    fn the_high_watermark_never_goes_back_and_never_beyond_the_log() {
        let (mut leadership, now) = (leading(&[ME, A]), moment(1001, 20, 18));
        fetch(&mut leadership, A, 12, &now);
        assert_eq!(leadership.high_watermark(&now, nobody), Offset(18));
        fetch(&mut leadership, A, 25, &now);
        assert_eq!(leadership.high_watermark(&now, nobody), Offset(20));
    }

    #[test]
    fn a_lone_leader_commits_its_own_log_and_waits_for_no_stranger() {
        let (mut leadership, now) = (leading(&[ME]), moment(1001, 20, 10));
        assert_eq!(leadership.high_watermark(&now, nobody), Offset(20));
        fetch(&mut leadership, A, 12, &now);
        assert_eq!(leadership.high_watermark(&now, anybody), Offset(20));
    }

    #[test]
    fn a_follower_about_to_join_is_waited_for_but_not_one_that_may_not() {
        let mut leadership = leading(&[ME]);
        fetch(&mut leadership, A, 20, &moment(1001, 20, 20));
        let grown = moment(1002, 30, 20);
        assert_eq!(leadership.high_watermark(&grown, anybody), Offset(20));
        assert_eq!(leadership.high_watermark(&grown, nobody), Offset(30));
    }

    #[test]
    fn both_sets_count_while_a_proposal_is_unanswered() {
        let (mut leadership, now) = (leading(&[ME, A]), moment(2000, 20, 10));
        fetch(&mut leadership, A, 20, &now);
        fetch(&mut leadership, B, 12, &now);
        let joined = leadership.expansion(B, &now).unwrap();
        leadership.asked(&joined);
        assert_eq!(leadership.high_watermark(&now, nobody), Offset(12));
        leadership.refused(&joined);
        assert_eq!(leadership.high_watermark(&now, nobody), Offset(20));
    }

    #[test]
    fn a_shrinking_set_counts_in_full_until_the_controller_agrees() {
        let (mut leadership, late) = (leading(&[ME, A]), moment(2000, 20, 10));
        let shrunk = leadership.shrinkage(&late).unwrap();
        assert_eq!(shrunk.isr, [(ME, None)]);
        leadership.asked(&shrunk);
        assert_eq!(leadership.high_watermark(&late, nobody), Offset(10));
        leadership.take(&[ME, A, B], vec![ME], PartitionEpoch(8), 2001);
        assert_eq!(leadership.high_watermark(&late, nobody), Offset(20));
    }

    #[test]
    fn a_follower_joins_only_past_the_high_watermark_and_the_start_of_the_epoch() {
        let (mut leadership, now) = (leading(&[ME]), moment(1001, 20, 5));
        fetch(&mut leadership, A, 9, &now);
        assert_eq!(leadership.expansion(A, &now), None);
        fetch(&mut leadership, A, 10, &now);
        let proposal = leadership.expansion(A, &now).unwrap();
        assert_eq!(proposal.isr, [(ME, None), (A, Some(BrokerEpoch(1)))]);
        assert_eq!((proposal.leader_epoch, proposal.partition_epoch), (LeaderEpoch(5), PartitionEpoch(7)));
    }

    #[test]
    fn one_proposal_at_a_time() {
        let (mut leadership, now) = (leading(&[ME]), moment(1001, 20, 5));
        fetch(&mut leadership, A, 20, &now);
        fetch(&mut leadership, B, 20, &now);
        let first = leadership.expansion(A, &now).unwrap();
        leadership.asked(&first);
        assert_eq!(leadership.expansion(B, &now), None);
    }

    #[test]
    fn a_follower_that_keeps_up_with_the_last_fetch_is_not_out_of_sync() {
        let mut leadership = leading(&[ME, A]);
        fetch(&mut leadership, A, 20, &moment(1050, 20, 10));
        fetch(&mut leadership, A, 20, &moment(1120, 30, 10));
        fetch(&mut leadership, A, 30, &moment(1190, 40, 10));
        assert_eq!(leadership.shrinkage(&moment(1200, 40, 10)), None);
        assert!(leadership.shrinkage(&moment(1221, 40, 10)).is_some());
    }

    #[test]
    fn a_silent_follower_with_the_whole_log_stays_in_sync() {
        let mut leadership = leading(&[ME, A]);
        fetch(&mut leadership, A, 20, &moment(1050, 20, 10));
        assert_eq!(leadership.shrinkage(&moment(9999, 20, 10)), None);
    }

    #[test]
    fn the_lowest_start_counts_the_living_and_those_not_heard_of() {
        let mut leadership = leading(&[ME, A, B]);
        assert!(leadership.started(A, Offset(4)) && !leadership.started(A, Offset(4)));
        assert_eq!(leadership.lowest_start(|_| true), Some(Offset(0)));
        assert_eq!(leadership.lowest_start(|follower| follower == A), Some(Offset(4)));
        assert_eq!(leadership.lowest_start(|_| false), None);
    }

    #[test]
    fn an_older_incarnation_and_a_stranger_do_not_count() {
        let (mut leadership, now) = (leading(&[ME, A]), moment(1001, 20, 10));
        leadership.fetched(A, Some(BrokerEpoch(9)), Offset(11), &now).unwrap();
        assert_eq!(leadership.fetched(A, Some(BrokerEpoch(8)), Offset(20), &now), Err(Stale::Incarnation));
        assert_eq!(leadership.fetched(NodeId(9), None, Offset(20), &now), Err(Stale::NotAReplica));
        assert_eq!(leadership.high_watermark(&now, nobody), Offset(11));
    }
}
