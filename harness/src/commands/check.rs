//! `stormglass check`: judges a stored run again, with the exit code it had, or a history that somebody else wrote.

use super::Failure;
use crate::cli::CheckArgs;
use crate::{judging, terminal};
use results::{Exit, RunFolder, foreign};

/// Judges a folder or a file and prints the summary. Writes nothing.
pub fn check(args: &CheckArgs) -> Result<Exit, Failure> {
    if args.path.is_file() {
        return check_file(args);
    }
    let folder = RunFolder::open(&args.path).map_err(Failure::unreadable)?;
    let judged = judging::judge(&folder)?;
    judged.print(args.json)?;
    Ok(judged.exit)
}

fn check_file(args: &CheckArgs) -> Result<Exit, Failure> {
    let judged = foreign::check(&args.path, args.format).map_err(Failure::unreadable)?;
    let text = judged.text(&args.path.to_string_lossy());
    if args.json {
        terminal::complain(&text);
        terminal::say(&serde_json::to_string_pretty(&judged).map_err(Failure::internal)?);
    } else {
        terminal::say(&text);
    }
    Ok(judged.verdict.exit())
}
