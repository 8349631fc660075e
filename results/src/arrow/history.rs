//! `history.arrow`: one row an operation, in the order of the merge.
//!
//! ```text
//! index u64 | process u32 | kind u8 | log u32 | outcome u8 | invoked_ns u64 | returned_ns u64? | intended_ns u64
//! offset i64 | value u64 | error i16 | records list<struct<offset i64, value u64>>
//! ```
//! Codes are those of [`Kind`] and [`Outcome`]; they and the names of processes and logs (ids are positions) are in the
//! schema's metadata under [`KEY`], as JSON. `returned_ns` is null where no reply ever came. `value` is the operation's
//! detail, 0 for reads; an append's is writer (24 bits) and sequence (40 bits). Times are CLOCK_MONOTONIC; `names.epoch`
//! is the start of the load.

#[cfg(test)]
mod tests;

use super::table::{Batch, Ranges, Table};
use super::{BATCH_ROWS_MAX, write, write_with};
use crate::file::{FileError, Place, Problem};
use crate::merge::Recording;
use arrow_array::{
    ArrayRef, Int16Array, Int64Array, ListArray, RecordBatch, StructArray, UInt8Array, UInt32Array, UInt64Array,
};
use arrow_buffer::{OffsetBuffer, ScalarBuffer};
use arrow_schema::{ArrowError, DataType, Field, Fields, Schema};
use checker::Source;
use history::{History, Kind, LogId, Names, Nanos, Offset, Op, Outcome, ProcessId, Record, Value};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

/// The metadata's key.
pub const KEY: &str = "stormglass.history";
const FORMAT: u32 = 1;
/// A batch ends with the read that brings it to this many records.
const BATCH_RECORDS_MAX: usize = 1 << 22;

#[derive(Serialize, Deserialize)]
struct Metadata {
    format: u32,
    kinds: BTreeMap<u8, Kind>,
    outcomes: BTreeMap<u8, Outcome>,
    names: Names,
    /// The kinds of operation there are; unknown in files of older programs.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    present: Option<Vec<Kind>>,
}

impl Metadata {
    fn of(names: &Names, kinds: Vec<Kind>) -> Metadata {
        let outcomes = [Outcome::Ok, Outcome::Fail, Outcome::Unknown];
        Metadata {
            format: FORMAT,
            kinds: Kind::ALL.into_iter().map(|kind| (kind as u8, kind)).collect(),
            outcomes: outcomes.into_iter().map(|outcome| (outcome as u8, outcome)).collect(),
            names: names.clone(),
            present: Some(kinds),
        }
    }
}

fn record_fields() -> Fields {
    vec![Field::new("offset", DataType::Int64, false), Field::new("value", DataType::UInt64, false)].into()
}

fn item() -> Arc<Field> {
    Arc::new(Field::new("item", DataType::Struct(record_fields()), false))
}

/// The columns.
pub fn shape() -> Fields {
    use DataType::{Int16, Int64, List, UInt8, UInt32, UInt64};
    let columns = [
        ("index", UInt64),
        ("process", UInt32),
        ("kind", UInt8),
        ("log", UInt32),
        ("outcome", UInt8),
        ("invoked_ns", UInt64),
        ("returned_ns", UInt64),
        ("intended_ns", UInt64),
        ("offset", Int64),
        ("value", UInt64),
        ("error", Int16),
        ("records", List(item())),
    ];
    columns.into_iter().map(|(name, kind)| Field::new(name, kind, name == "returned_ns")).collect()
}

/// Replaces `path` by this recording.
pub fn write_history(path: &Path, recording: &Recording) -> Result<(), FileError> {
    let history = &recording.history;
    let schema = schema(&history.names, checker::source::kinds_met(history), path)?;
    let mut next = 0;
    let batches = std::iter::from_fn(|| {
        let rows = next_rows(recording, next);
        next = rows.end;
        (!rows.is_empty()).then(|| batch(recording, rows, 0, &schema))
    });
    write(path, &schema, batches)
}

