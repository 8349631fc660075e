//! Log folders for people: what stands in one (`dump`), and where several replicas of a log differ (`diff`).
//!
//! Works on any data folder in Kafka's layout, a run's or somebody's. Text goes to a closure line by line; nothing here
//! prints. **Invariant:** memory grows with the number of batches, never with their size or with what they claim.

mod diff;
mod dump;
mod picture;
#[cfg(test)]
mod tests;

pub use diff::{Comparison, Difference, compare};
pub use dump::{Detail, dump};
pub use picture::picture;

use crate::file::{FileError, unread};
use std::fs;
use std::path::{Path, PathBuf};

/// The partitions in a data folder: `TOPIC-N` and its path, by name. A partition's own folder holds itself.
pub fn partitions(data: &Path) -> Result<Vec<(String, PathBuf)>, FileError> {
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut found = Vec::new();
    let mut own = false;
    for entry in fs::read_dir(data).map_err(unread(data))? {
        let path = entry.map_err(unread(data))?.path();
        own |= path.extension().is_some_and(|e| e == "log");
        if path.is_dir() && is_partition(&name(&path)) {
            found.push((name(&path), path));
        }
    }
    if found.is_empty() && own {
        found.push((name(data), data.to_owned()));
    }
    found.sort();
    Ok(found)
}

/// True for `orders-7`: a topic, a dash, a number.
fn is_partition(name: &str) -> bool {
    let number = name.rsplit_once('-').filter(|(topic, _)| !topic.is_empty()).map(|(_, number)| number);
    number.is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
}
