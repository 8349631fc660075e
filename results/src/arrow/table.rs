//! Reads an Arrow IPC file of a known shape, batch by batch, trusting nothing in it.
//!
//! **Invariants:** every length and offset is checked against the file before it is used; batches lie one after the
//! other, so that memory and work are bounded by the file's size; an error names the byte and, within a batch, the row.
//! Deliberately absent: other shapes, dictionaries, compression, the streaming format.

use crate::file::{self, FileError, Place, Problem, unread};
use arrow_ipc::{Block, Endianness, Field, Footer, MessageHeader, RecordBatch, root_as_footer, root_as_message};
use arrow_schema::{DataType, Fields};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Largest batch read.
pub const BATCH_BYTES_MAX: u64 = 1 << 30;
/// Largest footer read.
pub const FOOTER_BYTES_MAX: u64 = 256 << 20;

const MAGIC: &[u8; 6] = b"ARROW1";
const TRAILER_BYTES: u64 = 10;

/// An open table.
#[derive(Debug)]
pub struct Table {
    path: PathBuf,
    file: File,
    metadata: Option<String>,
    blocks: Vec<Range<u64>>,
    metadata_bytes: Vec<usize>,
    next: usize,
    rows: u64,
    /// A batch's bytes that may be written over.
    spare: Vec<u8>,
}

/// One batch of a table: its bytes, and where in them each column's parts lie.
#[derive(Debug)]
pub struct Batch {
    path: PathBuf,
    /// Where the batch starts in the file.
    byte: u64,
    /// Rows before it.
    first_row: u64,
    /// Its rows.
    pub rows: usize,
    body: Vec<u8>,
    nodes: Vec<Node>,
    buffers: Vec<Range<usize>>,
}

#[derive(Clone, Copy, Debug)]
struct Node {
    rows: usize,
    nulls: usize,
}

impl Table {
    /// Opens a table whose columns are exactly `shape`; its own metadata is under `key`.
    pub fn open(path: &Path, shape: &Fields, key: &str) -> Result<Table, FileError> {
        let mut file = file::open(path)?;
        let (at, footer) = read_footer(path, &mut file)?;
        let error = |problem| FileError::new(path, Place::Byte(at), problem);
        let footer = root_as_footer(&footer).map_err(|e| error(Problem::Malformed(format!("the footer: {e}"))))?;
        check_shape(&footer, shape).map_err(|why| error(Problem::Foreign(why)))?;
        let (blocks, metadata_bytes) = blocks(&footer, at).map_err(|why| error(Problem::Malformed(why)))?;
        let metadata = metadata(&footer, key);
        Ok(Table { path: path.to_owned(), file, metadata, blocks, metadata_bytes, next: 0, rows: 0, spare: Vec::new() })
    }

    /// What the table says of itself.
    pub fn metadata<T: serde::de::DeserializeOwned>(&self) -> Result<T, FileError> {
        let error = |problem| FileError::new(&self.path, Place::Whole, problem);
        let text = self.metadata.as_deref().ok_or_else(|| error(Problem::Foreign("no metadata of ours".into())))?;
        serde_json::from_str(text).map_err(|e| error(Problem::Malformed(format!("metadata: {e}"))))
    }

    /// The next batch, `None` after the last.
    pub fn next_batch(&mut self) -> Result<Option<Batch>, FileError> {
        let Some(block) = self.blocks.get(self.next).cloned() else { return Ok(None) };
        let error = |problem| FileError::new(&self.path, Place::Row { row: self.rows, byte: block.start }, problem);
        let mut message = vec![0; self.metadata_bytes[self.next]];
        let mut body = std::mem::take(&mut self.spare);
        body.resize((block.end - block.start) as usize - message.len(), 0);
        self.file.seek(SeekFrom::Start(block.start)).map_err(unread(&self.path))?;
        self.file.read_exact(&mut message).map_err(unread(&self.path))?;
        self.file.read_exact(&mut body).map_err(unread(&self.path))?;
        let (rows, nodes, buffers) =
            read_message(&message, body.len()).map_err(|why| error(Problem::Malformed(why)))?;
        let batch =
            Batch { path: self.path.clone(), byte: block.start, first_row: self.rows, rows, body, nodes, buffers };
        self.next += 1;
        self.rows += rows as u64;
        Ok(Some(batch))
    }

