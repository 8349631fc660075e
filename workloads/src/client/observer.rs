//! Looks at the cluster from outside, over time: who leads each log since which epoch, who is in sync, and how far the log is.
//!
//! A line of `cluster.jsonl` a log and look, for people and pictures; never judged: what is judged goes through the journal. What
//! was not told in time is absent from the line.

use super::status::{Counts, Tally};
use super::{ClientError, Context, failed};
use crate::clock::{self, Deadline};
use crate::spec::{LogPlace, ObserverSpec};
use crate::wire::{Cluster, Isolation, OffsetAt, PartitionView};
use history::{LogId, Offset};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write;
use std::sync::atomic::Ordering;

const LOOK_MS_MAX: u64 = 400;

/// A line of the file.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Look {
    /// CLOCK_MONOTONIC, ns.
    pub at: u64,
    /// Which log.
    pub log: LogId,
    /// Who leads it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leader: Option<i32>,
    /// Since which epoch.
    pub epoch: i32,
    /// Who is in sync.
    pub isr: Vec<i32>,
    /// High watermark.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub high_watermark: Option<i64>,
    /// Last stable offset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_stable: Option<i64>,
    /// One past the leader's last record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_end: Option<i64>,
}

/// Runs an observer until the process is asked to stop.
pub fn run(context: &Context, spec: &ObserverSpec) -> Result<Tally, ClientError> {
    let mut file =
        OpenOptions::new().create(true).append(true).open(&spec.path).map_err(|e| failed("open", &spec.path, e))?;
    let (counts, mut cluster) = (Counts::default(), Cluster::new(&context.spec.bootstrap, &context.spec.name));
    while !context.stop.wait(Deadline::in_ms(spec.interval_ms)) {
        for place in &context.spec.logs {
            let Some(view) = view_of(&mut cluster, place) else { continue };
            let look = look(&mut cluster, place, &view);
            let mut line = serde_json::to_vec(&look).unwrap_or_default();
            line.push(b'\n');
            file.write_all(&line).map_err(|e| failed("write", &spec.path, e))?;
            counts.sent.fetch_add(1, Ordering::Relaxed);
            if context.stop.asked() {
                break;
            }
        }
    }
    let looks = counts.sent.load(Ordering::Relaxed);
    Ok(counts.tally(spec.process, looks, 0))
}

fn view_of(cluster: &mut Cluster, place: &LogPlace) -> Option<PartitionView> {
    let view = cluster.metadata(Some(&[&place.topic]), Deadline::in_ms(LOOK_MS_MAX)).ok()?;
    let partitions: BTreeMap<i32, PartitionView> =
        view.topics.into_iter().flat_map(|t| t.partitions).map(|p| (p.partition, p)).collect();
    partitions.get(&place.partition).cloned()
}

fn look(cluster: &mut Cluster, place: &LogPlace, view: &PartitionView) -> Look {
    let mut told = |at| {
        let deadline = Deadline::in_ms(LOOK_MS_MAX);
        cluster.list_offset(&place.topic, place.partition, at, deadline).ok().map(|Offset(offset)| offset)
    };
    let high_watermark = told(OffsetAt::Latest(Isolation::ReadUncommitted));
    let last_stable = told(OffsetAt::Latest(Isolation::ReadCommitted));
    let end = cluster.epoch_end(&place.topic, place.partition, view.epoch, Deadline::in_ms(LOOK_MS_MAX));
    Look {
        at: clock::now().0,
        log: place.id,
        leader: view.leader.map(|node| node.0),
        epoch: view.epoch.0,
        isr: view.in_sync.iter().map(|node| node.0).collect(),
        high_watermark,
        last_stable,
        log_end: end.ok().map(|(_, Offset(end))| end).filter(|end| *end >= 0),
    }
}
