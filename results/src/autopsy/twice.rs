//! How records came to stand in a log twice: what the headers of both batches say of who sent them.
//!
//! ```text
//! same id, same epoch, same sequence     the broker took it twice
//! same id, same epoch, other sequence    the client numbered it anew: somebody handed it over twice
//! same id, later epoch                   the client began a new epoch and sent again what the old one had appended (KIP-360)
//! another id                             a new session of the producer sent it again, or another producer
//! no id                                  there was no idempotence: whatever is sent again is appended again
//! ```
//! **Invariant:** told from one replica's disk, the one with most records, by the file and offsets of both copies; nothing is
//! told of a copy whose batch is not there.

use super::death::Proof;
use super::event::Place;
use super::words::{records, stretch};
use history::{LogId, Names, Offset, ReplicaLog, SentBatch, Value};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};

/// How a record came to stand there again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    /// The broker appended one sequence of one epoch twice.
    SameSequence,
    /// The same producer sent it in the same epoch as a new record.
    NewSequence,
    /// The same producer sent it again in another epoch.
    NewEpoch,
    /// A producer with another id sent it.
    OtherProducer,
    /// At least one copy was sent without idempotence.
    NotIdempotent,
}

impl How {
    fn of(first: &SentBatch, again: &SentBatch, (at, again_at): (Offset, Offset)) -> How {
        let sequence = |batch: &SentBatch, at: Offset| i64::from(batch.sequence) + at.0 - batch.first.0;
        match () {
            () if first.producer < 0 || again.producer < 0 => How::NotIdempotent,
            () if first.producer != again.producer => How::OtherProducer,
            () if first.producer_epoch != again.producer_epoch => How::NewEpoch,
            () if sequence(first, at) != sequence(again, again_at) => How::NewSequence,
            () => How::SameSequence,
        }
    }

    fn meaning(self) -> &'static str {
        match self {
            How::SameSequence => "the broker took the same sequence of the same producer and epoch twice",
            How::NewSequence => {
                "the client sent it again in the same epoch under a new sequence, as if it were another record"
            }
            How::NewEpoch => "the client began a new epoch and sent again what it had sent in the one before (KIP-360)",
            How::OtherProducer => "a producer with another id sent it again: a new session, or another process",
            How::NotIdempotent => "it was sent again without idempotence, and so appended again",
        }
    }
}

/// Records of one log that came to stand there again in the same way.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Twice {
    /// How.
    pub how: How,
    /// How many copies too many.
    pub records: u64,
    /// The first and the last offset of the copies that came later.
    pub offsets: (Offset, Offset),
    /// One sentence.
    pub sentence: String,
    /// Both copies of the first of them.
    pub proof: Vec<Proof>,
}

/// A later copy and the one it repeats.
struct Pair {
    value: Value,
    at: (Offset, Offset),
    batches: (SentBatch, SentBatch),
}

/// How the records of a log that stand in it more than once came there.
pub fn twice(log: LogId, replicas: &[ReplicaLog], names: &Names) -> Vec<Twice> {
    let of_log = replicas.iter().filter(|replica| replica.log == log && !replica.repeats.is_empty());
    let Some(replica) = of_log.max_by_key(|replica| replica.records.len()) else { return Vec::new() };
    let mut alike: BTreeMap<How, Vec<Pair>> = BTreeMap::new();
    for pair in pairs(replica) {
        alike.entry(How::of(&pair.batches.0, &pair.batches.1, pair.at)).or_default().push(pair);
    }
    let folder = format!("brokers/{}/data/{}", replica.node.0, names.log(log));
    alike.into_iter().filter_map(|(how, pairs)| told(how, &pairs, &folder)).collect()
}

/// Every copy after the first, beside the one before it. Records are in the order of their offsets.
fn pairs(replica: &ReplicaLog) -> Vec<Pair> {
    let mut seen: HashMap<Value, (Offset, SentBatch)> = HashMap::new();
    let (mut pairs, mut batches) = (Vec::new(), replica.repeats.iter().peekable());
    for record in replica.records.iter().filter(|record| record.value.is_ordinary()) {
        while batches.next_if(|batch| batch.last < record.offset).is_some() {}
        let Some(batch) = batches.peek().filter(|batch| batch.first <= record.offset) else { continue };
        if let Some((at, first)) = seen.insert(record.value, (record.offset, **batch)) {
            pairs.push(Pair { value: record.value, at: (at, record.offset), batches: (first, **batch) });
        }
    }
    pairs
}

