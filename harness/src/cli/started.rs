//! Processes that a run or a command starts of this program; nobody types these.

use crate::units;
use clap::Args;
use std::path::PathBuf;

/// `broker`.
#[derive(Args, Debug)]
pub struct NodeArgs {
    /// Its .properties file
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
}

/// `calls`.
#[derive(Args, Debug)]
pub struct CallsArgs {
    /// Where it writes
    pub dir: PathBuf,
}

/// `lazyfs`: serves the mounted file system whose descriptor is its standard input.
#[derive(Args, Debug)]
pub struct LazyfsArgs {
    /// Where it takes orders
    #[arg(long, value_name = "FILE")]
    pub socket: PathBuf,
    /// The folder whose content it takes in
    #[arg(long, value_name = "DIR")]
    pub from: PathBuf,
    /// Names become durable by an fsync of their folder only, not by any fsync
    #[arg(long)]
    pub strict_names: bool,
    /// Chooses which reads and writes fail
    #[arg(long, value_parser = units::seed, value_name = "HEX", default_value = "0")]
    pub seed: u64,
}

/// `client`.
#[derive(Args, Debug)]
pub struct ClientArgs {
    /// Its specification
    #[arg(long, value_name = "FILE")]
    pub spec: PathBuf,
}
