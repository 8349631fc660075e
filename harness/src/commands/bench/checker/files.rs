//! A `history.arrow` judged end to end by a process of its own, so that time and memory are those of nothing else.

use super::cost::{Child, of_child};
use crate::commands::Failure;
use checker::Source;
use results::arrow::history::write_source;
use std::path::Path;
use std::process::{Command, Stdio};

/// A file, and what judging it cost.
pub struct Judged {
    /// Its size.
    pub bytes: u64,
    /// The process that judged it.
    pub child: Child,
}

/// Writes the history into `folder` and lets `stormglass check` judge it.
pub fn judge(source: &dyn Source, folder: &Path) -> Result<Judged, Failure> {
    let path = folder.join("history.arrow");
    write_source(&path, source).map_err(Failure::internal)?;
    let bytes = std::fs::metadata(&path).map_err(Failure::internal)?.len();
    let program = std::env::current_exe().map_err(Failure::internal)?;
    let child = of_child(|| {
        let mut check = Command::new(program);
        check.arg("check").arg(&path).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        match check.status().map_err(Failure::internal)?.code() {
            Some(0) => Ok(()),
            code => Err(Failure::internal(format!("a correct history was judged with exit code {code:?}"))),
        }
    })?;
    std::fs::remove_file(&path).map_err(Failure::internal)?;
    Ok(Judged { bytes, child })
}
