//! Tells a long poll that further requests wait behind it on the same connection.
//!
//! Answers go out in the order of the requests, so a held fetch would hold up everything behind it. A call that waits
//! for data ends its wait once a later call has arrived. Kafka makes the later one wait; no client can tell, since a
//! fetch may always come back early.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Notify;

/// Counts the calls of one connection.
#[derive(Debug, Default)]
pub struct Hurry {
    received: AtomicU64,
    changed: Notify,
}

impl Hurry {
    /// Counts one more call and gives its number.
    pub fn count(&self) -> u64 {
        let number = self.received.fetch_add(1, Ordering::SeqCst) + 1;
        self.changed.notify_waiters();
        number
    }

    /// Waits until a call after `number` has arrived.
    pub async fn behind(&self, number: u64) {
        loop {
            let changed = self.changed.notified();
            if self.received.load(Ordering::SeqCst) > number {
                return;
            }
            changed.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::Future;
    use std::task::{Context, Poll, Waker};

    #[test]
    fn a_call_hears_of_the_next_one_and_not_of_itself() {
        let hurry = Hurry::default();
        let first = hurry.count();
        let mut wait = Box::pin(hurry.behind(first));
        let mut context = Context::from_waker(Waker::noop());
        assert_eq!(wait.as_mut().poll(&mut context), Poll::Pending);
        hurry.count();
        assert_eq!(wait.as_mut().poll(&mut context), Poll::Ready(()));
    }
}
