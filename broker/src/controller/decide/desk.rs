//! One request after the other upon one working image, so that many can be committed together.
//!
//! The desk applies what it decides to its own copy of the image at once: the next request, and the next item of the same request, sees
//! it. What it has decided stands only when [`Desk::into_records`] is committed upon the image it started from.

use std::borrow::Cow;

use super::{Decision, View, brokers, configs, election, isr, producers, reassign, topics};
use crate::metadata::{
    apply::apply,
    error::ControllerError,
    ids::{BrokerId, TopicId, TopicPartition},
    image::{ClusterImage, Configs, PartitionImage, TopicImage},
    record::{FenceReason, MetadataRecord},
    rpc::{
        AlterConfigs, AlterPartition, AlterReassignments, Answer, CreatePartitions, CreateTopics, CreatedTopic,
        DeleteTopics, DeletedTopic, ElectLeaders, IsrProposal, NewTopic, Reply, Request, TopicRef,
    },
};

/// See the module.
#[derive(Debug)]
pub struct Desk<'a> {
    image: Cow<'a, ClusterImage>,
    defaults: &'a Configs,
    records: Vec<MetadataRecord>,
    draw_topic_id: fn() -> TopicId,
}

impl<'a> Desk<'a> {
    /// A desk with nothing decided yet. `draw_topic_id` gives an id never seen before.
    pub fn new(image: &'a ClusterImage, defaults: &'a Configs, draw_topic_id: fn() -> TopicId) -> Self {
        Self { image: Cow::Borrowed(image), defaults, records: Vec::new(), draw_topic_id }
    }

    /// All that was decided, in order.
    pub fn into_records(self) -> Vec<MetadataRecord> {
        self.records
    }

    /// Decides one request.
    ///
    /// # Errors
    /// Why all of it was refused; refusals of single items are in the reply.
    pub fn decide(&mut self, request: Request) -> Result<Reply, ControllerError> {
        Ok(match request {
            Request::Register(ask) => {
                let (records, answer) = brokers::register(self.view(), &ask)?;
                self.take(records);
                Reply::Register(answer)
            }
            Request::Heartbeat(beat) => {
                let (records, answer) = brokers::heartbeat(self.view(), &beat)?;
                self.take(records);
                Reply::Heartbeat(answer)
            }
            Request::AllocateProducerIds(ask) => {
                let (records, block) = producers::allocate(self.view(), &ask)?;
                self.take(records);
                Reply::AllocateProducerIds(block)
            }
            Request::AlterPartition(ask) => Reply::AlterPartition(self.alter_partition(&ask)?),
            Request::CreateTopics(ask) => Reply::CreateTopics(self.create_topics(&ask)),
            Request::DeleteTopics(ask) => Reply::DeleteTopics(self.delete_topics(&ask)),
            Request::CreatePartitions(ask) => Reply::CreatePartitions(self.create_partitions(&ask)),
            Request::AlterConfigs(ask) => Reply::AlterConfigs(self.alter_configs(&ask)),
            Request::ElectLeaders(ask) => Reply::ElectLeaders(self.elect_leaders(&ask)),
            Request::AlterReassignments(ask) => Reply::AlterReassignments(self.alter_reassignments(&ask)),
            Request::FetchMetadata(_) | Request::DescribeQuorum(_) => {
                return Err(ControllerError::InvalidRequest("nothing to decide".into()));
            }
        })
    }

    /// Fences brokers whose sessions have ended.
    pub fn fence(&mut self, silent: &[BrokerId]) {
        for broker in silent {
            let records = brokers::fence(self.view(), *broker, FenceReason::SessionExpired);
            self.take(records);
        }
    }

    /// The image as it is on this desk.
    pub fn image(&self) -> &ClusterImage {
        &self.image
    }

    /// Takes over what was decided elsewhere.
    pub fn take(&mut self, records: Vec<MetadataRecord>) {
        for record in records {
            apply(self.image.to_mut(), &record);
            self.records.push(record);
        }
    }

