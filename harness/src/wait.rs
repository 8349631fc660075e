//! Waiting for a condition with a deadline: the only place of the harness in which a thread sleeps.

use std::time::{Duration, Instant};

const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// Asks `condition` until it answers or `deadline` has passed; at least once. `None`: the deadline passed.
pub fn until<T>(deadline: Duration, mut condition: impl FnMut() -> Option<T>) -> Option<T> {
    let started = Instant::now();
    loop {
        if let Some(found) = condition() {
            return Some(found);
        }
        let left = deadline.checked_sub(started.elapsed())?;
        pause(left.min(POLL_INTERVAL));
    }
}

/// Gives the processor away for at most `time`; the caller's loop has its own condition and deadline.
#[allow(clippy::disallowed_methods, reason = "the one sleep that waiting is made of")]
pub fn pause(time: Duration) {
    std::thread::sleep(time);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_that_holds_is_not_waited_for() {
        assert_eq!(until(Duration::ZERO, || Some(1)), Some(1));
    }

    #[test]
    fn a_condition_that_never_holds_ends_at_the_deadline() {
        assert_eq!(until(Duration::from_millis(1), || None::<()>), None);
    }
}