/// Replaces `path` by the operations of `source`, in the order of a walk, each intended when it was invoked.
pub fn write_source(path: &Path, source: &dyn Source) -> Result<(), FileError> {
    let schema = schema(source.names(), checker::source::kinds_met(source), path)?;
    write_with(path, &schema, |push| {
        let (mut first, mut failed) = (0, None);
        source.walk(&mut |visited| {
            let (recording, rows) = (copy(&visited), visited.ops.len());
            let batches = std::iter::successors(Some(next_rows(&recording, 0)), |r| Some(next_rows(&recording, r.end)));
            let mut whole = batches.take_while(|rows| !rows.is_empty());
            let wrote = whole.try_for_each(|rows| batch(&recording, rows, first, &schema).and_then(&mut *push));
            failed = failed.take().or(wrote.err());
            first += rows;
        });
        failed.map_or(Ok(()), Err)
    })
}

/// A batch as a recording of its own.
fn copy(batch: &checker::Batch<'_>) -> Recording {
    let mut history = History::default();
    history.ops.reserve(batch.ops.len());
    history.records.reserve(batch.records.len());
    for op in batch.ops {
        match op.kind().reads_records() {
            true => history.push_read(*op, batch.records_of(op)),
            false => history.ops.push(*op),
        }
    }
    let intended = batch.ops.iter().map(|op| op.invoked).collect();
    Recording { history, intended, errors: Vec::new() }
}

fn schema(names: &Names, kinds: Vec<Kind>, path: &Path) -> Result<Arc<Schema>, FileError> {
    let metadata = serde_json::to_string(&Metadata::of(names, kinds));
    let metadata = metadata.map_err(|e| FileError::new(path, Place::Whole, Problem::Unwritable(e.into())))?;
    Ok(Arc::new(Schema::new_with_metadata(shape(), [(KEY.to_owned(), metadata)].into())))
}

fn next_rows(recording: &Recording, start: usize) -> Range<usize> {
    let ops = &recording.history.ops[start..];
    let mut records = 0;
    let before = |op: &&Op| {
        let room = records < BATCH_RECORDS_MAX;
        records += op.records().len();
        room
    };
    start..start + ops.iter().take(BATCH_ROWS_MAX).take_while(before).count()
}

/// Rows of a recording that stands behind `first` other rows.
fn batch(
    recording: &Recording,
    rows: Range<usize>,
    first: usize,
    schema: &Arc<Schema>,
) -> Result<RecordBatch, ArrowError> {
    let ops = &recording.history.ops[rows.clone()];
    let u64s = |of: fn(&Op) -> u64| Arc::new(UInt64Array::from_iter_values(ops.iter().map(of))) as ArrayRef;
    let u32s = |of: fn(&Op) -> u32| Arc::new(UInt32Array::from_iter_values(ops.iter().map(of))) as ArrayRef;
    let u8s = |of: fn(&Op) -> u8| Arc::new(UInt8Array::from_iter_values(ops.iter().map(of))) as ArrayRef;
    let returned = ops.iter().map(|op| (op.returned != Nanos::NEVER).then_some(op.returned.0));
    let intended = recording.intended[rows.clone()].iter().map(|at| at.0);
    let errors = rows.clone().map(|row| recording.error(row));
    let columns = vec![
        Arc::new(UInt64Array::from_iter_values(rows.map(|row| (first + row) as u64))) as ArrayRef,
        u32s(|op| op.process().0),
        u8s(|op| op.kind() as u8),
        u32s(|op| op.log.0),
        u8s(|op| op.outcome() as u8),
        u64s(|op| op.invoked.0),
        Arc::new(returned.collect::<UInt64Array>()),
        Arc::new(UInt64Array::from_iter_values(intended)),
        Arc::new(Int64Array::from_iter_values(ops.iter().map(|op| op.offset.0))),
        u64s(|op| if op.kind().reads_records() { 0 } else { op.detail }),
        Arc::new(Int16Array::from_iter_values(errors)),
        Arc::new(lists(recording, ops)?),
    ];
    RecordBatch::try_new(schema.clone(), columns)
}