fn told(how: How, pairs: &[Pair], folder: &str) -> Option<Twice> {
    let (first, last) = (pairs.first()?, pairs.last()?);
    let offsets = (first.at.1, last.at.1);
    let proof = |at: Offset, batch: &SentBatch| {
        let sequence = i64::from(batch.sequence) + at.0 - batch.first.0;
        let sent = match batch.producer < 0 {
            true => "no producer id".to_owned(),
            false => format!("producer {} epoch {} sequence {sequence}", batch.producer, batch.producer_epoch),
        };
        let says = format!("{sent}, record {} in the batch of {}", first.value, stretch((batch.first, batch.last)));
        Proof { place: Place { file: folder.to_owned(), at: at.0.unsigned_abs() }, says }
    };
    let sentence = format!("{} again at {}: {}", records(pairs.len()), stretch(offsets), how.meaning());
    let proof = vec![proof(first.at.0, &first.batches.0), proof(first.at.1, &first.batches.1)];
    Some(Twice { how, records: pairs.len() as u64, offsets, sentence, proof })
}

#[cfg(test)]
mod tests {
    use super::*;
    use history::{LeaderEpoch, NodeId, ReplicaRecord, WriterId};

    /// A log of batches of two records, each `(producer, epoch, sequence, first record)`.
    fn log(batches: &[(i64, i16, i32, u64)]) -> ReplicaLog {
        let sent = |(n, &(producer, producer_epoch, sequence, _)): (usize, &(i64, i16, i32, u64))| {
            let first = Offset(n as i64 * 2);
            SentBatch { first, last: Offset(first.0 + 1), producer, producer_epoch, sequence }
        };
        let values = batches.iter().flat_map(|(.., record)| [*record, record + 1]);
        let record = |(n, sequence)| ReplicaRecord {
            offset: Offset(n as i64),
            value: Value::new(WriterId(1), sequence),
            epoch: LeaderEpoch(0),
        };
        ReplicaLog {
            node: NodeId(2),
            log: LogId(0),
            start: Offset(0),
            end: Offset(batches.len() as i64 * 2),
            high_watermark: None,
            epochs: Vec::new(),
            records: values.enumerate().map(record).collect(),
            repeats: batches.iter().enumerate().map(sent).collect(),
        }
    }

    fn told_of(batches: &[(i64, i16, i32, u64)]) -> Vec<(How, u64, i64)> {
        let names = Names { logs: vec!["q-0".into()], ..Names::default() };
        let told = twice(LogId(0), &[log(batches)], &names);
        assert!(told.iter().all(|t| t.proof.iter().all(|p| p.place.file == "brokers/2/data/q-0")));
        told.iter().map(|t| (t.how, t.records, t.offsets.0.0)).collect()
    }

    #[test]
    fn the_headers_of_both_copies_tell_who_sent_it_again() {
        assert_eq!(told_of(&[(7, 0, 0, 1), (7, 0, 2, 3)]), []);
        assert_eq!(told_of(&[(7, 0, 0, 1), (7, 0, 0, 1)]), [(How::SameSequence, 2, 2)]);
        assert_eq!(told_of(&[(7, 0, 0, 1), (7, 0, 2, 1)]), [(How::NewSequence, 2, 2)]);
        assert_eq!(told_of(&[(7, 0, 0, 1), (7, 0, 2, 3), (7, 2, 0, 3)]), [(How::NewEpoch, 2, 4)]);
        assert_eq!(told_of(&[(7, 0, 0, 1), (8, 0, 0, 1)]), [(How::OtherProducer, 2, 2)]);
        assert_eq!(told_of(&[(-1, -1, -1, 1), (-1, -1, -1, 1)]), [(How::NotIdempotent, 2, 2)]);
    }

    #[test]
    fn a_sequence_is_compared_record_by_record_and_each_copy_with_the_one_before() {
        // The second batch repeats the last record of the first one: sequence 1 both times.
        assert_eq!(told_of(&[(7, 0, 0, 1), (7, 0, 1, 2)]), [(How::SameSequence, 1, 2)]);
        let thrice = [(7, 0, 0, 1), (7, 1, 0, 1), (8, 0, 0, 1)];
        assert_eq!(told_of(&thrice), [(How::NewEpoch, 2, 2), (How::OtherProducer, 2, 4)]);
    }

    #[test]
    fn of_a_copy_whose_batch_is_not_there_nothing_is_told() {
        let mut replica = log(&[(7, 0, 0, 1), (7, 1, 0, 1)]);
        replica.repeats.truncate(1);
        assert_eq!(twice(LogId(0), &[replica], &Names::default()), []);
    }
}
