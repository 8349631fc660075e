//! The replicas a broker keeps: opened at the start, then opened, given roles and removed as the cluster image says.
//!
//! **Invariants.** A folder is used only for the topic whose id is written in it; a topic created again under an old name
//! starts with an empty log. A replica is removed only by an image that names its topic gone, renamed or moved, never
//! because the image is not there yet.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError, RwLock};

use crate::bugs::Bug;
use crate::clock;
use crate::config::{Config, Layers, TopicConfig};
use crate::coordinator::topic::INTERNAL;
use crate::coordinator::{Stored, batch};
use crate::evidence::Event;
use crate::evidence::Events;
use crate::ids::{Offset, TopicPartition};
use crate::log::{Log, LogConfig, LogError, Opening, Origin, Stop};
use crate::metadata::{ClusterImage, TopicId, TopicImage};
use crate::partition::{Context, Duty, Partition};
use crate::storage::{Checkpoints, Storage, StorageError};

/// See the module.
pub struct Replicas {
    storage: Storage,
    context: Arc<Context>,
    topics: RwLock<HashMap<String, Topic>>,
}

#[derive(Default)]
struct Topic {
    id: TopicId,
    partitions: BTreeMap<i32, Arc<Partition>>,
}

/// A log folder whose logs are open, and nobody's yet.
pub struct Recovered {
    storage: Storage,
    logs: Vec<(TopicPartition, TopicId, Log)>,
}

impl Recovered {
    /// Opens every log found in the folder, recovering those that need it.
    ///
    /// # Errors
    /// [`StorageError`]: the folder is unusable.
    pub fn open(storage: Storage, config: &Config, events: &Events) -> Result<Recovered, StorageError> {
        let settings = config.plain_topic();
        let mut logs = Vec::new();
        for (id, topic_id) in storage.found()? {
            let known = storage.known(&id);
            let log = open_log(&storage, &id, (known, storage.stop()), &settings.log, events)?;
            logs.push((id, topic_id, log));
        }
        Ok(Recovered { storage, logs })
    }
}

impl Replicas {
    /// The replicas of recovered logs, without roles yet.
    pub fn new(recovered: Recovered, context: Arc<Context>) -> Replicas {
        let replicas = Replicas { storage: recovered.storage, context, topics: RwLock::default() };
        for (id, topic_id, log) in recovered.logs {
            let high_watermark = replicas.storage.known(&id).high_watermark;
            replicas.insert(id, topic_id, log, high_watermark);
        }
        replicas
    }

    /// The replica of a partition.
    pub fn find(&self, topic: &str, index: i32) -> Option<Arc<Partition>> {
        self.read().get(topic)?.partitions.get(&index).cloned()
    }

    /// Every replica.
    pub fn all(&self) -> Vec<Arc<Partition>> {
        self.read().values().flat_map(|topic| topic.partitions.values().cloned()).collect()
    }

    /// Follows an image: opens what is new, removes what is gone, gives every replica its role. Answers what each is
    /// to do now.
    ///
    /// # Errors
    /// [`LogError`]: the log folder is unusable.
    pub fn apply(&self, image: &ClusterImage, config: &Config) -> Result<Vec<(Arc<Partition>, Duty)>, LogError> {
        self.remove_gone(image)?;
        let mut duties = Vec::new();
        let layers = Layers::of(config, image);
        for (name, topic) in &image.topics {
            self.apply_topic(name, topic, layers, &mut duties)?;
        }
        Ok(duties)
    }

    fn apply_topic(
        &self,
        name: &str,
        topic: &TopicImage,
        layers: Layers<'_>,
        duties: &mut Vec<(Arc<Partition>, Duty)>,
    ) -> Result<(), LogError> {
        let mine = (0..).zip(&topic.partitions).filter(|(_, state)| state.replicas.contains(&self.context.me));
        let settings = layers.with_topic(&topic.configs).resolve();
        for (index, state) in mine {
            let partition = match self.find(name, index) {
                Some(partition) => partition,
                None => self.create(TopicPartition { topic: name.to_owned(), index }, topic.id, &settings)?,
            };
            partition.configure(&settings);
            let reign = partition.reign();
            let duty = partition.apply(state)?;
            if self.context.bugs.has(Bug::EpochRecordVisible) && partition.reign() > reign {
                epoch_record(&partition);
            }
            duties.push((partition, duty));
        }
        Ok(())
    }

    fn create(&self, id: TopicPartition, topic_id: TopicId, config: &TopicConfig) -> Result<Arc<Partition>, LogError> {
        self.storage.create(&id, topic_id)?;
        let nothing = (Checkpoints::default(), Stop::Clean);
        let log = open_log(&self.storage, &id, nothing, &config.log, &self.context.events)?;
        Ok(self.insert(id, topic_id, log, Offset(0)))
    }

