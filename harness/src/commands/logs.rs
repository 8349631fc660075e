//! `stormglass logs`: what stands in a broker's data folder, and where the folders of several brokers differ.

use super::Failure;
use crate::cli::{DiffArgs, DumpArgs, LogsCommand};
use crate::terminal;
use results::logs::{Detail, compare, dump, partitions, picture};
use results::{Exit, FileError};
use std::collections::BTreeSet;
use std::path::Path;

/// Tells or compares. Comparing exits 1 if replicas differ below their high watermarks.
pub fn logs(command: &LogsCommand) -> Result<Exit, Failure> {
    match command {
        LogsCommand::Dump(args) => tell(args).map(|()| Exit::Pass).map_err(Failure::unreadable),
        LogsCommand::Diff(args) => differ(args),
    }
}

fn tell(args: &DumpArgs) -> Result<(), FileError> {
    let detail = if args.batches { Detail::Batches } else { Detail::Segments };
    dump(&args.dir, args.partition.as_deref(), detail, &mut |line| terminal::say(line))
}

fn differ(args: &DiffArgs) -> Result<Exit, Failure> {
    if args.replicas.len() < 2 {
        return Err(Failure::usage("two or more replicas are compared; write NAME=DIR for each"));
    }
    let replicas: Vec<(String, &Path)> = args.replicas.iter().map(|(n, dir)| (n.clone(), dir.as_path())).collect();
    let mut logs = BTreeSet::new();
    for (_, data) in &replicas {
        logs.extend(partitions(data).map_err(Failure::unreadable)?.into_iter().map(|(name, _)| name));
    }
    match &args.partition {
        Some(wanted) if !logs.contains(wanted) => {
            let known = logs.iter().map(String::as_str);
            return Err(Failure::usage(crate::suggest::unknown("partition", wanted, known, None)));
        }
        Some(wanted) => logs.retain(|log| log == wanted),
        None => {}
    }
    let mut diverged = false;
    for log in &logs {
        let compared = compare(log, &replicas).map_err(Failure::unreadable)?;
        diverged |= compared.diverged().is_some();
        terminal::say(picture(&compared, args.around).trim_end());
    }
    Ok(if diverged { Exit::Violation } else { Exit::Pass })
}