    /// Takes back a batch that is done with, so that the next one needs no memory of its own.
    pub fn give_back(&mut self, batch: Batch) {
        self.spare = batch.body;
    }
}

fn read_footer(path: &Path, file: &mut File) -> Result<(u64, Vec<u8>), FileError> {
    let bytes = file.metadata().map_err(unread(path))?.len();
    let error = |byte, problem| FileError::new(path, Place::Byte(byte), problem);
    let mut head = [0; 6];
    if file.read_exact(&mut head).is_err() || head != *MAGIC {
        return Err(error(0, Problem::Foreign("no Arrow file".into())));
    }
    let mut trailer = [0; TRAILER_BYTES as usize];
    let at = bytes.saturating_sub(TRAILER_BYTES);
    file.seek(SeekFrom::Start(at)).map_err(unread(path))?;
    if file.read_exact(&mut trailer).is_err() || trailer[4..] != *MAGIC {
        return Err(error(bytes, Problem::Truncated("it does not end as an Arrow file does".into())));
    }
    let length = u64::from(u32::from_le_bytes([trailer[0], trailer[1], trailer[2], trailer[3]]));
    if length > FOOTER_BYTES_MAX || length > at {
        return Err(error(at, Problem::Malformed(format!("a footer of {length} bytes"))));
    }
    let mut footer = vec![0; length as usize];
    file.seek(SeekFrom::Start(at - length)).map_err(unread(path))?;
    file.read_exact(&mut footer).map_err(unread(path))?;
    Ok((at - length, footer))
}

fn metadata(footer: &Footer<'_>, key: &str) -> Option<String> {
    let pairs = footer.schema()?.custom_metadata()?;
    pairs.iter().find(|pair| pair.key() == Some(key)).and_then(|pair| pair.value().map(str::to_owned))
}

/// Where the batches lie; each begins where the one before it ended, or later.
fn blocks(footer: &Footer<'_>, end: u64) -> Result<(Vec<Range<u64>>, Vec<usize>), String> {
    let (mut ranges, mut metadata_bytes, mut last) = (Vec::new(), Vec::new(), MAGIC.len() as u64);
    for block in footer.recordBatches().iter().flatten() {
        let range = range(block).filter(|r| r.start >= last && r.end <= end && r.end - r.start <= BATCH_BYTES_MAX);
        let range = range.ok_or_else(|| format!("batch {} does not lie within the file", ranges.len()))?;
        last = range.end;
        ranges.push(range);
        metadata_bytes.push(block.metaDataLength() as usize);
    }
    Ok((ranges, metadata_bytes))
}

fn range(block: &Block) -> Option<Range<u64>> {
    let start = u64::try_from(block.offset()).ok()?;
    let metadata = u64::try_from(block.metaDataLength()).ok()?;
    let body = u64::try_from(block.bodyLength()).ok()?;
    Some(start..start.checked_add(metadata)?.checked_add(body)?)
}

type Layout = (usize, Vec<Node>, Vec<Range<usize>>);

/// Rows, nodes and buffers of a batch whose body has `bytes` bytes.
fn read_message(message: &[u8], bytes: usize) -> Result<Layout, String> {
    let prefix = if message.starts_with(&[0xFF; 4]) { 8 } else { 4 };
    let message = message.get(prefix..).ok_or("no message")?;
    let message = root_as_message(message).map_err(|e| format!("the batch's message: {e}"))?;
    let batch = match message.header_type() {
        MessageHeader::RecordBatch => message.header_as_record_batch().ok_or("the batch's message has no batch")?,
        _ => return Err("the batch's message is of another kind".into()),
    };
    if batch.compression().is_some() {
        return Err("compressed".into());
    }
    let rows = usize::try_from(batch.length()).map_err(|_| "a negative number of rows")?;
    Ok((rows, nodes(&batch)?, buffers(&batch, bytes)?))
}

