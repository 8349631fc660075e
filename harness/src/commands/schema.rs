//! `stormglass schema`: the published schemas of files that others may write.

use super::Failure;
use crate::cli::{SchemaArgs, Schemed};
use crate::terminal;
use results::Exit;
use results::foreign::jsonl;

/// Prints one of the schemas.
pub fn schema(args: &SchemaArgs) -> Result<Exit, Failure> {
    terminal::say(match args.of {
        Schemed::History => jsonl::SCHEMA,
    });
    Ok(Exit::Pass)
}
