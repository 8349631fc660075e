//! `stormglass bench`: the figures of the README and the notes, measured. One file a thing measured.

mod broker;
mod checker;
mod cluster;
mod load;

use super::Failure;
use crate::cli::{Bench, BenchArgs};
use results::Exit;

/// Measures and prints.
pub fn bench(args: &BenchArgs) -> Result<Exit, Failure> {
    match args.what {
        Bench::Broker => broker::bench(args.times.unwrap_or(3).clamp(1, 100), &args.against),
        Bench::Cluster => cluster::bench(args.times.unwrap_or(5).clamp(1, 1000)),
        Bench::Load => load::bench(args.times.unwrap_or(3).clamp(1, 100)),
        Bench::Checker => checker::bench(args),
    }
}