    fn view(&self) -> View<'_> {
        View { image: &self.image, defaults: self.defaults }
    }

    fn settle(&mut self, decision: Decision, validate_only: bool) -> Answer<()> {
        let records = decision?;
        if !validate_only {
            self.take(records);
        }
        Ok(())
    }

    fn alter_partition(&mut self, ask: &AlterPartition) -> Result<Vec<Answer<PartitionImage>>, ControllerError> {
        self.view().incarnation(ask.broker, ask.epoch)?;
        Ok(ask.partitions.iter().map(|proposal| self.alter_isr(ask.broker, proposal)).collect())
    }

    fn alter_isr(&mut self, broker: BrokerId, proposal: &IsrProposal) -> Answer<PartitionImage> {
        let records = isr::alter(self.view(), broker, proposal)?;
        self.take(records);
        isr::find(self.view(), proposal).map(|(_, state)| state.clone())
    }

    fn create_topics(&mut self, ask: &CreateTopics) -> Vec<Answer<CreatedTopic>> {
        ask.topics.iter().map(|topic| self.create_topic(topic, ask.validate_only)).collect()
    }

    fn create_topic(&mut self, topic: &NewTopic, validate_only: bool) -> Answer<CreatedTopic> {
        let id = (self.draw_topic_id)();
        let records = topics::create(self.view(), topic, id)?;
        let mut created = CreatedTopic { id, partitions: 0, replication_factor: 0 };
        if let [MetadataRecord::CreateTopic { partitions, .. }] = records.as_slice() {
            created.partitions = i32::try_from(partitions.len()).unwrap_or(i32::MAX);
            let replicas = partitions.first().map_or(0, |partition| partition.replicas.len());
            created.replication_factor = i16::try_from(replicas).unwrap_or(i16::MAX);
        }
        self.settle(Ok(records), validate_only)?;
        Ok(created)
    }

    fn delete_topics(&mut self, ask: &DeleteTopics) -> Vec<Answer<DeletedTopic>> {
        ask.topics.iter().map(|topic| self.delete_topic(topic)).collect()
    }

    fn delete_topic(&mut self, topic: &TopicRef) -> Answer<DeletedTopic> {
        let records = topics::delete(self.view(), topic)?;
        let deleted = records.iter().find_map(|record| match record {
            MetadataRecord::DeleteTopic { name, id } => Some(DeletedTopic { name: name.clone(), id: *id }),
            _ => None,
        });
        self.take(records);
        deleted.ok_or_else(|| ControllerError::InvalidRequest("nothing to delete".into()))
    }

    fn create_partitions(&mut self, ask: &CreatePartitions) -> Vec<Answer<()>> {
        let one = |more| {
            let decision = topics::grow(self.view(), more);
            self.settle(decision, ask.validate_only)
        };
        ask.topics.iter().map(one).collect()
    }

    fn alter_configs(&mut self, ask: &AlterConfigs) -> Vec<Answer<()>> {
        let one = |change| {
            let decision = configs::alter(self.view(), change);
            self.settle(decision, ask.validate_only)
        };
        ask.resources.iter().map(one).collect()
    }

    fn alter_reassignments(&mut self, ask: &AlterReassignments) -> Vec<Answer<()>> {
        let one = |(at, target): &(TopicPartition, Option<Vec<BrokerId>>)| {
            let decision = reassign::alter(self.view(), at, target.as_deref());
            self.settle(decision, false)
        };
        ask.partitions.iter().map(one).collect()
    }

    fn elect_leaders(&mut self, ask: &ElectLeaders) -> Vec<(TopicPartition, Answer<()>)> {
        let all = || self.image.topics.iter().flat_map(|(name, topic)| all_of(name, topic)).collect();
        let partitions = ask.partitions.clone().unwrap_or_else(all);
        let one = |at: TopicPartition| {
            let decision = election::on_demand(self.view(), &at, ask.kind);
            let answer = self.settle(decision, false);
            (at, answer)
        };
        let answers = partitions.into_iter().map(one);
        answers
            .filter(|(_, answer)| ask.partitions.is_some() || *answer != Err(ControllerError::ElectionNotNeeded))
            .collect()
    }
}

