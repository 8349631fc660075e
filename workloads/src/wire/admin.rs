//! What a cluster says of itself, and topics made and unmade.

use super::connection::Connection;
use super::data::topic_name;
use super::error::WireError;
use crate::clock::Deadline;
use history::{LeaderEpoch, NodeId, Offset};
use kafka_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_quorum_request::{PartitionData, TopicData};
use kafka_protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::metadata_response::MetadataResponseTopic;
use kafka_protocol::messages::{
    BrokerId, CreatePartitionsRequest, CreateTopicsRequest, DeleteRecordsRequest, DeleteTopicsRequest,
    DescribeClusterRequest, DescribeConfigsRequest, DescribeQuorumRequest, IncrementalAlterConfigsRequest,
    MetadataRequest,
};
use kafka_protocol::protocol::StrBytes;
use std::collections::BTreeMap;

/// The number of topics among kinds of resources.
const TOPIC: i8 = 2;

/// A cluster as one broker sees it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ClusterView {
    /// Its name for itself.
    pub cluster_id: Option<String>,
    /// Who is told to be the controller.
    pub controller: Option<NodeId>,
    /// Brokers alive, and their addresses.
    pub brokers: BTreeMap<NodeId, String>,
    /// The topics asked for.
    pub topics: Vec<TopicView>,
}

/// A topic.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TopicView {
    /// Its name.
    pub name: String,
    /// The broker's error code about it, 0 none.
    pub error: i16,
    /// Its partitions, in no particular order.
    pub partitions: Vec<PartitionView>,
}

/// A partition.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PartitionView {
    /// Its number.
    pub partition: i32,
    /// Who leads it, if anybody does.
    pub leader: Option<NodeId>,
    /// Which reign this is, −1 where not told.
    pub epoch: LeaderEpoch,
    /// Who holds it.
    pub replicas: Vec<NodeId>,
    /// Who of them is in sync.
    pub in_sync: Vec<NodeId>,
}

/// A topic to be made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewTopic {
    /// Its name.
    pub name: String,
    /// How many partitions.
    pub partitions: i32,
    /// How many replicas of each.
    pub replication: i16,
    /// Its configs.
    pub configs: BTreeMap<String, String>,
}

/// What a config is of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ConfigOf {
    /// A topic.
    Topic(String),
    /// A broker.
    Broker(NodeId),
}

/// A config's value and where it comes from, in the broker's numbering.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConfigValue {
    /// `None` where null or secret.
    pub value: Option<String>,
    /// 1 topic, 2 dynamic broker, 4 static broker, 5 default …
    pub source: i8,
}

impl Connection {
    /// The cluster, with these topics or with all.
    pub fn metadata(&mut self, topics: Option<&[&str]>, deadline: Deadline) -> Result<ClusterView, WireError> {
        let wanted = |name: &&str| MetadataRequestTopic::default().with_name(Some(topic_name(name)));
        let request = MetadataRequest::default()
            .with_topics(topics.map(|names| names.iter().map(wanted).collect()))
            .with_allow_auto_topic_creation(false);
        let answer = self.call(&request, deadline)?;
        WireError::check("Metadata", answer.error_code)?;
        let address = |b: &kafka_protocol::messages::metadata_response::MetadataResponseBroker| {
            (NodeId(b.node_id.0), format!("{}:{}", &*b.host, b.port))
        };
        Ok(ClusterView {
            cluster_id: answer.cluster_id.as_ref().map(|s| s.to_string()),
            controller: node(answer.controller_id),
            brokers: answer.brokers.iter().map(address).collect(),
            topics: answer.topics.iter().map(topic_view).collect(),
        })
    }

    /// Makes a topic. Not to be repeated blindly: a lost answer may have been a yes.
    pub fn create_topic(&mut self, topic: &NewTopic, deadline: Deadline) -> Result<(), WireError> {
        let config = |(name, value): (&String, &String)| {
            let value = Some(StrBytes::from_string(value.clone()));
            CreatableTopicConfig::default().with_name(StrBytes::from_string(name.clone())).with_value(value)
        };
        let creatable = CreatableTopic::default()
            .with_name(topic_name(&topic.name))
            .with_num_partitions(topic.partitions)
            .with_replication_factor(topic.replication)
            .with_configs(topic.configs.iter().map(config).collect());
        let request = CreateTopicsRequest::default().with_topics(vec![creatable]).with_timeout_ms(wait_ms(deadline));
        let answer = self.call(&request, deadline)?;
        let told = answer.topics.first().ok_or_else(|| self.protocol("no answer about the new topic".into()))?;
        WireError::check_with("CreateTopics", told.error_code, told.error_message.as_deref())
    }

    /// Gives a topic partitions, so that it has `count`. Not to be repeated blindly: a lost answer may have been a yes.
    pub fn create_partitions(&mut self, name: &str, count: i32, deadline: Deadline) -> Result<(), WireError> {
        let topic =
            CreatePartitionsTopic::default().with_name(topic_name(name)).with_count(count).with_assignments(None);
        let request = CreatePartitionsRequest::default().with_topics(vec![topic]).with_timeout_ms(wait_ms(deadline));
        let answer = self.call(&request, deadline)?;
        let told = answer.results.first().ok_or_else(|| self.protocol("no answer about the partitions".into()))?;
        WireError::check_with("CreatePartitions", told.error_code, told.error_message.as_deref())
    }

