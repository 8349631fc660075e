//! Kafka's text checkpoints: a version, a count, and a line per entry; and the writing of any small file so that it
//! is either the old one or the new one.
//!
//! **Invariants.** A file is replaced by rename, after its new content has been synced and before the folder is. A
//! file that cannot be understood is an error with its line, never a smaller checkpoint.

use super::{LeaderEpoch, LogError, Offset};
use crate::ids::TopicPartition;
use std::collections::BTreeMap;
use std::fmt::{Display, Write as _};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// High watermarks of a folder.
pub const HIGH_WATERMARK_FILE: &str = "replication-offset-checkpoint";
/// Recovery points of a folder: what has been synced.
pub const RECOVERY_POINT_FILE: &str = "recovery-point-offset-checkpoint";
/// Log starts of a folder that are not the base of the first segment.
pub const LOG_START_FILE: &str = "log-start-offset-checkpoint";
/// How far the logs of a folder have been compacted.
pub const CLEANER_FILE: &str = "cleaner-offset-checkpoint";
/// Leader epochs of one log, in its own folder.
pub const LEADER_EPOCH_FILE: &str = "leader-epoch-checkpoint";

/// Larger files are refused before they are read.
const FILE_BYTES_MAX: u64 = 64 << 20;

/// Why a small file of a log folder cannot be used.
#[derive(Debug, Error)]
pub enum CheckpointError {
    /// It cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is larger than any honest file of its kind.
    #[error("{}: {bytes} bytes, at most {bytes_max} are read", path.display())]
    TooLarge {
        /// Which.
        path: PathBuf,
        /// Its size.
        bytes: u64,
        /// The limit.
        bytes_max: u64,
    },
    /// It can be read and makes no sense.
    #[error("{}:{line}: {problem}", path.display())]
    Malformed {
        /// Which.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// What is wrong there.
        problem: Problem,
    },
}

