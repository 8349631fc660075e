//! The wish that a client process end, and the only way its threads wait for time to pass.

use crate::clock::Deadline;
use std::sync::{Condvar, Mutex, PoisonError};

/// Asked once, never taken back.
#[derive(Debug, Default)]
pub struct Stop {
    asked: Mutex<bool>,
    changed: Condvar,
}

impl Stop {
    /// Asks for the end.
    pub fn ask(&self) {
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_all();
    }

    /// True once asked.
    pub fn asked(&self) -> bool {
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until asked or until the deadline, and says whether it was asked.
    pub fn wait(&self, until: Deadline) -> bool {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        while !*asked {
            let Some(left) = until.remaining() else { return false };
            asked = self.changed.wait_timeout(asked, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }
}
