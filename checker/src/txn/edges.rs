//! Who must come before whom: dependencies between transactions, after Adya 1999.
//!
//! - **ww** the next version of a log after one's own is another's;
//! - **wr** another read what one appended;
//! - **rw** one read to the log's end, and the next version after that end is another's;
//! - **rt** one had returned when the other was invoked ([`super::realtime`]).

use super::transaction::{Extent, MicroOp, Transaction, View};
use super::versions::Versions;
use super::writers::Writers;
use history::{LogId, Offset, Record};

/// A kind of dependency.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Dependency {
    /// Write after write.
    Ww = 1,
    /// Read after write.
    Wr = 2,
    /// Write after read.
    Rw = 4,
    /// Invocation after return.
    Rt = 8,
}

/// A dependency between two nodes; transactions first, then the barriers of real time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Edge {
    pub(super) from: u32,
    pub(super) to: u32,
    pub(super) kind: Dependency,
}

/// The dependencies by data of all transactions that happened.
pub(super) fn data(transactions: &[Transaction], writers: &Writers, versions: &Versions) -> Vec<Edge> {
    let mut edges = Vec::with_capacity(transactions.len() * 2);
    let mut tails: Vec<(LogId, i64, u32)> = Vec::new();
    for (txn, transaction) in (0u32..).zip(transactions).filter(|(txn, _)| versions.happened[*txn as usize]) {
        for op in &transaction.ops {
            let MicroOp::Read { log, from, records, extent, view: View::Committed } = op else { continue };
            read(txn, records, writers, versions, &mut edges);
            if *extent == Extent::Tail {
                tails.push((*log, tail_end(*from, records), txn));
            }
        }
    }
    tails.sort_unstable();
    for log in versions.logs() {
        let first = tails.partition_point(|tail| tail.0 < log);
        let own = tails[first..].iter().take_while(|tail| tail.0 == log);
        order(versions.all(log), own, writers, versions, &mut edges);
    }
    edges
}

/// The first offset a read to the end did not return anything from.
pub(super) fn tail_end(from: Offset, records: &[Record]) -> i64 {
    records.last().map_or(from.0, |last| last.offset.0.saturating_add(1))
}

fn read(reader: u32, records: &[Record], writers: &Writers, versions: &Versions, edges: &mut Vec<Edge>) {
    let mut last = reader;
    for record in records {
        let Some(append) = writers.find(record.value) else { continue };
        let writer = writers.appends[append as usize].txn;
        if writer != reader && writer != last && versions.happened[writer as usize] {
            edges.push(Edge { from: writer, to: reader, kind: Dependency::Wr });
            last = writer;
        }
    }
}

/// ww along one log, and rw from the reads that ended in it, by rising end.
fn order<'a>(
    placed: impl Iterator<Item = (i64, u32)>,
    tails: impl Iterator<Item = &'a (LogId, i64, u32)>,
    writers: &Writers,
    versions: &Versions,
    edges: &mut Vec<Edge>,
) {
    let (mut tails, mut before) = (tails.peekable(), None);
    for (offset, append) in placed {
        let writer = writers.appends[append as usize].txn;
        if !versions.happened[writer as usize] {
            continue;
        }
        while let Some((_, _, reader)) = tails.next_if(|(_, end, _)| *end <= offset) {
            if *reader != writer {
                edges.push(Edge { from: *reader, to: writer, kind: Dependency::Rw });
            }
        }
        if let Some(before) = before.filter(|before| *before != writer) {
            edges.push(Edge { from: before, to: writer, kind: Dependency::Ww });
        }
        before = Some(writer);
    }
}
