//! A node's controller role: its properties as the controller wants them, and its events in the node's file.

use std::sync::Arc;

use crate::config::Config;
use crate::controller::{self, Controller, ControllerConfig, ControllerFailure};
use crate::evidence::Events;
use crate::metadata::Configs;

const SNAPSHOT_ENTRIES: u64 = 4096;
const DEFAULTS: [&str; 5] = [
    "min.insync.replicas",
    "unclean.leader.election.enable",
    "num.partitions",
    "default.replication.factor",
    "stormglass.bug",
];

/// Starts the controller of this node.
///
/// # Errors
/// [`ControllerFailure`].
pub async fn start(config: &Config, events: &Events) -> Result<Controller, ControllerFailure> {
    controller::start(of(config), Arc::new(events.clone())).await
}

/// Waits until the controller ends, for ever if there is none.
pub async fn ended(controller: Option<&Controller>) -> String {
    match controller {
        Some(controller) => format!("controller: {}", controller.ended().await),
        None => std::future::pending().await,
    }
}

fn of(config: &Config) -> ControllerConfig {
    let values = config.values();
    let defaults: Configs = DEFAULTS.iter().map(|name| ((*name).to_owned(), values.text(name).to_owned())).collect();
    ControllerConfig {
        id: config.node,
        voters: config.voters.iter().map(|voter| (voter.id, voter.address.to_string())).collect(),
        listen: config.controller_listener.as_ref().map(|listener| listener.bind.to_string()),
        data_folder: config.log_dir.clone(),
        election_timeout: values.millis("controller.quorum.election.timeout.ms"),
        fetch_timeout: values.millis("controller.quorum.fetch.timeout.ms"),
        session_timeout: config.session_timeout,
        snapshot_entries: SNAPSHOT_ENTRIES,
        elr: values.flag("eligible.leader.replicas.enable"),
        defaults,
    }
}
