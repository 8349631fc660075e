//! Histories in files, judged end to end by a process of its own, so that time and memory are those of nothing else.

use super::cost::{Child, of_child};
use crate::commands::Failure;
use checker::Source;
use history::History;
use results::arrow::history::write_source;
use results::foreign::export::edn;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::{Command, Stdio};

/// A file, and what judging it cost.
pub struct Judged {
    /// Its size.
    pub bytes: u64,
    /// The process that judged it.
    pub child: Child,
}

/// Writes the history into `folder` as `history.arrow` and lets `stormglass check` judge it.
pub fn judge(source: &dyn Source, folder: &Path) -> Result<Judged, Failure> {
    let path = folder.join("history.arrow");
    write_source(&path, source).map_err(Failure::internal)?;
    judged(&path)
}

/// The same as Jepsen's `history.edn`.
pub fn judge_edn(history: &History, folder: &Path) -> Result<Judged, Failure> {
    let path = folder.join("history.edn");
    let mut file = BufWriter::new(File::create(&path).map_err(Failure::internal)?);
    edn::write(history, &mut file).map_err(Failure::internal)?;
    file.flush().map_err(Failure::internal)?;
    judged(&path)
}

/// Lets `stormglass check` judge a file, and removes it.
fn judged(path: &Path) -> Result<Judged, Failure> {
    let bytes = std::fs::metadata(path).map_err(Failure::internal)?.len();
    let program = std::env::current_exe().map_err(Failure::internal)?;
    let child = of_child(|| {
        let mut check = Command::new(program);
        check.arg("check").arg(path).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        match check.status().map_err(Failure::internal)?.code() {
            Some(0) => Ok(()),
            code => Err(Failure::internal(format!("a correct history was judged with exit code {code:?}"))),
        }
    })?;
    std::fs::remove_file(path).map_err(Failure::internal)?;
    Ok(Judged { bytes, child })
}
