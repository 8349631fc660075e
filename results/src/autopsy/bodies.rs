//! The examination: for each missing record, what became of every replica's copy, and so at which stage it was lost.
//!
//! A copy is known to have been there if an event says that the node's log ended beyond it, or if the node led, or was in
//! sync, when it was acknowledged. It died by the first event after that which leaves the log ending at or below it. **The
//! stage is that of the copy that died last**: until then the record could have been saved.

use super::death::{Certainty, Copy, Death, Proof};
use super::event::{Event, Place, What};
use super::placing::Missing;
use super::stage::Stage;
use super::words::{self, row, says, without_event};
use crate::manifest::Began;
use crate::wall::Wall;
use history::{LogId, Names, Nanos, NodeId, Offset, Op, ReplicaLog, Value};
use std::collections::{HashMap, HashSet};

/// Clocks of one machine, read by different programs and written in milliseconds.
const CLOCK_SLACK_NS: u64 = 50_000_000;
const PROOFS_MAX: usize = 12;

/// For which copies an acknowledgement speaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Word {
    /// For none: `acks=0`.
    Nobody,
    /// For the leader's: `acks=1`.
    Leader,
    /// For those of all in-sync replicas.
    InSync,
}

/// What is known of one log.
struct Case<'a> {
    log: LogId,
    names: &'a Names,
    began: Began,
    events: Vec<&'a Event>,
    replicas: Vec<&'a ReplicaLog>,
    holders: HashMap<Value, Vec<(NodeId, Offset)>>,
    word: Word,
}

/// A copy's end.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Fate {
    /// It is there.
    Holds,
    /// Bytes at its offset fail their checksum, or are none between others that are there.
    Altered,
    /// The log begins beyond it; the event that moved it, if one is known.
    Trimmed(Option<usize>),
    /// Its offset is nobody's, between others that are there, and this compaction reached it.
    Compacted(usize),
    /// Cut off by this event.
    Truncated(usize),
    /// The log ended before it when it was opened after an unclean stop: this event.
    Recovery(usize),
    /// It had it, by what is known, and nothing tells how it went.
    Unexplained,
    /// Nothing says that it was ever there.
    Never,
}

/// Every copy's end, by node.
type Fates = Vec<(NodeId, Fate)>;

/// Where and how missing records died: acknowledged appends to one log, grouped by likeness.
pub fn examine(
    missing: &[Missing],
    log: LogId,
    (names, began): (&Names, Began),
    (events, replicas): (&[Event], &[ReplicaLog]),
    word: Word,
) -> Vec<Death> {
    let wanted: HashSet<Value> = missing.iter().map(|missing| missing.op.value()).collect();
    let case = Case::new(log, (names, began), (events, replicas), (&wanted, word));
    let mut groups: Vec<(Fates, bool, Vec<&Missing>)> = Vec::new();
    for missing in missing {
        let (fates, placed) = (case.fates(&missing.op), missing.placed_by.is_some());
        match groups.iter_mut().find(|(known, by, _)| *known == fates && *by == placed) {
            Some((.., alike)) => alike.push(missing),
            None => groups.push((fates, placed, vec![missing])),
        }
    }
    groups.iter().map(|(fates, _, alike)| case.death(fates, alike)).collect()
}

impl<'a> Case<'a> {
    fn new(
        log: LogId,
        (names, began): (&'a Names, Began),
        (events, replicas): (&'a [Event], &'a [ReplicaLog]),
        (wanted, word): (&HashSet<Value>, Word),
    ) -> Case<'a> {
        let replicas: Vec<&ReplicaLog> = replicas.iter().filter(|r| r.log == log).collect();
        let mut holders: HashMap<Value, Vec<(NodeId, Offset)>> = HashMap::new();
        for replica in &replicas {
            for record in replica.records.iter().filter(|record| wanted.contains(&record.value)) {
                holders.entry(record.value).or_default().push((replica.node, record.offset));
            }
        }
        let events = events.iter().filter(|e| e.log.is_none_or(|l| l == log)).collect();
        Case { log, names, began, events, replicas, holders, word }
    }

    fn fates(&self, op: &Op) -> Fates {
        self.nodes().into_iter().map(|node| (node, self.fate(node, op))).collect()
    }