fn nodes(batch: &RecordBatch<'_>) -> Result<Vec<Node>, String> {
    let node = |node: &arrow_ipc::FieldNode| {
        let (rows, nulls) = (usize::try_from(node.length()).ok()?, usize::try_from(node.null_count()).ok()?);
        Some(Node { rows, nulls })
    };
    batch.nodes().iter().flatten().map(|n| node(n).ok_or_else(|| "a negative length".to_owned())).collect()
}

fn buffers(batch: &RecordBatch<'_>, bytes: usize) -> Result<Vec<Range<usize>>, String> {
    let buffer = |buffer: &arrow_ipc::Buffer| {
        let start = usize::try_from(buffer.offset()).ok()?;
        let end = start.checked_add(usize::try_from(buffer.length()).ok()?)?;
        (end <= bytes).then_some(start..end)
    };
    let outside = || "a buffer does not lie within the batch".to_owned();
    batch.buffers().iter().flatten().map(|b| buffer(b).ok_or_else(outside)).collect()
}

fn check_shape(footer: &Footer<'_>, shape: &Fields) -> Result<(), String> {
    let schema = footer.schema().ok_or("no schema")?;
    if schema.endianness() != Endianness::Little {
        return Err("big-endian".into());
    }
    let found = schema.fields().map_or(0, |fields| fields.len());
    let fields: Vec<Field<'_>> = schema.fields().iter().flatten().collect();
    if found != shape.len() || !fields.iter().zip(shape.iter()).all(|(found, field)| is_field(found, field)) {
        let names: Vec<&str> = shape.iter().map(|field| field.name().as_str()).collect();
        return Err(format!("its columns are not {}", names.join(", ")));
    }
    Ok(())
}

fn is_field(found: &Field<'_>, field: &arrow_schema::Field) -> bool {
    let integer = |bits, signed| found.type_as_int().is_some_and(|t| t.bitWidth() == bits && t.is_signed() == signed);
    let children: Vec<Field<'_>> = found.children().iter().flatten().collect();
    let are = |fields: &[&arrow_schema::Field]| {
        children.len() == fields.len() && children.iter().zip(fields).all(|(found, field)| is_field(found, field))
    };
    let kind = match field.data_type() {
        DataType::UInt8 => integer(8, false),
        DataType::Int16 => integer(16, true),
        DataType::Int32 => integer(32, true),
        DataType::UInt32 => integer(32, false),
        DataType::Int64 => integer(64, true),
        DataType::UInt64 => integer(64, false),
        DataType::List(item) => found.type_type() == arrow_ipc::Type::List && are(&[item]),
        DataType::Struct(fields) => {
            found.type_type() == arrow_ipc::Type::Struct_ && are(&fields.iter().map(|f| &**f).collect::<Vec<_>>())
        }
        _ => false,
    };
    kind && found.name() == Some(field.name()) && found.dictionary().is_none()
}

impl Batch {
    /// The columns, to be taken in order of the shape.
    pub fn columns(&self) -> Columns<'_> {
        Columns { batch: self, node: 0, buffer: 0 }
    }

    /// An error at a row of this batch.
    pub fn malformed(&self, row: usize, why: impl Into<String>) -> FileError {
        let place = Place::Row { row: self.first_row + row as u64, byte: self.byte };
        FileError::new(&self.path, place, Problem::Malformed(why.into()))
    }

    /// The table's number of a row of this batch.
    pub fn row(&self, row: usize) -> u64 {
        self.first_row + row as u64
    }
}

/// Takes a batch's columns one after the other. Values are little-endian bytes where they lie: nothing is copied.
#[derive(Debug)]
pub struct Columns<'a> {
    batch: &'a Batch,
    node: usize,
    buffer: usize,
}

/// Which rows of a column are there.
#[derive(Clone, Copy, Debug)]
pub struct Validity<'a>(Option<&'a [u8]>);