    /// Gives a topic's config a value. A lost answer may have been a yes.
    pub fn set_config(
        &mut self,
        topic: &str,
        (name, value): (&str, &str),
        deadline: Deadline,
    ) -> Result<(), WireError> {
        let config = AlterableConfig::default()
            .with_name(StrBytes::from_string(name.to_owned()))
            .with_config_operation(0)
            .with_value(Some(StrBytes::from_string(value.to_owned())));
        let resource = AlterConfigsResource::default()
            .with_resource_type(TOPIC)
            .with_resource_name(StrBytes::from_string(topic.to_owned()))
            .with_configs(vec![config]);
        let request = IncrementalAlterConfigsRequest::default().with_resources(vec![resource]);
        let answer = self.call(&request, deadline)?;
        let told = answer.responses.first().ok_or_else(|| self.protocol("no answer about the config".into()))?;
        WireError::check_with("IncrementalAlterConfigs", told.error_code, told.error_message.as_deref())
    }

    /// Deletes a partition's records below `before`; asked of its leader.
    pub fn delete_records(
        &mut self,
        topic: &str,
        partition: i32,
        before: Offset,
        deadline: Deadline,
    ) -> Result<(), WireError> {
        let part = DeleteRecordsPartition::default().with_partition_index(partition).with_offset(before.0);
        let topics = vec![DeleteRecordsTopic::default().with_name(topic_name(topic)).with_partitions(vec![part])];
        let request = DeleteRecordsRequest::default().with_topics(topics).with_timeout_ms(wait_ms(deadline));
        let answer = self.call(&request, deadline)?;
        let told = answer.topics.iter().flat_map(|t| &t.partitions).find(|p| p.partition_index == partition);
        let told = told.ok_or_else(|| self.protocol(format!("no answer about {topic}-{partition}")))?;
        WireError::check("DeleteRecords", told.error_code)
    }

    /// Unmakes a topic.
    pub fn delete_topic(&mut self, name: &str, deadline: Deadline) -> Result<(), WireError> {
        let request =
            DeleteTopicsRequest::default().with_topic_names(vec![topic_name(name)]).with_timeout_ms(wait_ms(deadline));
        let answer = self.call(&request, deadline)?;
        let told = answer.responses.first().ok_or_else(|| self.protocol("no answer about the topic".into()))?;
        WireError::check_with("DeleteTopics", told.error_code, told.error_message.as_deref())
    }

    /// The effective configs of a topic or broker.
    pub fn describe_configs(
        &mut self,
        of: &ConfigOf,
        deadline: Deadline,
    ) -> Result<BTreeMap<String, ConfigValue>, WireError> {
        let (kind, name) = match of {
            ConfigOf::Topic(name) => (TOPIC, name.clone()),
            ConfigOf::Broker(id) => (4, id.0.to_string()),
        };
        let resource = DescribeConfigsResource::default()
            .with_resource_type(kind)
            .with_resource_name(StrBytes::from_string(name))
            .with_configuration_keys(None);
        let answer = self.call(&DescribeConfigsRequest::default().with_resources(vec![resource]), deadline)?;
        let told = answer.results.first().ok_or_else(|| self.protocol("no answer about the configs".into()))?;
        WireError::check_with("DescribeConfigs", told.error_code, told.error_message.as_deref())?;
        let value = |c: &kafka_protocol::messages::describe_configs_response::DescribeConfigsResourceResult| {
            let value = c.value.as_ref().map(|v| v.to_string());
            (c.name.to_string(), ConfigValue { value, source: c.config_source })
        };
        Ok(told.configs.iter().map(value).collect())
    }

    /// The active controller, which Metadata does not tell where there is a quorum; `None` while there is none.
    pub fn active_controller(&mut self, deadline: Deadline) -> Result<Option<NodeId>, WireError> {
        let log = TopicData::default()
            .with_topic_name(topic_name("__cluster_metadata"))
            .with_partitions(vec![PartitionData::default().with_partition_index(0)]);
        let answer = self.call(&DescribeQuorumRequest::default().with_topics(vec![log]), deadline)?;
        WireError::check("DescribeQuorum", answer.error_code)?;
        let told = answer.topics.iter().flat_map(|t| &t.partitions).next();
        let told = told.ok_or_else(|| self.protocol("no answer about the metadata log".into()))?;
        WireError::check("DescribeQuorum", told.error_code)?;
        Ok(node(told.leader_id))
    }

    /// Brokers and controller, as the cluster's own administration tells them.
    pub fn describe_cluster(&mut self, deadline: Deadline) -> Result<ClusterView, WireError> {
        let answer = self.call(&DescribeClusterRequest::default(), deadline)?;
        WireError::check_with("DescribeCluster", answer.error_code, answer.error_message.as_deref())?;
        let address = |b: &kafka_protocol::messages::describe_cluster_response::DescribeClusterBroker| {
            (NodeId(b.broker_id.0), format!("{}:{}", &*b.host, b.port))
        };
        Ok(ClusterView {
            cluster_id: Some(answer.cluster_id.to_string()),
            controller: node(answer.controller_id),
            brokers: answer.brokers.iter().map(address).collect(),
            topics: Vec::new(),
        })
    }
}

fn topic_view(topic: &MetadataResponseTopic) -> TopicView {
    let ids = |nodes: &[BrokerId]| nodes.iter().map(|n| NodeId(n.0)).collect();
    let partitions = topic.partitions.iter().map(|p| PartitionView {
        partition: p.partition_index,
        leader: node(p.leader_id),
        epoch: LeaderEpoch(p.leader_epoch),
        replicas: ids(&p.replica_nodes),
        in_sync: ids(&p.isr_nodes),
    });
    let name = topic.name.as_ref().map(|n| n.0.to_string()).unwrap_or_default();
    TopicView { name, error: topic.error_code, partitions: partitions.collect() }
}

fn node(id: BrokerId) -> Option<NodeId> {
    (id.0 >= 0).then_some(NodeId(id.0))
}

fn wait_ms(deadline: Deadline) -> i32 {
    deadline.remaining().map_or(0, |left| i32::try_from(left.as_millis()).unwrap_or(i32::MAX))
}
