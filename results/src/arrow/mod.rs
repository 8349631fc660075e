//! Tables of a run as Arrow IPC files, readable by pandas, Polars, DuckDB and Spark without us.
//!
//! [`history`] is `history.arrow`, [`source`] walks it for the judge, [`replicas`] is `replicas.arrow`; [`table`] reads both. Writing is arrow-ipc's. Reading
//! uses its verified flatbuffers for the file's own description and takes the columns straight from the bytes: the
//! library's decoder asserts where a hostile file lies about its buffers, and allocates what such a file asks for.

pub mod history;
pub mod replicas;
pub mod source;
pub mod table;

pub use self::history::{read_history, write_history};
pub use self::replicas::{read_replicas, write_replicas};
pub use self::source::ArrowSource;

use crate::file::{self, FileError, unwritten};
use ::arrow_array::RecordBatch;
use ::arrow_ipc::writer::FileWriter;
use ::arrow_schema::{ArrowError, Schema};
use std::io::{self, BufWriter, Write};
use std::path::Path;

/// Most rows of a batch.
pub const BATCH_ROWS_MAX: usize = 1 << 16;

/// Replaces `path` by a table of these batches.
fn write(
    path: &Path,
    schema: &Schema,
    batches: impl Iterator<Item = Result<RecordBatch, ArrowError>>,
) -> Result<(), FileError> {
    write_with(path, schema, |push| {
        for batch in batches {
            batch.and_then(&mut *push)?;
        }
        Ok(())
    })
}

/// What takes the next batch.
type Push<'a> = &'a mut dyn FnMut(RecordBatch) -> Result<(), ArrowError>;

/// Replaces `path` by a table of whatever batches `fill` hands over.
fn write_with(
    path: &Path,
    schema: &Schema,
    fill: impl FnOnce(Push<'_>) -> Result<(), ArrowError>,
) -> Result<(), FileError> {
    let failed = |e: ArrowError| unwritten(path)(io::Error::other(e));
    file::replace(path, |file| {
        let mut writer = FileWriter::try_new(BufWriter::new(file), schema).map_err(failed)?;
        fill(&mut |batch| writer.write(&batch)).map_err(failed)?;
        let mut out = writer.into_inner().map_err(failed)?;
        out.flush().map_err(unwritten(path))
    })
}