impl Validity<'_> {
    /// True if the row is not null.
    pub fn is_valid(&self, row: usize) -> bool {
        self.0.is_none_or(|bits| bits[row / 8] >> (row % 8) & 1 == 1)
    }
}

impl<'a> Columns<'a> {
    /// A column of values `N` bytes wide, none of them null.
    pub fn required<const N: usize>(&mut self) -> Result<&'a [[u8; N]], FileError> {
        let rows = self.batch.rows;
        self.values(rows)
    }

    /// A column of values `N` bytes wide, and which of them are there.
    pub fn optional<const N: usize>(&mut self) -> Result<(&'a [[u8; N]], Validity<'a>), FileError> {
        let rows = self.batch.rows;
        let validity = self.node(rows)?;
        Ok((self.buffer_of::<N>(rows)?, validity))
    }

    /// A column of lists of structs: for each row the range of its items. The structs' fields come next, by
    /// [`Columns::values`] of as many items as the last range ends at.
    pub fn lists(&mut self) -> Result<Ranges<'a>, FileError> {
        let rows = self.batch.rows;
        self.no_nulls(rows)?;
        let ends = if rows == 0 { self.skip_buffer()? } else { self.buffer_of::<4>(rows + 1)? };
        let items = ends.last().map_or(0, |end| u32::from_le_bytes(*end) as usize);
        if let Some(row) = ends.windows(2).position(|w| u32::from_le_bytes(w[0]) > u32::from_le_bytes(w[1])) {
            return Err(self.batch.malformed(row, "a list that ends before it starts"));
        }
        self.no_nulls(items)?;
        Ok(Ranges { ends, items })
    }

    /// `count` values `N` bytes wide, none of them null.
    pub fn values<const N: usize>(&mut self, count: usize) -> Result<&'a [[u8; N]], FileError> {
        self.no_nulls(count)?;
        self.buffer_of(count)
    }

    fn no_nulls(&mut self, rows: usize) -> Result<(), FileError> {
        match self.node(rows)?.0 {
            None => Ok(()),
            Some(_) => Err(self.batch.malformed(0, "nulls where there cannot be any")),
        }
    }

    /// A node of at least `rows` rows and its validity bitmap.
    fn node(&mut self, rows: usize) -> Result<Validity<'a>, FileError> {
        let node = self.batch.nodes.get(self.node).copied();
        let node =
            node.filter(|node| node.rows >= rows).ok_or_else(|| self.batch.malformed(0, "too few rows in a column"))?;
        self.node += 1;
        let bits = self.bytes()?;
        if node.nulls == 0 {
            return Ok(Validity(None));
        }
        match bits.len() >= rows.div_ceil(8) {
            true => Ok(Validity(Some(bits))),
            false => Err(self.batch.malformed(0, "too few validity bits in a column")),
        }
    }

    fn skip_buffer(&mut self) -> Result<&'a [[u8; 4]], FileError> {
        self.bytes().map(|_| &[][..])
    }

    fn buffer_of<const N: usize>(&mut self, count: usize) -> Result<&'a [[u8; N]], FileError> {
        let (values, _) = self.bytes()?.as_chunks::<N>();
        values.get(..count).ok_or_else(|| self.batch.malformed(values.len(), "too few bytes in a column"))
    }

    fn bytes(&mut self) -> Result<&'a [u8], FileError> {
        let range = self.batch.buffers.get(self.buffer).cloned();
        self.buffer += 1;
        // Within the body: `buffers` has checked it.
        range.map(|range| &self.batch.body[range]).ok_or_else(|| self.batch.malformed(0, "too few columns"))
    }
}

/// The items of each row's list.
#[derive(Clone, Copy, Debug)]
pub struct Ranges<'a> {
    ends: &'a [[u8; 4]],
    /// Items of all lists.
    pub items: usize,
}

impl Ranges<'_> {
    /// The range of a row's items.
    pub fn of(&self, row: usize) -> Range<usize> {
        let end = |at: usize| self.ends.get(at).map_or(0, |end| u32::from_le_bytes(*end) as usize);
        end(row)..end(row + 1)
    }
}
