//! What the controller decides: an image and a request in, records out.
//!
//! Pure: no clock, no socket, no randomness (a new topic's id is handed in). One rule a file. Whatever is decided here is decided upon
//! the image in the [`View`] and must only take effect upon that image ([`crate::metadata::record::Proposal`]).

pub mod brokers;
pub mod configs;
pub mod desk;
pub mod draft;
pub mod election;
pub mod isr;
pub mod placement;
pub mod producers;
pub mod reassign;
pub mod topics;

#[cfg(test)]
pub mod cluster;
#[cfg(test)]
mod model;

use crate::bugs::{Bug, Bugs};
use crate::metadata::{
    error::ControllerError,
    ids::{BrokerEpoch, BrokerId, TopicPartition},
    image::{BrokerImage, ClusterImage, Configs, PartitionImage},
    record::{Election, MetadataRecord},
};
use draft::Draft;

/// `min.insync.replicas`
pub const MIN_ISR: &str = "min.insync.replicas";
/// What the planted bug forgets of a topic.
const FORGOTTEN: [&str; 2] = [MIN_ISR, "retention.ms"];
/// `stormglass.bug`
pub const BUG: &str = "stormglass.bug";
/// `unclean.leader.election.enable`
pub const UNCLEAN: &str = "unclean.leader.election.enable";

/// Records, or why there are none.
pub type Decision = Result<Vec<MetadataRecord>, ControllerError>;

/// What a decision is made upon.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// The cluster.
    pub image: &'a ClusterImage,
    /// The controller's own properties, for what no dynamic config says.
    pub defaults: &'a Configs,
}

/// The configs that elections and ISR changes of a topic go by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// `min.insync.replicas`, at least 1.
    pub min_isr: usize,
    /// `unclean.leader.election.enable`.
    pub unclean: bool,
    /// Eligible Leader Replicas are on.
    pub elr: bool,
    /// Planted bugs.
    pub bugs: Bugs,
}

impl<'a> View<'a> {
    /// The rules of a topic.
    pub fn rules(&self, topic: &str) -> Rules {
        let min_isr = self.config(topic, MIN_ISR).and_then(|value| value.parse().ok());
        let (bugs, unclean) = (self.bugs(), self.config(topic, UNCLEAN));
        Rules {
            min_isr: min_isr.unwrap_or(1_usize).max(1),
            unclean: unclean.is_some_and(|value| value.eq_ignore_ascii_case("true")) || bugs.has(Bug::UncleanAlways),
            elr: self.elr(),
            bugs,
        }
    }

    /// Whether Eligible Leader Replicas are on.
    pub fn elr(&self) -> bool {
        self.image.elr_enabled() && !self.bugs().has(Bug::ElrOff)
    }

    /// The planted bugs of this controller.
    pub fn bugs(&self) -> Bugs {
        self.defaults.get(BUG).and_then(|names| Bugs::parse(names).ok()).unwrap_or_default()
    }

    /// A topic's config: its own, else the cluster's dynamic one, else the controller's property.
    pub fn config(&self, topic: &str, key: &str) -> Option<&'a str> {
        let own = self.image.topics.get(topic).and_then(|topic| topic.configs.get(key));
        own.or_else(|| self.image.default_configs.get(key)).or_else(|| self.defaults.get(key)).map(String::as_str)
    }

    /// The registered broker, if the asker is its present incarnation.
    ///
    /// # Errors
    /// [`ControllerError::BrokerNotRegistered`], [`ControllerError::StaleBrokerEpoch`].
    pub fn incarnation(&self, broker: BrokerId, epoch: BrokerEpoch) -> Result<&'a BrokerImage, ControllerError> {
        let known = self.image.brokers.get(&broker).ok_or(ControllerError::BrokerNotRegistered)?;
        if known.epoch == epoch { Ok(known) } else { Err(ControllerError::StaleBrokerEpoch) }
    }

    /// One partition.
    ///
    /// # Errors
    /// [`ControllerError::UnknownTopic`].
    pub fn partition(&self, at: &TopicPartition) -> Result<&'a PartitionImage, ControllerError> {
        let found = self.image.partition(&at.topic, at.index);
        found.ok_or_else(|| ControllerError::UnknownTopic(at.to_string()))
    }

    /// The records of changing every partition that `concerns` picks, as `change` drafts it.
    fn change_partitions(
        &self,
        concerns: impl Fn(&str, &PartitionImage) -> bool,
        change: impl Fn(Draft<'a>) -> Draft<'a>,
        alive: impl Fn(BrokerId) -> bool,
    ) -> Vec<MetadataRecord> {
        let concerned = self.image.partitions().filter(|(topic, _, partition)| concerns(topic, partition));
        let changed = concerned.filter_map(|(topic, partition, old)| {
            let settled = change(Draft::of(old, self.rules(topic))).settle(&alive)?;
            Some(changed(topic, partition, settled))
        });
        changed.collect()
    }
}

fn changed(topic: &str, partition: i32, (election, state): (Option<Election>, PartitionImage)) -> MetadataRecord {
    MetadataRecord::PartitionChange { topic: topic.to_owned(), partition, election, state }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topics_config_goes_before_the_clusters_and_that_before_the_property() {
        let mut image = cluster::of("1 2 3", "t 1,2,3 isr=1,2,3");
        let defaults = Configs::from([(MIN_ISR.to_owned(), "4".to_owned())]);
        let min_isr = |image: &ClusterImage| View { image, defaults: &defaults }.rules("t").min_isr;
        assert_eq!(min_isr(&image), 4);
        image.default_configs.insert(MIN_ISR.into(), "3".into());
        assert_eq!(min_isr(&image), 3);
        image.topics.get_mut("t").unwrap().configs.insert(MIN_ISR.into(), "2".into());
        assert_eq!(min_isr(&image), 2);
    }

    #[test]
    fn a_config_that_is_no_number_falls_back_to_kafkas_default() {
        let image = cluster::of("1", "t 1 isr=1");
        let defaults = Configs::from([(MIN_ISR.to_owned(), "many".to_owned())]);
        assert_eq!(View { image: &image, defaults: &defaults }.rules("t").min_isr, 1);
    }
}
