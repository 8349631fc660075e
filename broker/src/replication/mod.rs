//! Followers: one fetcher for each broker that leads something this one follows.
//!
//! **Invariant:** a replica is fetched from at most one leader, in one epoch; what arrives is taken only if the replica
//! still follows in that epoch (the partition checks under its lock), so a late answer of a deposed leader changes nothing.

mod assignments;
mod fetcher;
pub mod isr;
pub mod peer;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::config::ReplicaConfig;
use crate::evidence::Events;
use crate::halt::Halt;
use crate::ids::{NodeId, TopicPartition};
use crate::metadata::{ClusterImage, Standing};
use crate::partition::{Duty, Partition};
use crate::replicas::Replicas;
use assignments::Assignments;

/// What every fetcher needs.
#[derive(Clone)]
pub struct Setting {
    /// This broker.
    pub me: NodeId,
    /// How to fetch.
    pub replica: ReplicaConfig,
    /// Largest answer taken.
    pub answer_bytes_max: usize,
    /// Where the leaders are.
    pub image: watch::Receiver<Arc<ClusterImage>>,
    /// This broker's epoch.
    pub standing: watch::Receiver<Standing>,
    /// Where events go.
    pub events: Events,
    /// All replicas here, for their checkpoints.
    pub replicas: Arc<Replicas>,
    /// Told of failures of the disk.
    pub halt: Halt,
}

impl Setting {
    fn answer_patience(&self) -> Duration {
        self.replica.socket_timeout + self.replica.fetch_wait_max
    }
}

/// See the module.
pub struct Fetchers {
    setting: Setting,
    running: Mutex<HashMap<NodeId, Running>>,
}

struct Running {
    assignments: Arc<Assignments>,
    task: JoinHandle<()>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Fetchers {
    /// No fetchers yet.
    pub fn new(setting: Setting) -> Fetchers {
        Fetchers { setting, running: Mutex::default() }
    }

    /// Makes the fetchers do exactly what the replicas have to do.
    pub fn assign(&self, duties: &[(Arc<Partition>, Duty)]) {
        let mut wanted: HashMap<NodeId, HashMap<TopicPartition, assignments::Assignment>> = HashMap::new();
        for (partition, duty) in duties {
            if let Duty::Follow(leader, epoch) = duty {
                let assignment = assignments::Assignment::new(partition.clone(), *epoch);
                wanted.entry(*leader).or_default().insert(partition.id().clone(), assignment);
            }
        }
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.retain(|leader, _| wanted.contains_key(leader));
        for (leader, wanted) in wanted {
            let fetcher = running.entry(leader).or_insert_with(|| self.start(leader));
            fetcher.assignments.replace(wanted);
        }
    }

    /// Ends every fetcher and waits until none touches a replica any more.
    pub async fn stop(&self) {
        let running = std::mem::take(&mut *self.running.lock().unwrap_or_else(PoisonError::into_inner));
        for (_, mut fetcher) in running {
            fetcher.task.abort();
            let _aborted = (&mut fetcher.task).await;
        }
    }

    fn start(&self, leader: NodeId) -> Running {
        let assignments = Arc::new(Assignments::default());
        let fetcher = fetcher::Fetcher::new(self.setting.clone(), leader, assignments.clone());
        Running { assignments, task: tokio::spawn(fetcher.run()) }
    }
}