    fn nodes(&self) -> Vec<NodeId> {
        let mut nodes: Vec<NodeId> = self.replicas.iter().map(|r| r.node).collect();
        nodes.sort();
        nodes.dedup();
        nodes
    }

    fn fate(&self, node: NodeId, op: &Op) -> Fate {
        if self.holders.get(&op.value()).is_some_and(|held| held.iter().any(|(holder, _)| *holder == node)) {
            return Fate::Holds;
        }
        let Some(replica) = self.replicas.iter().find(|r| r.node == node) else { return Fate::Never };
        if op.offset.0 < 0 {
            return Fate::Never;
        }
        if op.offset < replica.start {
            return Fate::Trimmed(self.trimmed_by(node, op.offset));
        }
        match replica.records.binary_search_by_key(&op.offset, |record| record.offset) {
            Ok(at) if replica.records[at].value == Value::CORRUPT => Fate::Altered,
            Err(at) if at < replica.records.len() => {
                self.compacted_by(node, op.offset).map_or(Fate::Altered, Fate::Compacted)
            }
            _ => self.lost_by(node, op),
        }
    }

    fn compacted_by(&self, node: NodeId, offset: Offset) -> Option<usize> {
        let reached = |e: &Event| match e.what {
            What::Compacted { until, .. } => until.is_none_or(|until| offset < until),
            _ => false,
        };
        // Replicas compact each for itself; that one did tells that the log is of that kind.
        let own = self.events.iter().position(|e| e.node == node && reached(e));
        own.or_else(|| self.events.iter().position(|e| reached(e)))
    }

    fn trimmed_by(&self, node: NodeId, offset: Offset) -> Option<usize> {
        self.events.iter().position(|e| e.node == node && matches!(e.what, What::StartMoved { to, .. } if to > offset))
    }

    /// Follows what is known of the log's end on a node from the record's invocation on.
    fn lost_by(&self, node: NodeId, op: &Op) -> Fate {
        let invoked = self.began.wall_at(op.invoked).0.saturating_sub(CLOCK_SLACK_NS);
        let mut had = self.acknowledged_by(op).contains(&node);
        let mut unclean = false;
        for (index, event) in self.events.iter().enumerate().filter(|(_, e)| e.node == node && e.wall.0 >= invoked) {
            match event.what {
                What::Truncated { from, to, .. } => {
                    let was_there = had || from.is_some_and(|from| from > op.offset);
                    if to <= op.offset && was_there {
                        return Fate::Truncated(index);
                    }
                }
                What::Recovered { .. } => unclean = true,
                What::Opened { end, clean } => {
                    unclean |= !clean;
                    if end <= op.offset && had && unclean {
                        return Fate::Recovery(index);
                    }
                    had |= end > op.offset;
                }
                What::Role { end, .. } => {
                    if end <= op.offset && had && unclean {
                        return Fate::Recovery(index);
                    }
                    had |= end > op.offset;
                    unclean = false;
                }
                What::Decided { .. } | What::StartMoved { .. } | What::Compacted { .. } => {}
            }
        }
        if had { Fate::Unexplained } else { Fate::Never }
    }

    /// The nodes whose word the acknowledgement was: who led while it was under way, and with `acks=all` who was in sync all
    /// that time.
    fn acknowledged_by(&self, op: &Op) -> Vec<NodeId> {
        let mut nodes = Vec::new();
        if self.word == Word::Nobody {
            return nodes;
        }
        let reigns: Vec<&Event> = self.reigns_during(op.invoked, op.returned);
        for event in &reigns {
            let What::Decided { leader, ref isr, .. } = event.what else { continue };
            // Of several reigns the leader of any may have answered.
            nodes.extend(leader);
            let in_all = |node: &&NodeId| {
                reigns.iter().all(|e| matches!(&e.what, What::Decided { isr, .. } if isr.contains(node)))
            };
            nodes.extend(isr.iter().filter(|_| self.word == Word::InSync).filter(in_all));
        }
        nodes
    }

