//! What a run leaves behind: its folder, the merged history, evidence from the replicas' disks, latency, the verdict's
//! files and the summary of one screen.
//!
//! **Invariants:** every file is replaced atomically or appended to by whole lines; what is read was possibly truncated,
//! foreign or hostile, and is then a [`file::FileError`] that names file and place, never a panic and never an unbounded
//! allocation. Times come in as data.
//!
//! Deliberately absent: judgement (crate `checker`), processes and signals (the harness), anything that prints.

pub mod anomalies;
pub mod arrow;
pub mod autopsy;
pub mod exit;
pub mod file;
pub mod folder;
pub mod foreign;
pub mod json;
pub mod kraft;
pub mod latency;
pub mod logs;
pub mod manifest;
pub mod merge;
pub mod phase;
pub mod replicas;
pub mod summary;
pub mod verdict;
pub mod wall;

pub use exit::Exit;
pub use file::{FileError, Place, Problem};
pub use folder::RunFolder;
pub use manifest::Manifest;
