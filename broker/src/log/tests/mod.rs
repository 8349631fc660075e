//! Tests of the log as a whole. What is pure is tested beside it.

mod append;
mod batch;
mod batches;
mod checkpoint;
mod compaction;
mod epochs;
mod keeping;
mod lifecycle;
mod model;
mod planted;
mod producers;
mod recovery;
mod transactions;

use super::{AppendError, Appended, LeaderEpoch, Log, LogConfig, Offset, Opening, Origin, Recovery, Stop};
use batches::Spec;
use std::path::Path;

/// The clock of these tests.
const NOW_MS: i64 = 1_700_000_000_000;

fn open(dir: &Path, config: &LogConfig) -> (Log, Recovery) {
    open_as(dir, config, Stop::Unclean, Offset(0))
}

fn open_as(dir: &Path, config: &LogConfig, stop: Stop, recovery_point: Offset) -> (Log, Recovery) {
    let high_watermark = Offset(i64::MAX);
    let opening = Opening { stop, recovery_point, log_start: Offset(0), high_watermark, now_ms: NOW_MS };
    Log::open(dir, config.clone(), opening).unwrap()
}

/// Appends as the leader of epoch `epoch`, for a client, at [`NOW_MS`].
fn lead(log: &mut Log, epoch: i32, spec: &Spec) -> Result<Appended, AppendError> {
    log.append_as_leader(&mut spec.bytes(), LeaderEpoch(epoch), Origin::Client, NOW_MS)
}

/// Everything from `from` to the end.
fn read_all(log: &Log, from: Offset) -> Vec<u8> {
    let (mut all, mut at) = (Vec::new(), from);
    loop {
        let bytes = log.read(at, 1 << 20, Offset(i64::MAX), true).unwrap();
        let Some(last) = super::batch::Batches::new(&bytes).last() else { return all };
        at = last.unwrap().header.next_offset();
        all.extend_from_slice(&bytes);
    }
}

/// A folder in memory where there is one: these tests are about bytes, and syncing them to a disk takes all the time.
fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}
