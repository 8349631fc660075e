//! After the load: the final read, the replicas' logs, one history, and what is thrown away of the rest.

use super::bring_up::Cluster;
use super::clients::Clients;
use crate::commands::Failure;
use crate::judging::Files;
use crate::scenario::Scenario;
use crate::settings::Owner;
use results::arrow::{history::write_history, replicas::write_replicas};
use results::{FileError, RunFolder};
use std::time::Duration;
use workloads::clock::Deadline;
use workloads::drain::{DrainReport, WINDOW_BYTES, drain as read_all, settle};
use workloads::finals;
use workloads::journal::Journal;
use workloads::workload::Need;

/// How long a node may take to end in an orderly way.
pub const STOP_DEADLINE: Duration = Duration::from_secs(10);
const WHOLE_MS_MAX: u64 = 20_000;
const DRAIN_MS_MAX: u64 = 60_000;
/// Longer than the markers of a transaction may take.
const SETTLE_MS_MAX: u64 = 7_000;

/// Waits until every replica is back in sync, then reads every log from start to end, with the limit that consumers had, and
/// what is to be read beside the logs; says what of the latter could not be read.
pub fn drain(
    cluster: &mut Cluster,
    clients: &Clients,
    folder: &RunFolder,
    (run, scenario): (u64, &Scenario),
) -> Result<(DrainReport, Vec<String>), Failure> {
    let mut wire = cluster.wire();
    let whole = Deadline::in_ms(WHOLE_MS_MAX);
    for logs in cluster.logs.chunk_by(|a, b| a.topic == b.topic) {
        // A cluster that does not become whole is still read: the drain says how far it came.
        let _ = wire.wait_ready(&logs[0].topic, logs.len(), cluster.replication, whole);
    }
    let journal = Journal::create(&folder.journal("drain"), run).map_err(Failure::internal)?;
    let deadline = Deadline::in_ms(DRAIN_MS_MAX);
    let limit = scenario.settings.get(Owner::Consumer, "fetch.message.max.bytes").and_then(|s| s.value.parse().ok());
    let window = limit.unwrap_or(WINDOW_BYTES).clamp(1, WINDOW_BYTES);
    let report =
        read_all(&mut wire, &cluster.logs, deadline, window, (&journal, clients.drain)).map_err(Failure::internal)?;
    if scenario.workload.shape().needs().contains(&Need::Transactions) {
        settle(&mut wire, &cluster.logs, Deadline::in_ms(SETTLE_MS_MAX), (&journal, clients.drain))
            .map_err(Failure::internal)?;
    }
    // As patient as with the logs, however long these took.
    let deadline = Deadline::in_ms(DRAIN_MS_MAX);
    let mut reader =
        finals::Reader { cluster: &mut wire, logs: &cluster.logs, journal: &journal, deadline, unread: Vec::new() };
    for (n, last) in clients.finals.iter().enumerate() {
        reader.deadline = deadline.share((clients.finals.len() - n) as u32);
        reader.read(last).map_err(Failure::internal)?;
    }
    Ok((report, reader.unread))
}

/// Writes `history.arrow` and `replicas.arrow` from journals and disks. The history is last: as long as it is missing,
/// the journals are what is judged.
pub fn gather(folder: &RunFolder) -> Result<(), FileError> {
    let files = Files::read(folder)?;
    if let Some(replicas) = &files.replicas {
        write_replicas(&folder.replicas(), replicas)?;
    }
    files.testimony.write(&folder.evidence())?;
    if files.problems.doubtful() == 0 && files.problems.foreign.is_empty() {
        write_history(&folder.history(), &files.recording)?;
    }
    Ok(())
}

/// Removes what judging no longer needs: the journals, now merged, and, unless `keep_data`, the brokers' logs.
pub fn tidy(folder: &RunFolder, keep_data: bool) {
    let merged = folder.history().exists();
    for journal in super::tally::journals_in(&folder.journals()).iter().filter(|_| merged) {
        let _ = std::fs::remove_file(journal);
    }
    // Goes only if nothing was put there.
    let _ = std::fs::remove_dir(folder.configs());
    let brokers = std::fs::read_dir(folder.brokers()).into_iter().flatten().flatten();
    for data in brokers.map(|b| b.path().join("data")).filter(|_| !keep_data) {
        let _ = std::fs::remove_dir_all(data);
    }
}
