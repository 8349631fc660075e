//! The decisions against a model of replication: whatever happens, a clean election loses nothing committed.
//!
//! The model knows of each replica how long its log is, and of the partition how much was ever committed by the rules of a leader: the
//! high watermark is the shortest log of the ISR, and it stands still while the ISR is below `min.insync.replicas`. Random events from a
//! seed hit the cluster; after each of them the invariants of [`crate::metadata::image`] are checked.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::{MIN_ISR, View, cluster, desk::Desk, election};
use crate::metadata::{
    ids::{BrokerId, Incarnation, TopicId, Version},
    image::{ClusterImage, Configs, ELR_FEATURE, PartitionImage},
    record::{Election, MetadataRecord},
    rpc::{AlterPartition, ElectionKind, Heartbeat, IsrProposal, RegisterBroker, Request, Wish},
};

const SEEDS: u64 = 600;
const STEPS: u32 = 80;
const BROKERS: u64 = 4;

struct Model {
    image: ClusterImage,
    defaults: Configs,
    random: u64,
    ends: BTreeMap<BrokerId, u64>,
    committed: u64,
    lost_by_consent: bool,
    trace: Vec<String>,
}

impl Model {
    fn new(seed: u64, min_isr: usize, elr: bool) -> Self {
        let mut image = cluster::of("1 2 3 4", "t 1,2,3 isr=1,2,3");
        image.features.insert(ELR_FEATURE.into(), i16::from(elr));
        let defaults = Configs::from([(MIN_ISR.to_owned(), min_isr.to_string())]);
        let ends = (1..=4).map(|id| (BrokerId(id), 0)).collect();
        let random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        Self { image, defaults, random, ends, committed: 0, lost_by_consent: false, trace: Vec::new() }
    }

    /// Xorshift (Marsaglia 2003).
    fn draw(&mut self, below: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random % below
    }

    fn broker(&mut self) -> BrokerId {
        BrokerId(i32::try_from(self.draw(BROKERS)).unwrap() + 1)
    }

    fn partition(&self) -> &PartitionImage {
        self.image.partition("t", 0).unwrap()
    }

    fn leader(&self) -> Option<BrokerId> {
        self.partition().leader.filter(|leader| self.image.is_alive(*leader))
    }

    fn step(&mut self) {
        let event = self.draw(14);
        let broker = self.broker();
        self.trace.push(format!("{event} {broker} {} {:?}", cluster::text(self.partition()), self.ends));
        match event {
            0..=2 => self.produce(),
            3..=5 => self.fetch(broker),
            6 => self.shrink(broker),
            7 => self.grow(broker),
            8 => self.decide(|desk| desk.fence(&[broker])),
            9 | 10 => self.heartbeat(broker, Wish::Run),
            11 => self.restart_unclean(broker),
            12 => self.restart_clean(broker),
            _ => self.reassign_or_elect(broker),
        }
        self.advance();
    }

    fn produce(&mut self) {
        if let Some(leader) = self.leader() {
            *self.ends.get_mut(&leader).unwrap() += 1;
        }
    }

    fn fetch(&mut self, follower: BrokerId) {
        if let Some(leader) = self.leader()
            && self.partition().replicas.contains(&follower)
            && self.image.is_alive(follower)
        {
            self.ends.insert(follower, self.ends[&leader]);
        }
    }

    fn advance(&mut self) {
        let partition = self.partition();
        let min_isr: usize = self.defaults[MIN_ISR].parse().unwrap();
        let enough = min_isr.min(partition.replicas.len());
        if self.leader().is_some() && partition.isr.len() >= enough {
            let shortest = partition.isr.iter().map(|member| self.ends[member]).min().unwrap();
            self.committed = self.committed.max(shortest);
        }
    }

    fn propose(&mut self, isr: Vec<BrokerId>) {
        let Some(leader) = self.leader() else { return };
        let PartitionImage { leader_epoch, partition_epoch, .. } = *self.partition();
        let isr = isr.into_iter().map(|member| (member, None)).collect();
        let topic = self.image.topics["t"].id;
        let proposal = IsrProposal { topic, partition: 0, leader_epoch, partition_epoch, isr, recovery: false };
        let epoch = self.image.brokers[&leader].epoch;
        let ask = AlterPartition { broker: leader, epoch, partitions: vec![proposal] };
        self.ask(Request::AlterPartition(ask));
    }

    fn shrink(&mut self, broker: BrokerId) {
        let isr = self.partition().isr.iter().copied();
        let isr = isr.filter(|member| *member != broker || self.partition().leader == Some(broker)).collect();
        self.propose(isr);
    }

    fn grow(&mut self, broker: BrokerId) {
        let Some(leader) = self.leader() else { return };
        let partition = self.partition();
        let joins = partition.replicas.contains(&broker) && !partition.isr.contains(&broker);
        if joins && self.ends[&broker] == self.ends[&leader] {
            let isr = partition.isr.iter().copied().chain([broker]).collect();
            self.propose(isr);
        }
    }

