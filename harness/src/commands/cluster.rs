//! `stormglass cluster`: the system under test, up and untouched, for any other client.

use super::{Failure, run};
use crate::cli::ClusterArgs;
use crate::run::{Interrupt, Processes, bring_up};
use crate::{systems, terminal};
use results::Exit;
use std::path::PathBuf;
use std::time::Duration;

const LOOK: Duration = Duration::from_millis(100);

/// Starts a cluster, says where it answers, and ends it when asked to.
pub fn cluster(args: &ClusterArgs) -> Result<Exit, Failure> {
    let scenario = run::quiet(&args.system)?;
    run::refuse(&scenario)?;
    let mut processes = Processes::start().map_err(Failure::internal)?;
    let interrupt = Interrupt::listen().map_err(Failure::internal)?;
    systems::of(&scenario.system).prepare(&scenario, &mut processes)?;
    let temporary = tempfile::tempdir().map_err(Failure::internal)?;
    let folder: PathBuf = args.dir.clone().unwrap_or_else(|| temporary.path().to_owned());
    let mut cluster = bring_up(&scenario, &folder, &mut processes)?;
    terminal::say(&format!(
        "bootstrap.servers {}\ntopic             {} with {} partitions\nfolder            {}\nCtrl-C ends it.",
        cluster.nodes.bootstrap().join(","),
        cluster.topic,
        scenario.cluster.partitions,
        folder.display(),
    ));
    let exit = loop {
        cluster.nodes.notice(&mut processes);
        if let Some(surprise) = cluster.nodes.surprises().first() {
            break Err(Failure::internal(format!("node {} ended: {:?}", surprise.node.0, surprise.ended)));
        }
        if interrupt.heard().is_some() {
            break Ok(Exit::Pass);
        }
        processes.wait_event(LOOK);
    };
    cluster.nodes.stop_all(&mut processes, Duration::from_secs(10));
    processes.shutdown().map_err(Failure::internal)?;
    exit
}