/// What can be wrong with a line of a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Problem {
    /// Bytes that are no UTF-8.
    #[error("not text")]
    NotText,
    /// The file ends early: it was torn, or is empty.
    #[error("the file ends where {0} should be")]
    Ends(&'static str),
    /// A version nobody knows.
    #[error("version {0:?}, only 0 is known")]
    Version(String),
    /// A count that is no number.
    #[error("{0:?} is not a count of lines")]
    Count(String),
    /// More lines than the count says.
    #[error("more lines than the count says")]
    Trailing,
    /// A line with too few or too many fields.
    #[error("expected {0}")]
    Fields(&'static str),
    /// A field that is no number, or a negative one.
    #[error("{0:?} is not a number from 0 on")]
    Number(String),
    /// An entry that was there before.
    #[error("a second entry for {0}")]
    Duplicate(String),
    /// A property that must be there.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// A property with an impossible value.
    #[error("{name}: {value:?} is not {expected}")]
    Value {
        /// The property.
        name: &'static str,
        /// Its value.
        value: String,
        /// What it should be.
        expected: &'static str,
    },
}

pub(super) fn malformed(path: &Path, line: usize, problem: Problem) -> CheckpointError {
    CheckpointError::Malformed { path: path.to_path_buf(), line, problem }
}

/// The text of a small file, or `None` if it is not there.
///
/// # Errors
/// [`CheckpointError`]: unreadable, too large, or no text.
pub fn read_text(path: &Path) -> Result<Option<String>, CheckpointError> {
    let failed = |source| CheckpointError::Io { path: path.to_path_buf(), source };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let bytes = file.metadata().map_err(failed)?.len();
    if bytes > FILE_BYTES_MAX {
        return Err(CheckpointError::TooLarge { path: path.to_path_buf(), bytes, bytes_max: FILE_BYTES_MAX });
    }
    let mut content = Vec::new();
    file.take(FILE_BYTES_MAX).read_to_end(&mut content).map_err(failed)?;
    String::from_utf8(content).map(Some).map_err(|error| {
        let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        malformed(path, 1 + valid.iter().filter(|&&byte| byte == b'\n').count(), Problem::NotText)
    })
}

/// Puts `content` in the place of `path`: the file is the old one or the new one at every moment, power cuts included.
///
/// # Errors
/// [`LogError::Io`]; then the old one is still there.
pub fn write_atomic(path: &Path, content: &[u8]) -> Result<(), LogError> {
    let temporary = path.with_added_extension("tmp");
    let mut file = File::create(&temporary).map_err(LogError::io("create", &temporary))?;
    file.write_all(content).map_err(LogError::io("write", &temporary))?;
    file.sync_all().map_err(LogError::io("sync", &temporary))?;
    fs::rename(&temporary, path).map_err(LogError::io("replace", path))?;
    path.parent().map_or(Ok(()), sync_dir)
}

/// Syncs a folder, so that the files created, renamed or removed in it stay so.
pub(super) fn sync_dir(dir: &Path) -> Result<(), LogError> {
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(LogError::io("sync", dir))
}

/// The checkpoint in `path` by partition; empty if there is no such file.
///
/// # Errors
/// [`CheckpointError`].
pub fn read_offsets(path: &Path) -> Result<BTreeMap<TopicPartition, Offset>, CheckpointError> {
    let mut offsets = BTreeMap::new();
    let insert = |fields: &[&str]| {
        let &[topic, index, offset] = fields else { return Err(Problem::Fields("topic, partition and offset")) };
        let partition = TopicPartition { topic: topic.to_owned(), index: number(index)? };
        match offsets.insert(partition, Offset(number(offset)?)) {
            None => Ok(()),
            Some(_) => Err(Problem::Duplicate(format!("{topic}-{index}"))),
        }
    };
    read_lines(path, insert)?;
    Ok(offsets)
}

/// Writes a checkpoint by partition.
///
/// # Errors
/// [`LogError::Io`].
pub fn write_offsets<'a>(
    path: &Path,
    offsets: impl ExactSizeIterator<Item = (&'a TopicPartition, Offset)>,
) -> Result<(), LogError> {
    write_lines(path, offsets.map(|(partition, offset)| format!("{} {} {offset}", partition.topic, partition.index)))
}

/// The epochs in `path` with their start offsets, or `None` if there is no such file.
///
/// # Errors
/// [`CheckpointError`]; an epoch that does not grow is one.
pub fn read_epochs(path: &Path) -> Result<Option<Vec<(LeaderEpoch, Offset)>>, CheckpointError> {
    let mut epochs: Vec<(LeaderEpoch, Offset)> = Vec::new();
    let push = |fields: &[&str]| {
        let &[epoch, start] = fields else { return Err(Problem::Fields("epoch and start offset")) };
        let entry = (LeaderEpoch(number(epoch)?), Offset(number(start)?));
        if epochs.last().is_some_and(|last| last.0 >= entry.0 || last.1 > entry.1) {
            return Err(Problem::Fields("a later epoch and start offset than the line before"));
        }
        epochs.push(entry);
        Ok(())
    };
    Ok(read_lines(path, push)?.then_some(epochs))
}

/// Writes an epoch checkpoint.
///
/// # Errors
/// [`LogError::Io`].
pub fn write_epochs(path: &Path, epochs: &[(LeaderEpoch, Offset)]) -> Result<(), LogError> {
    write_lines(path, epochs.iter().map(|(epoch, start)| format!("{epoch} {start}")))
}

fn number<N: TryFrom<i64>>(text: &str) -> Result<N, Problem> {
    let number = text.parse::<i64>().ok().filter(|number| *number >= 0);
    number.and_then(|number| N::try_from(number).ok()).ok_or_else(|| Problem::Number(text.to_owned()))
}

/// Hands the fields of every entry to `take`; `false` if there is no such file.
fn read_lines(path: &Path, mut take: impl FnMut(&[&str]) -> Result<(), Problem>) -> Result<bool, CheckpointError> {
    let Some(text) = read_text(path)? else { return Ok(false) };
    let mut lines = text.lines().zip(1..);
    let mut line = |what| lines.next().ok_or_else(|| malformed(path, text.lines().count() + 1, Problem::Ends(what)));
    let (version, at) = line("the version")?;
    if version.trim() != "0" {
        return Err(malformed(path, at, Problem::Version(version.to_owned())));
    }
    let (count, at) = line("the count")?;
    let entries: usize = count.trim().parse().map_err(|_| malformed(path, at, Problem::Count(count.to_owned())))?;
    for _ in 0..entries {
        let (entry, at) = line("an entry")?;
        let fields: Vec<&str> = entry.split_whitespace().collect();
        take(&fields).map_err(|problem| malformed(path, at, problem))?;
    }
    match lines.find(|(rest, _)| !rest.trim().is_empty()) {
        None => Ok(true),
        Some((_, at)) => Err(malformed(path, at, Problem::Trailing)),
    }
}

fn write_lines(path: &Path, lines: impl ExactSizeIterator<Item = impl Display>) -> Result<(), LogError> {
    let mut text = format!("0\n{}\n", lines.len());
    for line in lines {
        writeln!(text, "{line}").expect("writing to a String cannot fail");
    }
    write_atomic(path, text.as_bytes())
}
