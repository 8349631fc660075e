//! `stormglass fetch`: a system under test is brought into the cache, checked and made ready to start.

use super::{Failure, run};
use crate::cli::{FetchArgs, Fetched};
use crate::java_client;
use crate::run::Processes;
use crate::systems::choice::{self, KafkaSource};
use crate::systems::kafka::Kafka;
use crate::systems::{System, SystemChoice};
use crate::terminal;
use results::Exit;

/// Fetches, or finds that it is there already.
pub fn fetch(args: &FetchArgs) -> Result<Exit, Failure> {
    if args.what == Fetched::JavaClient {
        return java_client(&args.version);
    }
    if !choice::is_release(&args.version) || choice::is_half_a_release(&args.version) {
        return Err(Failure::usage(format!("`{}` is not a release; write e.g. 4.1.0", args.version)));
    }
    let source = KafkaSource::Release(args.version.clone());
    let (kafka, scenario) = (Kafka { source: source.clone() }, run::plain(SystemChoice::Kafka(source)));
    let mut processes = Processes::start().map_err(Failure::internal)?;
    let ready = kafka.prepare(&scenario, &mut processes);
    processes.shutdown().map_err(Failure::internal)?;
    ready?;
    let facts = kafka.facts().into_iter().map(|(name, value)| format!("{name:12} {value}"));
    let lines: Vec<String> = kafka.place().into_iter().chain(facts).collect();
    terminal::say(&lines.join("\n"));
    Ok(Exit::Pass)
}

fn java_client(release: &str) -> Result<Exit, Failure> {
    let client = java_client::ready(release).map_err(|text| Failure { exit: Exit::NoBroker, text })?;
    terminal::say(&format!(
        "java         {}\nclass path   {}",
        client.place.program.display(),
        client.place.class_path
    ));
    Ok(Exit::Pass)
}
