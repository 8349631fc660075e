//! The right to answer as a leader, as long as the controller cannot have given it to somebody else.
//!
//! The controller fences a broker no sooner than a session timeout after it *received* the last heartbeat. The lease
//! counts the same time from when the broker *sent* that heartbeat, so it ends first. A leader that was paused or cut
//! off therefore knows, by its own clock alone, that it may have been deposed, and answers NOT_LEADER_OR_FOLLOWER
//! instead of serving a stale log.
//!
//! A leader may also be deposed without being fenced. If it stays in the ISR, its successor commits nothing before it
//! has followed; if it leaves because it stops, it gives the lease up first.
//!
//! **This is stricter than Kafka**, whose deposed leaders serve reads (up to their high watermark) and acks=1 writes
//! until they hear of it: see catalogue R06. `stormglass.leader.lease.enable=false` gives Kafka's behaviour.
//!
//! **Invariant:** the clock is CLOCK_BOOTTIME, which counts while the process is stopped and the machine sleeps. Look
//! at the lease *after* reading what is answered: then what was read was true while the lease held.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crate::clock;

/// See the module.
#[derive(Clone, Debug)]
pub struct Lease {
    heard_ns: Arc<AtomicU64>,
    given_up: Arc<AtomicBool>,
    length: Option<Duration>,
}

impl Lease {
    /// A lease that a heartbeat sent at `heard_ns` (boot time; 0 for none) holds for `length`.
    pub fn new(heard_ns: Arc<AtomicU64>, length: Duration) -> Lease {
        Lease { heard_ns, given_up: Arc::default(), length: Some(length) }
    }

    /// A lease that never ends.
    pub fn endless() -> Lease {
        Lease { heard_ns: Arc::default(), given_up: Arc::default(), length: None }
    }

    /// Whether nobody else can lead what this broker leads.
    pub fn held(&self) -> bool {
        self.length.is_none_or(|length| !self.given_up.load(Ordering::Acquire) && self.age() < length)
    }

    /// Ends it for good, before the controller is asked to give all leaderships to others.
    pub fn give_up(&self) {
        self.given_up.store(true, Ordering::Release);
    }

    /// Whether reads are to be strictly up to date.
    pub fn is_strict(&self) -> bool {
        self.length.is_some()
    }

    /// Time since the last answered heartbeat was sent.
    pub fn age(&self) -> Duration {
        Duration::from_nanos(clock::boot_ns().saturating_sub(self.heard_ns.load(Ordering::Acquire)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_is_held_from_the_sending_of_an_answered_heartbeat_and_no_longer() {
        let heard = Arc::new(AtomicU64::new(0));
        let lease = Lease::new(heard.clone(), Duration::from_secs(60));
        heard.store(clock::boot_ns(), Ordering::Release);
        assert!(lease.held());
        heard.store(clock::boot_ns().saturating_sub(61_000_000_000), Ordering::Release);
        assert!(!lease.held());
        assert!(Lease::endless().held());
    }
}
