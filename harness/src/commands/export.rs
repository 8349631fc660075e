//! `stormglass export`: a run's history for other tools.

use super::Failure;
use crate::cli::{ExportArgs, Exported};
use crate::judging::Files;
use crate::terminal;
use history::History;
use results::file::{replace, unwritten};
use results::foreign::{export, jsonl};
use results::{Exit, FileError, RunFolder};
use std::io::{self, BufWriter, Write};
use std::path::Path;

fn history_of(path: &Path) -> Result<History, FileError> {
    if path.is_file() {
        return Ok(results::arrow::read_history(path)?.history);
    }
    Ok(Files::read(&RunFolder::open(path)?)?.recording.history)
}

/// Writes the history of a run to a file, or to stdout.
pub fn export(args: &ExportArgs) -> Result<Exit, Failure> {
    let history = history_of(&args.run).map_err(Failure::unreadable)?;
    let left_out = match &args.output {
        None => match write(&history, args.format, &mut BufWriter::new(io::stdout().lock())) {
            // Whoever reads it has seen enough.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => 0,
            written => written.map_err(Failure::internal)?,
        },
        Some(path) => {
            let mut left_out = 0;
            let written: Result<(), FileError> = replace(path, |file| {
                left_out = write(&history, args.format, &mut BufWriter::new(file)).map_err(unwritten(path))?;
                Ok(())
            });
            written.map_err(Failure::internal)?;
            left_out
        }
    };
    if left_out > 0 {
        terminal::progress(&format!("{left_out} operations of kinds that Jepsen does not know were left out"));
    }
    Ok(Exit::Pass)
}

/// How many operations were left out.
fn write(history: &History, format: Exported, out: &mut impl Write) -> io::Result<u64> {
    let left_out = match format {
        Exported::Edn => export::edn::write(history, out)?.left_out,
        Exported::Jsonl => {
            jsonl::write(history, out)?;
            0
        }
    };
    out.flush()?;
    Ok(left_out)
}
