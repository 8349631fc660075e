//! fsync as `flush.messages` and `flush.ms` ask, without holding the partition's lock.
//!
//! One sync runs at a time; whatever was appended meanwhile shares the next one (group commit). With `flush.messages=1`
//! nothing is shown to followers or acknowledged before it is on disk (`Inner::visible_end`). With larger values the
//! sync happens in the background and nobody waits, as in Kafka. A failed sync is never repeated: the node halts.

use std::sync::Arc;

use super::Partition;
use super::watchers::Change;
use crate::clock;
use crate::log::{FlushTicket, LogError};

impl Partition {
    /// Whether records wait to be synced.
    pub fn sync_is_due(&self) -> bool {
        self.lock().log.flush_due(clock::wall_ms())
    }

    /// Begins a sync if one is due and none is running.
    pub fn begin_sync(&self) -> Option<FlushTicket> {
        let mut inner = self.lock();
        if inner.syncing || !inner.log.flush_due(clock::wall_ms()) {
            return None;
        }
        inner.syncing = true;
        Some(inner.log.flush_ticket())
    }

    /// Ends a sync: what it covered may now be seen. Begins the next one if it is due already.
    pub fn synced(&self, ticket: &FlushTicket) -> Option<FlushTicket> {
        let mut inner = self.lock();
        inner.log.flushed(ticket, clock::wall_ms());
        inner.syncing = false;
        let end = inner.visible_end();
        let committed = self.advance(&mut inner);
        drop(inner);
        self.watchers.tell(Change::End(end));
        committed.into_iter().for_each(|change| self.watchers.tell(change));
        self.begin_sync()
    }

    /// Syncs as long as it is due. Blocks.
    ///
    /// # Errors
    /// [`LogError`]: fatal.
    pub fn sync_while_due(self: &Arc<Self>) -> Result<(), LogError> {
        let mut next = self.begin_sync();
        while let Some(ticket) = next {
            if let Err(error) = ticket.sync() {
                return if self.lock().is_retired() { Ok(()) } else { Err(error) };
            }
            next = self.synced(&ticket);
        }
        Ok(())
    }
}