fn lists(recording: &Recording, ops: &[Op]) -> Result<ListArray, ArrowError> {
    let mut ends = vec![0i32];
    let (mut offsets, mut values) = (Vec::new(), Vec::new());
    for op in ops {
        let records = recording.history.records_of(op);
        offsets.extend(records.iter().map(|record| record.offset.0));
        values.extend(records.iter().map(|record| record.value.0));
        ends.push(i32::try_from(offsets.len()).map_err(|_| ArrowError::OffsetOverflowError(offsets.len()))?);
    }
    let columns: Vec<ArrayRef> = vec![Arc::new(Int64Array::from(offsets)), Arc::new(UInt64Array::from(values))];
    let items = StructArray::try_new(record_fields(), columns, None)?;
    ListArray::try_new(item(), OffsetBuffer::new(ScalarBuffer::from(ends)), Arc::new(items), None)
}

/// Reads a history with what belongs to its operations.
pub fn read_history(path: &Path) -> Result<Recording, FileError> {
    let mut reader = Reader::open(path)?;
    let mut recording = Recording::default();
    while reader.read_into(&mut recording)? {}
    recording.history.names = reader.names;
    Ok(recording)
}

/// Reads a history batch by batch, for whoever need not have all of it in memory.
#[derive(Debug)]
pub struct Reader {
    table: Table,
    /// Names of logs and processes.
    pub names: Names,
    /// The kinds of operation there are, where the file says so.
    pub present: Option<Vec<Kind>>,
}

impl Reader {
    /// Opens a history.
    pub fn open(path: &Path) -> Result<Reader, FileError> {
        let table = Table::open(path, &shape(), KEY)?;
        let metadata: Metadata = table.metadata()?;
        if metadata.format != FORMAT {
            let why = format!("format {}, and this program reads format {FORMAT}", metadata.format);
            return Err(FileError::new(path, Place::Whole, Problem::Foreign(why)));
        }
        Ok(Reader { table, names: metadata.names, present: metadata.present })
    }

    /// Appends the next batch to `recording` (whose names stay as they are); false after the last.
    pub fn read_into(&mut self, recording: &mut Recording) -> Result<bool, FileError> {
        let Some(batch) = self.table.next_batch()? else { return Ok(false) };
        let columns = OpColumns::of(&batch)?;
        let at = recording.history.ops.len();
        columns.read(&batch, &mut recording.history.ops, &mut recording.history.records)?;
        recording.intended.extend(columns.intended.iter().map(|at| Nanos(u64::from_le_bytes(*at))));
        for row in 0..batch.rows {
            match (u32::try_from(at + row), i16::from_le_bytes(columns.errors[row])) {
                (_, 0) => {}
                (Ok(op), error) => recording.errors.push((op, error)),
                (Err(_), _) => return Err(batch.malformed(row, "more operations than a history can have")),
            }
        }
        Ok(true)
    }

    /// Appends the operations of the next batch and their records, and nothing else, those of other logs than are `mine`
    /// left out; false after the last.
    pub fn read_ops(
        &mut self,
        mine: Option<&dyn Fn(LogId) -> bool>,
        ops: &mut Vec<Op>,
        records: &mut Vec<Record>,
    ) -> Result<bool, FileError> {
        let Some(batch) = self.table.next_batch()? else { return Ok(false) };
        let columns = OpColumns::of(&batch)?;
        match mine {
            None => columns.read(&batch, ops, records)?,
            Some(mine) => columns.read_some(&batch, mine, ops, records)?,
        }
        self.table.give_back(batch);
        Ok(true)
    }
}

