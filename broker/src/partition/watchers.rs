//! Who waits for a partition to change: held fetches, and producers that asked for acks=all.
//!
//! **Invariant:** a waiter registers before it looks, so no change falls between its look and its wait. A wake-up is a
//! hint to look again, never an answer. A waiter that is dropped leaves the list.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::ids::Offset;

/// What a waiter wants to hear of. Any change of the partition's role wakes everybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interest {
    /// The log's end is beyond this offset.
    EndBeyond(Offset),
    /// The high watermark has reached this offset.
    Committed(Offset),
    /// Every living replica's log starts at this offset or beyond.
    DeletedTo(Offset),
}

/// What happened.
#[derive(Clone, Copy, Debug)]
pub enum Change {
    /// The log's end moved here.
    End(Offset),
    /// The high watermark moved here.
    HighWatermark(Offset),
    /// The lowest start among the living replicas moved here.
    LowWatermark(Offset),
    /// The partition has another role, ISR or state; everybody must look.
    Role,
}

impl Interest {
    fn concerns(self, change: Change) -> bool {
        match (self, change) {
            (_, Change::Role) => true,
            (Interest::EndBeyond(offset), Change::End(end)) => end > offset,
            (Interest::Committed(offset), Change::HighWatermark(high_watermark)) => high_watermark >= offset,
            (Interest::DeletedTo(offset), Change::LowWatermark(low_watermark)) => low_watermark >= offset,
            _ => false,
        }
    }
}

/// The waiters of one partition.
#[derive(Debug, Default)]
pub struct Watchers {
    next: AtomicU64,
    list: Mutex<Vec<(u64, Interest, Arc<Notify>)>>,
}

/// Keeps a waiter on the list.
pub struct Watch {
    of: Arc<Watchers>,
    number: u64,
}

impl Watchers {
    /// Wakes `notify` at every change that concerns it, until the watch is dropped.
    pub fn watch(self: &Arc<Self>, interest: Interest, notify: &Arc<Notify>) -> Watch {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.list().push((number, interest, notify.clone()));
        Watch { of: self.clone(), number }
    }

    /// Tells those concerned.
    pub fn tell(&self, change: Change) {
        for (_, _, notify) in self.list().iter().filter(|(_, interest, _)| interest.concerns(change)) {
            notify.notify_one();
        }
    }

    fn list(&self) -> MutexGuard<'_, Vec<(u64, Interest, Arc<Notify>)>> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut list = self.of.list();
        if let Some(place) = list.iter().position(|(number, _, _)| *number == self.number) {
            list.swap_remove(place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::Future;
    use std::task::{Context, Poll, Waker};

    fn woken(notify: &Notify) -> bool {
        let mut wait = Box::pin(notify.notified());
        wait.as_mut().poll(&mut Context::from_waker(Waker::noop())) == Poll::Ready(())
    }

    #[test]
    fn a_waiter_hears_of_what_concerns_it_and_of_nothing_else() {
        let (watchers, notify) = (Arc::new(Watchers::default()), Arc::new(Notify::new()));
        let watch = watchers.watch(Interest::Committed(Offset(5)), &notify);
        watchers.tell(Change::HighWatermark(Offset(4)));
        watchers.tell(Change::End(Offset(9)));
        assert!(!woken(&notify));
        watchers.tell(Change::HighWatermark(Offset(5)));
        assert!(woken(&notify));
        watchers.tell(Change::Role);
        assert!(woken(&notify));
        drop(watch);
        watchers.tell(Change::Role);
        assert!(!woken(&notify));
    }

    #[test]
    fn a_change_before_the_wait_is_not_lost() {
        let (watchers, notify) = (Arc::new(Watchers::default()), Arc::new(Notify::new()));
        let _watch = watchers.watch(Interest::EndBeyond(Offset(5)), &notify);
        watchers.tell(Change::End(Offset(6)));
        assert!(woken(&notify));
    }
}