fn all_of(name: &str, topic: &TopicImage) -> impl Iterator<Item = TopicPartition> {
    (0..).zip(&topic.partitions).map(move |(index, _)| TopicPartition { topic: name.to_owned(), index })
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::{
        controller::decide::cluster,
        metadata::{
            ids::BrokerEpoch,
            rpc::{AllocateProducerIds, ElectionKind},
        },
    };

    static NO_CONFIGS: Configs = Configs::new();

    fn desk(image: &ClusterImage) -> Desk<'_> {
        Desk::new(image, &NO_CONFIGS, || TopicId(Uuid::from_u128(77)))
    }

    fn topics(names: &[&str], validate_only: bool) -> Request {
        let topics = names.iter().map(|name| NewTopic { name: (*name).to_owned(), ..NewTopic::default() });
        Request::CreateTopics(CreateTopics { topics: topics.collect(), validate_only })
    }

    fn refusals(reply: Result<Reply, ControllerError>) -> Vec<bool> {
        match reply.unwrap() {
            Reply::CreateTopics(answers) => answers.iter().map(Result::is_err).collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_second_request_sees_what_the_first_decided() {
        let image = cluster::of("1", "");
        let mut desk = desk(&image);
        assert_eq!(refusals(desk.decide(topics(&["a", "a"], false))), [false, true]);
        assert_eq!(refusals(desk.decide(topics(&["a", "b"], false))), [true, false]);
        assert_eq!(desk.into_records().len(), 2);
    }

    #[test]
    fn validation_alone_decides_nothing() {
        let image = cluster::of("1", "");
        let mut desk = desk(&image);
        assert_eq!(refusals(desk.decide(topics(&["a"], true))), [false]);
        assert_eq!(desk.into_records(), Vec::new());
    }

    #[test]
    fn a_request_of_a_dead_incarnation_is_refused_as_a_whole() {
        let image = cluster::of("1", "t 1 isr=1");
        let epoch = BrokerEpoch(9);
        let ask = AlterPartition { broker: BrokerId(1), epoch, partitions: Vec::new() };
        let mut desk = desk(&image);
        assert_eq!(desk.decide(Request::AlterPartition(ask)), Err(ControllerError::StaleBrokerEpoch));
        let ask = AllocateProducerIds { broker: BrokerId(1), epoch };
        assert_eq!(desk.decide(Request::AllocateProducerIds(ask)), Err(ControllerError::StaleBrokerEpoch));
    }

    #[test]
    fn an_election_everywhere_answers_only_for_partitions_that_needed_one() {
        let image = cluster::of("1 2 3-", "t 1,2 isr=1,2 leader=2; u 1,2 isr=1,2 leader=1; v 3,1 isr=1 leader=1");
        let reply = desk(&image)
            .decide(Request::ElectLeaders(ElectLeaders { kind: ElectionKind::Preferred, partitions: None }));
        let Ok(Reply::ElectLeaders(answers)) = reply else { panic!("{reply:?}") };
        let answers: Vec<_> = answers.iter().map(|(at, answer)| (at.topic.as_str(), answer.is_ok())).collect();
        assert_eq!(answers, [("t", true), ("v", false)]);
    }

    #[test]
    fn when_two_replicas_fall_silent_together_the_third_leads() {
        let image = cluster::of("1 2 3", "t 1,2,3 isr=1,2,3");
        let mut desk = desk(&image);
        desk.fence(&[BrokerId(1), BrokerId(2)]);
        let after = cluster::after(&image, &desk.into_records());
        assert_eq!(cluster::text(after.partition("t", 0).unwrap()), "1,2,3 isr=3 leader=3 e=2 p=2");
    }
}