struct OpColumns<'a> {
    first_row: u64,
    index: &'a [[u8; 8]],
    process: &'a [[u8; 4]],
    kind: &'a [[u8; 1]],
    log: &'a [[u8; 4]],
    outcome: &'a [[u8; 1]],
    invoked: &'a [[u8; 8]],
    returned: (&'a [[u8; 8]], super::table::Validity<'a>),
    intended: &'a [[u8; 8]],
    offset: &'a [[u8; 8]],
    value: &'a [[u8; 8]],
    errors: &'a [[u8; 2]],
    lists: Ranges<'a>,
    record_offsets: &'a [[u8; 8]],
    record_values: &'a [[u8; 8]],
}

impl<'a> OpColumns<'a> {
    fn of(batch: &'a Batch) -> Result<OpColumns<'a>, FileError> {
        let mut columns = batch.columns();
        let (index, process, kind, log) =
            (columns.required()?, columns.required()?, columns.required()?, columns.required()?);
        let (outcome, invoked, returned) = (columns.required()?, columns.required()?, columns.optional()?);
        let (intended, offset, value, errors) =
            (columns.required()?, columns.required()?, columns.required()?, columns.required()?);
        let lists = columns.lists()?;
        let (record_offsets, record_values) = (columns.values(lists.items)?, columns.values(lists.items)?);
        let first_row = batch.row(0);
        Ok(OpColumns {
            first_row,
            index,
            process,
            kind,
            log,
            outcome,
            invoked,
            returned,
            intended,
            offset,
            value,
            errors,
            lists,
            record_offsets,
            record_values,
        })
    }

    fn read(&self, batch: &Batch, ops: &mut Vec<Op>, records: &mut Vec<Record>) -> Result<(), FileError> {
        ops.reserve(batch.rows);
        records.reserve(self.lists.items);
        for row in 0..batch.rows {
            ops.push(self.op(row, records.len()).map_err(|why| batch.malformed(row, why))?);
            records.extend(self.records(row));
        }
        Ok(())
    }

    fn read_some(
        &self,
        batch: &Batch,
        mine: &dyn Fn(LogId) -> bool,
        ops: &mut Vec<Op>,
        records: &mut Vec<Record>,
    ) -> Result<(), FileError> {
        for row in 0..batch.rows {
            if mine(LogId(u32::from_le_bytes(self.log[row]))) {
                ops.push(self.op(row, records.len()).map_err(|why| batch.malformed(row, why))?);
                records.extend(self.records(row));
            }
        }
        Ok(())
    }

    #[inline]
    fn op(&self, row: usize, records_before: usize) -> Result<Op, &'static str> {
        let u64_of = |column: &[[u8; 8]]| u64::from_le_bytes(column[row]);
        if u64_of(self.index) != self.first_row + row as u64 {
            return Err("its index is not its row: a row is missing or moved");
        }
        let process = u32::from_le_bytes(self.process[row]);
        if process > Op::PROCESS_MAX {
            return Err("a process beyond the largest");
        }
        let kind = Kind::from_code(self.kind[row][0]).ok_or("no kind has this code")?;
        let outcome = Outcome::from_code(self.outcome[row][0]).ok_or("no outcome has this code")?;
        let (log, invoked) = (LogId(u32::from_le_bytes(self.log[row])), Nanos(u64_of(self.invoked)));
        let returned = if self.returned.1.is_valid(row) { Nanos(u64_of(self.returned.0)) } else { Nanos::NEVER };
        let op = Op::invoke(kind, ProcessId(process), log, invoked);
        let op = op.complete(outcome, returned, Offset(u64_of(self.offset) as i64));
        let count = self.lists.of(row).len();
        match (kind.reads_records(), count) {
            (true, 0..=Op::RECORDS_MAX) => Ok(op.with_records(records_before, count)),
            (true, _) => Err("more records than a read can carry"),
            (false, 0) => Ok(op.with_detail(u64_of(self.value))),
            (false, _) => Err("records of an operation that reads none"),
        }
    }

    fn records(&self, row: usize) -> impl Iterator<Item = Record> + '_ {
        self.lists.of(row).map(|at| Record {
            offset: Offset(i64::from_le_bytes(self.record_offsets[at])),
            value: Value(u64::from_le_bytes(self.record_values[at])),
        })
    }
}
