//! `stormglass check`: judges a stored run again, with the exit code it had.

use super::Failure;
use crate::cli::CheckArgs;
use crate::judging;
use results::{Exit, RunFolder};

/// Judges a folder and prints the summary. Writes nothing.
pub fn check(args: &CheckArgs) -> Result<Exit, Failure> {
    let folder = RunFolder::open(&args.path).map_err(Failure::unreadable)?;
    let judged = judging::judge(&folder)?;
    judged.print(args.json)?;
    Ok(judged.exit)
}
