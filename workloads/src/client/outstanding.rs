//! How many records have been handed over and not been reported on, and waiting for that to fall.

use crate::clock::Deadline;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};

/// A count with waiters. One thread hands over, another reports; who reports pays for a waiter only while there is one.
#[derive(Debug, Default)]
pub struct Outstanding {
    count: AtomicU64,
    waiting: AtomicBool,
    lock: Mutex<()>,
    changed: Condvar,
}

impl Outstanding {
    /// One more was handed over.
    pub fn add(&self) {
        self.count.fetch_add(1, Ordering::SeqCst);
    }

    /// One was reported on.
    pub fn done(&self) {
        self.done_all(1);
    }

    /// So many were reported on.
    pub fn done_all(&self, reported: u64) {
        let before = self.count.fetch_sub(reported, Ordering::SeqCst);
        debug_assert!(before >= reported, "reported more than was handed over");
        if self.waiting.load(Ordering::SeqCst) {
            let _guard = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
            self.changed.notify_all();
        }
    }

    /// The count.
    pub fn count(&self) -> u64 {
        self.count.load(Ordering::SeqCst)
    }

    /// Waits until fewer than `limit` are outstanding or until the deadline, and says whether they are. For one waiter.
    pub fn wait_below(&self, limit: u64, until: Deadline) -> bool {
        if self.count() < limit {
            return true;
        }
        let mut guard = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        self.waiting.store(true, Ordering::SeqCst);
        while self.count() >= limit {
            let Some(left) = until.remaining() else { break };
            guard = self.changed.wait_timeout(guard, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        self.waiting.store(false, Ordering::SeqCst);
        self.count() < limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_waiter_goes_on_when_the_last_report_comes() {
        let outstanding = Outstanding::default();
        (0..1000).for_each(|_| outstanding.add());
        std::thread::scope(|scope| {
            scope.spawn(|| (0..1000).for_each(|_| outstanding.done()));
            assert!(outstanding.wait_below(1, Deadline::in_ms(10_000)));
        });
    }

    #[test]
    fn a_waiter_gives_up_at_the_deadline() {
        let outstanding = Outstanding::default();
        outstanding.add();
        assert!(!outstanding.wait_below(1, Deadline::in_ms(1)));
        assert!(outstanding.wait_below(2, Deadline::in_ms(0)));
    }
}
