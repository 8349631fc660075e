//! Carries proposals for in-sync sets to the controller, and the answers back.
//!
//! **Invariant:** a proposal counts as refused only if it certainly did not and will not take effect. While nobody can
//! tell, the partition goes on counting both sets; the controller's next state of the partition decides.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use crate::metadata::rpc::IsrProposal;
use crate::metadata::{ControllerClient, ControllerError, PartitionImage};
use crate::partition::{Partition, Proposal};

const BATCH_MAX: usize = 256;
const RETRY: Duration = Duration::from_millis(50);
const DOUBTS_MAX: u32 = 10;

/// Where proposals are dropped.
#[derive(Clone, Debug)]
pub struct IsrChanges(mpsc::UnboundedSender<Change>);

/// Takes what was dropped to the controller.
pub struct Carrier {
    changes: mpsc::UnboundedReceiver<Change>,
    open: Vec<Change>,
}

#[derive(Debug)]
struct Change {
    partition: Arc<Partition>,
    proposal: Proposal,
    /// Attempts of which nobody knows what became of them.
    doubts: u32,
}

/// A new pair. Of each partition at most one proposal is under way, so the queue is bounded by their number.
pub fn channel() -> (IsrChanges, Carrier) {
    let (sender, changes) = mpsc::unbounded_channel();
    (IsrChanges(sender), Carrier { changes, open: Vec::new() })
}

impl IsrChanges {
    /// Sends a proposal on its way.
    pub fn propose(&self, partition: Arc<Partition>, proposal: Proposal) {
        let _carrier_gone = self.0.send(Change { partition, proposal, doubts: 0 });
    }
}

impl Carrier {
    /// Carries for ever.
    pub async fn run(mut self, controller: ControllerClient) {
        loop {
            if !self.gather().await {
                return;
            }
            let batch: Vec<IsrProposal> = self.open.iter().map(Change::ask).collect();
            match controller.alter_partition(batch).await {
                Ok(answers) => {
                    let open = std::mem::take(&mut self.open);
                    self.open =
                        open.into_iter().zip(answers).filter_map(|(change, answer)| change.settle(answer)).collect();
                }
                Err(ControllerError::Timeout) => self.open.iter_mut().for_each(|change| change.doubts += 1),
                Err(_) => {}
            }
        }
    }

    /// Waits for proposals; false when nobody can make any more. Open ones are tried again after a while.
    async fn gather(&mut self) -> bool {
        self.open.retain(|change| change.partition.awaits(&change.proposal));
        if self.open.is_empty() {
            return match self.changes.recv().await {
                Some(change) => {
                    self.open.push(change);
                    self.take_waiting();
                    true
                }
                None => false,
            };
        }
        if let Ok(Some(change)) = timeout_at(Instant::now() + RETRY, self.changes.recv()).await {
            self.open.push(change);
        }
        self.take_waiting();
        true
    }

    fn take_waiting(&mut self) {
        while self.open.len() < BATCH_MAX
            && let Ok(change) = self.changes.try_recv()
        {
            self.open.push(change);
        }
    }
}

impl Change {
    fn ask(&self) -> IsrProposal {
        IsrProposal {
            topic: self.partition.topic_id(),
            partition: self.partition.id().index,
            leader_epoch: self.proposal.leader_epoch,
            partition_epoch: self.proposal.partition_epoch,
            isr: self.proposal.isr.clone(),
            recovery: false,
        }
    }

    /// What is left to do: none, or the same again.
    fn settle(mut self, answer: Result<PartitionImage, ControllerError>) -> Option<Change> {
        match answer {
            Ok(state) => {
                let _disk_failure_is_found_by_the_next_append = self.partition.apply(&state);
                None
            }
            // The partition has moved on; its newer state is on its way to this broker.
            Err(ControllerError::InvalidUpdateVersion | ControllerError::FencedLeaderEpoch) => None,
            Err(ControllerError::Timeout | ControllerError::NotController(_)) => {
                self.doubts += 1;
                Some(self)
            }
            // Refused now; but an earlier attempt may still be on its way, so ask until it would have arrived.
            Err(_) if self.doubts > 0 && self.doubts < DOUBTS_MAX => {
                self.doubts += 1;
                Some(self)
            }
            Err(_) => {
                self.partition.refused(&self.proposal);
                None
            }
        }
    }
}