    /// The decisions in force at some moment of an interval.
    fn reigns_during(&self, from: Nanos, to: Nanos) -> Vec<&'a Event> {
        let (from, to) = (self.began.wall_at(from), self.began.wall_at(to));
        let decided = self.events.iter().copied().filter(|e| matches!(e.what, What::Decided { .. }));
        let mut current: Option<&Event> = None;
        let mut found = Vec::new();
        for event in decided {
            if event.wall <= from {
                current = Some(event);
            } else if event.wall <= to {
                found.push(event);
            }
        }
        current.into_iter().chain(found).collect()
    }

    fn death(&self, fates: &[(NodeId, Fate)], alike: &[&Missing]) -> Death {
        let first = alike[0];
        let (stage, certainty) = self.stage(fates, &first.op);
        // What was placed and not told is never proven to have been there.
        let certainty = if first.placed_by.is_some() { certainty.max(Certainty::Inferred) } else { certainty };
        let offsets = alike.iter().map(|missing| missing.op.offset);
        let offsets = (offsets.clone().min().unwrap_or(Offset::UNKNOWN), offsets.max().unwrap_or(Offset::UNKNOWN));
        let copies: Vec<Copy> = fates.iter().map(|(node, fate)| self.copy(*node, fate, &first.op)).collect();
        let by = |by: super::Neighbour| {
            row(by.row, format!("no offset was told; {} of the same writer stood at {}", by.value, by.offset.0))
        };
        let mut proof: Vec<Proof> = first.placed_by.map(by).into_iter().collect();
        proof.extend(fates.iter().filter_map(|(_, fate)| self.event(fate)).map(words::proof));
        proof.extend(fates.iter().filter_map(|(node, fate)| self.around(*node, fate, first.op.offset)));
        proof.extend(self.reigns_around(fates, &first.op).into_iter().map(words::proof));
        proof.extend(self.epochs_beyond(offsets.0));
        proof.truncate(PROOFS_MAX);
        let sentence = self.sentence(stage, alike.len(), offsets, &copies);
        Death { stage, certainty, records: alike.len() as u64, offsets, sentence, copies, proof }
    }

    fn stage(&self, fates: &[(NodeId, Fate)], op: &Op) -> (Stage, Certainty) {
        let has = |is: fn(&Fate) -> bool| fates.iter().any(|(_, fate)| is(fate));
        if has(|f| *f == Fate::Holds) {
            let at =
                self.holders.get(&op.value()).and_then(|held| held.first()).map_or(op.offset, |(_, offset)| *offset);
            let visible = self.replicas.iter().filter_map(|r| r.high_watermark).max().is_some_and(|hw| at < hw);
            return (if visible { Stage::C1 } else { Stage::B5 }, Certainty::Proven);
        }
        if has(|f| *f == Fate::Altered) {
            return (Stage::B6, Certainty::Proven);
        }
        if has(|f| matches!(f, Fate::Trimmed(_) | Fate::Compacted(_))) {
            return (Stage::B4, Certainty::Proven);
        }
        let died = fates.iter().filter_map(|(_, fate)| Some((self.event(fate)?.wall, fate)));
        match died.max_by_key(|(wall, _)| *wall).map(|(_, fate)| fate) {
            Some(Fate::Truncated(_)) => (Stage::B2, self.certainty(fates, op)),
            Some(_) => (Stage::B3, self.certainty(fates, op)),
            None if has(|f| *f == Fate::Unexplained) && self.reigned_after(op) => (Stage::B2, Certainty::Inferred),
            None => (Stage::B1, Certainty::Candidate),
        }
    }

    /// Proven if a file tells that some copy's log had ended beyond the record.
    fn certainty(&self, fates: &[(NodeId, Fate)], op: &Op) -> Certainty {
        let told = |node: NodeId, until: usize| {
            self.events[..=until].iter().any(|e| match e.what {
                What::Truncated { from: Some(from), .. } => e.node == node && from > op.offset,
                What::Role { end, .. } | What::Opened { end, .. } => e.node == node && end > op.offset,
                _ => false,
            })
        };
        let proven = fates.iter().any(|(node, fate)| match fate {
            Fate::Truncated(at) | Fate::Recovery(at) => told(*node, *at),
            _ => false,
        });
        if proven { Certainty::Proven } else { Certainty::Inferred }
    }

    /// True if a later reign begins at or below the record in some replica's epoch file.
    fn reigned_after(&self, op: &Op) -> bool {
        !self.epochs_beyond(op.offset).is_empty()
    }

    /// The lines of epoch files by which the record's offset belongs to a reign that began after it was acknowledged.
    fn epochs_beyond(&self, offset: Offset) -> Vec<Proof> {
        let mut proof = Vec::new();
        for replica in &self.replicas {
            let owner = replica.epochs.iter().enumerate().rfind(|(_, epoch)| epoch.start <= offset);
            let Some((line, epoch)) = owner.filter(|(line, _)| *line > 0) else { continue };
            let log = self.names.log(self.log);
            let file = format!("brokers/{}/data/{log}/leader-epoch-checkpoint", replica.node.0);
            let says = format!("epoch {} starts at {}", epoch.epoch.0, epoch.start.0);
            proof.push(Proof { place: Place { file, at: line as u64 + 3 }, says });
        }
        proof
    }

    fn event(&self, fate: &Fate) -> Option<&'a Event> {
        match fate {
            Fate::Truncated(at) | Fate::Recovery(at) | Fate::Trimmed(Some(at)) | Fate::Compacted(at) => {
                self.events.get(*at).copied()
            }
            _ => None,
        }
    }

    /// The decisions from the one that was in force at the acknowledgement to the last death.
    fn reigns_around(&self, fates: &[(NodeId, Fate)], op: &Op) -> Vec<&'a Event> {
        let last = fates.iter().filter_map(|(_, fate)| self.event(fate)).map(|e| e.wall).max();
        let Some(last) = last else { return Vec::new() };
        let until = Nanos(self.began.mono.0.saturating_add_signed(last.0 as i64 - self.began.wall.0 as i64));
        self.reigns_during(op.returned.min(until), until)
    }

    /// The neighbours of an offset that compaction emptied, in the segment's file.
    fn around(&self, node: NodeId, fate: &Fate, offset: Offset) -> Option<Proof> {
        let Fate::Compacted(_) = fate else { return None };
        let replica = self.replicas.iter().find(|r| r.node == node)?;
        let next = replica.records.partition_point(|record| record.offset < offset);
        let (before, after) = (next.checked_sub(1).map(|at| replica.records[at].offset.0), replica.records.get(next)?);
        let before = before.map_or_else(|| "its start".to_owned(), |before| before.to_string());
        let file = format!("brokers/{}/data/{}", node.0, self.names.log(self.log));
        let says = format!("between {before} and {} no record is left", after.offset.0);
        Some(Proof { place: Place { file, at: after.offset.0 as u64 }, says })
    }

    fn copy(&self, node: NodeId, fate: &Fate, op: &Op) -> Copy {
        let at = self.event(fate).map(|e| e.wall);
        let fate = match (fate, self.event(fate).map(|e| says(&e.what))) {
            (Fate::Holds, _) => "is there".to_owned(),
            (Fate::Altered, _) => format!("is corrupt: what stands at offset {} cannot be read", op.offset.0),
            (Fate::Trimmed(_), why) => {
                format!("is below the log's start{}", why.map_or_else(String::new, |w| format!(": {w}")))
            }
            (Fate::Compacted(_), why) => {
                format!("has others around it and not this one{}", why.map_or_else(String::new, |w| format!(": {w}")))
            }
            (Fate::Truncated(_), why) => why.unwrap_or_default(),
            (Fate::Recovery(_), why) => format!("was gone after an unclean stop: {}", why.unwrap_or_default()),
            (Fate::Unexplained, _) => "was there by the acknowledgement, and nothing tells how it went".to_owned(),
            (Fate::Never, _) => "is not known to have been there".to_owned(),
        };
        Copy { node, fate, at_ns: at.map(|wall| self.since_start(wall)) }
    }

    fn since_start(&self, wall: Wall) -> i64 {
        let epoch = self.began.wall_at(self.names.epoch);
        (i128::from(wall.0) - i128::from(epoch.0)) as i64
    }

    fn sentence(&self, stage: Stage, records: usize, offsets: (Offset, Offset), copies: &[Copy]) -> String {
        let dead = copies.iter().filter(|copy| copy.at_ns.is_some());
        let told: Vec<String> = dead
            .map(|c| format!("node {} at {:.3} s: {}", c.node.0, c.at_ns.unwrap_or(0) as f64 / 1e9, c.fate))
            .collect();
        let told = if told.is_empty() { without_event(stage, copies) } else { told.join("; ") };
        let (records, place) = (words::records(records), words::stretch(offsets));
        format!("{records} of {}, {place}: {stage}. {told}", self.names.log(self.log))
    }
}