    fn heartbeat(&mut self, broker: BrokerId, wish: Wish) {
        let epoch = self.image.brokers[&broker].epoch;
        self.ask(Request::Heartbeat(Heartbeat { broker, epoch, applied: Version(u64::MAX), wish }));
    }

    fn restart_unclean(&mut self, broker: BrokerId) {
        if self.image.elr_enabled() {
            let end = self.ends[&broker];
            let kept = self.draw(end + 1);
            self.ends.insert(broker, kept);
        }
        self.register(broker, None);
    }

    fn restart_clean(&mut self, broker: BrokerId) {
        self.heartbeat(broker, Wish::Stop);
        self.register(broker, Some(self.image.brokers[&broker].epoch));
    }

    fn register(&mut self, broker: BrokerId, previous_epoch: Option<crate::metadata::BrokerEpoch>) {
        let incarnation = Incarnation(Uuid::from_u128(u128::from(self.draw(u64::MAX))));
        let host = "127.0.0.1".to_owned();
        self.ask(Request::Register(RegisterBroker { broker, incarnation, host, port: 1, rack: None, previous_epoch }));
    }

    fn reassign_or_elect(&mut self, broker: BrokerId) {
        let view = View { image: &self.image, defaults: &self.defaults };
        let at = cluster::t0();
        let decision = if self.random.is_multiple_of(2) {
            election::on_demand(view, &at, ElectionKind::Preferred)
        } else {
            let target: Vec<_> = (0..3).map(|step| BrokerId((broker.0 - 1 + step) % 4 + 1)).collect();
            super::reassign::alter(view, &at, Some(&target))
        };
        self.decide(|desk| desk.take(decision.clone().unwrap_or_default()));
    }

    fn ask(&mut self, request: Request) {
        self.decide(|desk| drop(desk.decide(request.clone())));
    }

    fn decide(&mut self, decide: impl Fn(&mut Desk<'_>)) {
        let before = self.partition().clone();
        let mut desk = Desk::new(&self.image, &self.defaults, || TopicId(Uuid::nil()));
        decide(&mut desk);
        let records = desk.into_records();
        self.image = cluster::after(&self.image, &records);
        self.image.version.0 += 1;
        for record in &records {
            if let MetadataRecord::PartitionChange { election, state, .. } = record {
                self.check_election(*election, state);
            }
        }
        self.check_image(&before);
    }

    fn check_election(&mut self, election: Option<Election>, state: &PartitionImage) {
        let (Some(election), Some(leader)) = (election, state.leader) else { return };
        match election {
            Election::Preferred | Election::Isr | Election::Elr => {
                let end = self.ends[&leader];
                assert!(end >= self.committed, "{election:?} of {leader} with {end} < {}", self.committed);
            }
            Election::LastKnown | Election::Unclean => {
                self.lost_by_consent = true;
                self.committed = self.committed.min(self.ends[&leader]);
                assert!(state.recovery);
            }
            Election::NoLeader => panic!("nobody is somebody"),
        }
    }

    fn check_image(&self, before: &PartitionImage) {
        let now = self.partition();
        let text = cluster::text(now);
        assert!(now.leader.is_none_or(|leader| now.isr.contains(&leader)), "leader out of sync: {text}");
        assert!(now.leader.is_none_or(|leader| self.image.is_alive(leader)), "dead leader: {text}");
        assert!(now.isr.iter().chain(&now.elr).all(|member| now.replicas.contains(member)), "no replica: {text}");
        assert!(!now.isr.iter().any(|member| now.elr.contains(member)), "in sync and eligible: {text}");
        assert!(!now.isr.is_empty() || self.image.elr_enabled(), "empty ISR: {text}");
        let changed = PartitionImage { partition_epoch: before.partition_epoch, ..now.clone() } != *before;
        assert_eq!(changed, now.partition_epoch > before.partition_epoch, "partition epoch: {text}");
        assert!(now.leader == before.leader || now.leader_epoch > before.leader_epoch, "leader epoch: {text}");
    }
}

fn walk(min_isr: usize, elr: bool) -> usize {
    let one = |seed| {
        let mut model = Model::new(seed, min_isr, elr);
        let walked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| (0..STEPS).for_each(|_| model.step())));
        assert!(walked.is_ok(), "seed {seed}, min ISR {min_isr}, ELR {elr}:\n{}", model.trace.join("\n"));
        model.lost_by_consent
    };
    (0..SEEDS).filter(|seed| one(*seed)).count()
}

#[test]
fn a_clean_election_loses_nothing_committed_whatever_happened_before_it() {
    for min_isr in [1, 2, 3] {
        walk(min_isr, true);
        let without_elr = walk(min_isr, false);
        assert_eq!(without_elr, 0, "without ELR nobody but the ISR is elected");
    }
}
