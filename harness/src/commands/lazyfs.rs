//! `stormglass lazyfs`: the process that serves a node's data folder from memory.

use super::Failure;
use crate::cli::LazyfsArgs;
use lazyfs::{NameRule, Start};
use results::Exit;
use std::os::fd::AsFd;
use std::process::ExitCode;

/// Serves until it is told to end or its mount is gone.
pub fn lazyfs(args: &LazyfsArgs) -> Result<ExitCode, Failure> {
    let rule = if args.strict_names { NameRule::Strict } else { NameRule::Journal };
    let start = Start { socket: args.socket.clone(), from: args.from.clone(), rule, seed: args.seed };
    let mounted = std::io::stdin().as_fd().try_clone_to_owned().map_err(Failure::internal)?;
    lazyfs::serve(&start, mounted).map_err(Failure::internal)?;
    Ok(Exit::Pass.into())
}
