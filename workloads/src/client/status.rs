//! What a client process says of itself when it ends: counts, for people and for floors. Never evidence; that is the journal.

use history::{Outcome, ProcessId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::{fs, io};

/// Kinds of errors counted apart; those beyond are counted together.
const ERROR_KINDS_MAX: usize = 64;

/// What a process did.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Status {
    /// As in its specification.
    pub name: String,
    /// One for each of its roles, in their order.
    pub roles: Vec<Tally>,
}

/// What one role did.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Tally {
    /// Who it is in the history.
    pub process: ProcessId,
    /// Operations its load's plan wanted until it ended.
    pub intended: u64,
    /// Operations handed over.
    pub sent: u64,
    /// Of those, how many more than 1 ms behind the plan.
    pub late: u64,
    /// Times a full queue made it wait.
    pub queue_full_waits: u64,
    /// Known to have happened.
    pub ok: u64,
    /// Known not to have happened.
    pub fail: u64,
    /// Reported, and not known.
    pub unknown: u64,
    /// Never reported.
    pub open: u64,
    /// Records read.
    pub records: u64,
    /// From the first operation wanted to the last one reported, ns; 0 where nobody took the time.
    #[serde(default)]
    pub worked_ns: u64,
    /// Errors by name, as the client library put them.
    pub errors: BTreeMap<String, u64>,
    /// Why it ended before it was asked to, if it did for a reason of its own.
    pub ended_by: Option<String>,
}

impl Status {
    /// Writes it as JSON, whole or not at all.
    pub fn save(&self, path: &Path) -> io::Result<()> {
        let unfinished = path.with_extension("json.tmp");
        fs::write(&unfinished, serde_json::to_vec_pretty(self)?)?;
        fs::rename(unfinished, path)
    }

    /// Reads what [`Status::save`] wrote.
    pub fn load(path: &Path) -> io::Result<Status> {
        Ok(serde_json::from_slice(&fs::read(path)?)?)
    }
}

/// Counts of a role while it runs, shared with its library's callbacks.
#[derive(Debug, Default)]
pub struct Counts {
    /// See [`Tally`].
    pub sent: AtomicU64,
    /// See [`Tally`].
    pub late: AtomicU64,
    /// See [`Tally`].
    pub queue_full_waits: AtomicU64,
    /// See [`Tally`].
    pub records: AtomicU64,
    /// See [`Tally`].
    pub worked_ns: AtomicU64,
    outcomes: [AtomicU64; 3],
    errors: Mutex<BTreeMap<String, u64>>,
    ended_by: Mutex<Option<String>>,
}

impl Counts {
    /// Counts the outcome of one operation.
    pub fn outcome(&self, outcome: Outcome) {
        self.outcomes[outcome as usize - 1].fetch_add(1, Ordering::Relaxed);
    }

    /// Counts an error by its name.
    pub fn error(&self, name: &str) {
        let mut errors = self.errors.lock().unwrap_or_else(PoisonError::into_inner);
        let full = errors.len() >= ERROR_KINDS_MAX && !errors.contains_key(name);
        *errors.entry(if full { "others" } else { name }.to_owned()).or_insert(0) += 1;
    }

    /// Notes why the role ends by itself; the first reason stays.
    pub fn end(&self, why: String) {
        self.ended_by.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(why);
    }

    /// True once [`Counts::end`] was called.
    pub fn ended(&self) -> bool {
        self.ended_by.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// The counts as they stand.
    pub fn tally(&self, process: ProcessId, intended: u64, open: u64) -> Tally {
        let read = |c: &AtomicU64| c.load(Ordering::Relaxed);
        let [ok, fail, unknown] = [0, 1, 2].map(|n: usize| read(&self.outcomes[n]));
        Tally {
            process,
            intended,
            sent: read(&self.sent),
            late: read(&self.late),
            queue_full_waits: read(&self.queue_full_waits),
            ok,
            fail,
            unknown,
            open,
            records: read(&self.records),
            worked_ns: read(&self.worked_ns),
            errors: self.errors.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            ended_by: self.ended_by.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }
}