    fn insert(&self, id: TopicPartition, topic_id: TopicId, log: Log, high_watermark: Offset) -> Arc<Partition> {
        let partition = Partition::new(id.clone(), topic_id, log, high_watermark, self.context.clone());
        let Checkpoints { high_watermark, log_start: start, .. } = partition.checkpoint();
        let (end, clean) = (partition.end_offset(), self.storage.stop() == Stop::Clean);
        self.context.events.emit(Event::Opened { partition: id.clone(), start, end, high_watermark, clean });
        let partition = Arc::new(partition);
        let mut topics = self.topics.write().unwrap_or_else(PoisonError::into_inner);
        let topic = topics.entry(id.topic).or_default();
        topic.id = topic_id;
        topic.partitions.insert(id.index, partition.clone());
        partition
    }

    fn remove_gone(&self, image: &ClusterImage) -> Result<(), LogError> {
        let stays = |name: &str, id: TopicId, index: i32| {
            let topic = image.topics.get(name).filter(|topic| topic.id == id);
            topic
                .and_then(|topic| topic.partition(index))
                .is_some_and(|state| state.replicas.contains(&self.context.me))
        };
        let gone: Vec<Arc<Partition>> = {
            let mut topics = self.topics.write().unwrap_or_else(PoisonError::into_inner);
            let gone = topics.iter_mut().flat_map(|(name, topic)| {
                let id = topic.id;
                topic
                    .partitions
                    .extract_if(.., move |index, _| !stays(name, id, *index))
                    .map(|(_, partition)| partition)
            });
            let gone = gone.collect();
            topics.retain(|_, topic| !topic.partitions.is_empty());
            gone
        };
        for partition in gone {
            partition.retire();
            self.storage.remove(partition.id())?;
            self.context.events.emit(Event::Removed { partition: partition.id().clone() });
        }
        Ok(())
    }

    /// Writes the checkpoints of every replica.
    ///
    /// # Errors
    /// [`LogError`]: the log folder is unusable.
    pub fn checkpoint(&self) -> Result<(), LogError> {
        let all = self.all();
        let known = all.iter().map(|partition| (partition.id(), partition.checkpoint()));
        self.storage.checkpoint(known.map(|(id, known)| (id.clone(), known)).collect())
    }

    /// Syncs and closes every replica, and notes it; true if all of them could be closed in order.
    pub fn close(&self) -> bool {
        let topics = std::mem::take(&mut *self.topics.write().unwrap_or_else(PoisonError::into_inner));
        let partitions = topics.into_values().flat_map(|topic| topic.partitions.into_values());
        let closed: Option<BTreeMap<TopicPartition, Checkpoints>> = partitions.map(close_one).collect();
        closed.is_some_and(|closed| self.storage.checkpoint(closed).is_ok())
    }

    /// The log folder.
    pub fn storage(&self) -> &Storage {
        &self.storage
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, HashMap<String, Topic>> {
        self.topics.read().unwrap_or_else(PoisonError::into_inner)
    }
}

fn open_log(
    storage: &Storage,
    id: &TopicPartition,
    (known, stop): (Checkpoints, Stop),
    config: &LogConfig,
    events: &Events,
) -> Result<Log, LogError> {
    let Checkpoints { high_watermark, recovery_point, log_start, clean_until } = known;
    let opening = Opening { stop, recovery_point, log_start, high_watermark, now_ms: clock::wall_ms() };
    let (mut log, recovery) = Log::open(&storage.folder(id), config.clone(), opening)?;
    log.set_clean_until(clean_until);
    if let Some(cut) = recovery.cut {
        events.emit(Event::RecoveryCut {
            partition: id.clone(),
            from_bytes: cut.from_bytes + cut.later_bytes,
            to_bytes: cut.to_bytes,
            end: cut.end,
            why: cut.why.to_string(),
        });
    }
    recovery.findings.iter().for_each(|finding| events.note(format!("{id}: {finding}")));
    Ok(log)
}

/// Closes a replica nobody else holds; what is to be known of it afterwards.
fn close_one(partition: Arc<Partition>) -> Option<(TopicPartition, Checkpoints)> {
    let partition = Arc::into_inner(partition)?;
    let (id, end) = (partition.id().clone(), partition.end_offset());
    let known = partition.checkpoint();
    partition.close().ok()?;
    Some((id, Checkpoints { recovery_point: end, ..known }))
}
/// Only for the planted bug: what a new leader begins with, where consumers see it.
fn epoch_record(partition: &Partition) {
    if !INTERNAL.contains(&partition.id().topic.as_str()) {
        let record = Stored { key: b"epoch".to_vec(), value: Some(b"begins".to_vec()) };
        let mut batch = batch::encode(&[record], None, clock::wall_ms());
        let _not_its_turn = partition.append(&mut batch, false, Origin::Coordinator);
    }
}
