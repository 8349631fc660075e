//! The embedded broker's `events.jsonl`: one JSON object a line, its event named in kebab-case.

use super::event::What;
use crate::wall::Wall;
use history::{LeaderEpoch, NodeId, Offset};
use serde::Deserialize;

/// A line that matters.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Line {
    /// When.
    pub wall: Wall,
    /// `TOPIC-PARTITION`.
    pub partition: String,
    /// What.
    pub what: What,
}

#[derive(Deserialize)]
struct Raw {
    wall_ns: u64,
    stamp: Option<Stamp>,
    #[serde(flatten)]
    event: Event,
}

#[derive(Deserialize)]
struct Stamp {
    wall_ms: u64,
}

#[derive(Deserialize)]
struct Partition {
    topic: String,
    index: i32,
}

#[derive(Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
enum Event {
    Leader { partition: Partition, epoch: i32, offset: i64, high_watermark: i64 },
    Follower { partition: Partition, epoch: i32, offset: i64, high_watermark: i64 },
    Truncation { partition: Partition, from: i64, to: i64, why: String },
    RecoveryCut { partition: Partition, end: i64, why: String },
    Opened { partition: Partition, end: i64, clean: bool },
    LogStart { partition: Partition, to: i64, why: String },
    Compacted { partition: Partition, clean_until: i64, from_bytes: u64, to_bytes: u64 },
    LeaderElected(Decided),
    IsrChanged(Decided),
}

#[derive(Deserialize)]
struct Decided {
    topic: String,
    partition: i32,
    #[serde(default)]
    leader: Option<i32>,
    leader_epoch: i32,
    #[serde(default)]
    election: Option<String>,
    isr: Vec<i32>,
    #[serde(default)]
    elr: Vec<i32>,
}

/// What a line says, if it matters. `leader` is who led the log by the last line about it: a change of the in-sync set alone
/// does not tell.
pub fn parse(line: &str, leader: impl Fn(&str) -> Option<NodeId>) -> Option<Line> {
    let raw: Raw = serde_json::from_str(line).ok()?;
    let role = |leads, epoch, end, high_watermark| What::Role {
        leads,
        epoch: LeaderEpoch(epoch),
        end: Offset(end),
        high_watermark: Offset(high_watermark),
    };
    let decided_at = raw.stamp.map_or(raw.wall_ns, |stamp| stamp.wall_ms.saturating_mul(1_000_000));
    let (partition, wall, what) = match raw.event {
        Event::Leader { partition, epoch, offset, high_watermark } => {
            (name(&partition), raw.wall_ns, role(true, epoch, offset, high_watermark))
        }
        Event::Follower { partition, epoch, offset, high_watermark } => {
            (name(&partition), raw.wall_ns, role(false, epoch, offset, high_watermark))
        }
        Event::Truncation { partition, from, to, why } => {
            (name(&partition), raw.wall_ns, What::Truncated { from: Some(Offset(from)), to: Offset(to), why })
        }
        Event::RecoveryCut { partition, end, why } => {
            (name(&partition), raw.wall_ns, What::Recovered { told: format!("{why}; the log ends at {end}") })
        }
        Event::Opened { partition, end, clean } => {
            (name(&partition), raw.wall_ns, What::Opened { end: Offset(end), clean })
        }
        Event::LogStart { partition, to, why } => {
            (name(&partition), raw.wall_ns, What::StartMoved { to: Offset(to), why })
        }
        Event::Compacted { partition, clean_until, from_bytes, to_bytes } => {
            let told = format!("compacted below {clean_until} from {from_bytes} to {to_bytes} bytes");
            (name(&partition), raw.wall_ns, What::Compacted { until: Some(Offset(clean_until)), told })
        }
        Event::LeaderElected(told) => {
            let leader = told.leader.map(NodeId);
            (format!("{}-{}", told.topic, told.partition), decided_at, decided(&told, leader))
        }
        Event::IsrChanged(told) => {
            let partition = format!("{}-{}", told.topic, told.partition);
            let leader = leader(&partition);
            (partition, decided_at, decided(&told, leader))
        }
    };
    Some(Line { wall: Wall(wall), partition, what })
}

fn name(partition: &Partition) -> String {
    format!("{}-{}", partition.topic, partition.index)
}

fn decided(told: &Decided, leader: Option<NodeId>) -> What {
    let nodes = |ids: &[i32]| ids.iter().map(|id| NodeId(*id)).collect();
    What::Decided {
        leader,
        epoch: LeaderEpoch(told.leader_epoch),
        isr: nodes(&told.isr),
        elr: nodes(&told.elr),
        unclean: told.election.as_deref().is_some_and(|e| matches!(e, "unclean" | "last-known")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_matters_is_heard_and_the_rest_is_not() {
        let cut = r#"{"monotonic_ns":1,"wall_ns":5000000,"node":2,"event":"truncation","partition":{"topic":"q","index":1},"epoch":1,"from":291,"to":192,"high_watermark":109,"why":"epoch 0 ends at 192"}"#;
        let told = parse(cut, |_| None).unwrap();
        assert_eq!((told.wall, told.partition.as_str()), (Wall(5_000_000), "q-1"));
        assert!(matches!(told.what, What::Truncated { from: Some(Offset(291)), to: Offset(192), .. }));
        let compacted = r#"{"monotonic_ns":1,"wall_ns":5,"node":2,"event":"compacted","partition":{"topic":"q","index":1},"clean_until":90,"from_bytes":9,"to_bytes":4}"#;
        let told = parse(compacted, |_| None).unwrap();
        assert!(matches!(told.what, What::Compacted { until: Some(Offset(90)), .. }));
        let trimmed = r#"{"monotonic_ns":1,"wall_ns":5,"node":2,"event":"log-start","partition":{"topic":"q","index":1},"from":0,"to":9,"segments":1,"why":"retention.ms"}"#;
        let told = parse(trimmed, |_| None).unwrap();
        assert!(matches!(told.what, What::StartMoved { to: Offset(9), .. }));
        assert!(parse(r#"{"monotonic_ns":1,"wall_ns":5,"node":2,"event":"note","text":"x"}"#, |_| None).is_none());
        assert!(parse("{", |_| None).is_none());
    }

    #[test]
    fn an_election_is_told_by_its_stamp() {
        let elected = r#"{"monotonic_ns":1,"wall_ns":9,"node":100,"stamp":{"wall_ms":7,"mono_ns":1,"by":100},"version":4,"event":"leader-elected","topic":"q","partition":0,"leader":3,"before":1,"leader_epoch":2,"election":"unclean","isr":[3],"elr":[]}"#;
        let told = parse(elected, |_| None).unwrap();
        assert_eq!((told.wall, told.partition.as_str()), (Wall(7_000_000), "q-0"));
        assert!(matches!(told.what, What::Decided { leader: Some(NodeId(3)), unclean: true, .. }));
    }
}
