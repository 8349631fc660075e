//! A cluster that somebody else runs: `-b HOST:PORT`. It is loaded, read and judged; nothing of it is started or broken.
//!
//! **Invariant:** no fault reaches it, unless its owner repeats its cluster id (`--i-own-this-cluster ID`), and then only
//! faults of our own clients. The load goes to a topic of its own that did not exist before.

use super::{Capabilities, Capability, Launch, NodePlan, NodeRole, Owned, Seat, System, command};
use crate::scenario::{ClusterShape, Scenario, preset};
use std::net::ToSocketAddrs;
use std::path::Path;
use workloads::clock::Deadline;
use workloads::wire::{self, ClusterView};

/// Somebody's cluster.
pub struct Existing {
    /// `host:port` of some of its brokers.
    pub bootstrap: Vec<String>,
    /// Its cluster id, as repeated by its owner.
    pub owned: Option<String>,
}

const ASK_MS_MAX: u64 = 10_000;
const REPLICAS_MAX: usize = 3;

impl Existing {
    fn ask(&self) -> Result<ClusterView, String> {
        let mut cluster = wire::Cluster::new(&self.bootstrap, "stormglass-controller");
        cluster.metadata(Some(&[]), Deadline::in_ms(ASK_MS_MAX)).map_err(|e| e.to_string())
    }

    /// Says no if the id that was repeated is not the cluster's.
    fn check_owner(&self, view: &ClusterView) -> Result<(), String> {
        match (&self.owned, &view.cluster_id) {
            (None, _) => Ok(()),
            (Some(owned), Some(id)) if owned == id => Ok(()),
            (Some(owned), id) => {
                let id = id.as_deref().unwrap_or("not told");
                Err(format!("--i-own-this-cluster {owned}: the id of the cluster there is {id}"))
            }
        }
    }
}

impl System for Existing {
    fn name(&self) -> &'static str {
        "existing"
    }

    fn version(&self) -> String {
        self.bootstrap.join(",")
    }

    fn capabilities(&self) -> Capabilities {
        use Capability::{Clients, Durable, FlushSettings, Groups, Replication, Transactions};
        let has = [Durable, Replication, Groups, Transactions, FlushSettings];
        let theirs = Capabilities::none("the cluster is somebody else's");
        let theirs = has.into_iter().fold(theirs, Capabilities::with);
        match &self.owned {
            Some(_) => theirs.with(Clients),
            None => theirs.without(Clients, "nobody said that the cluster is theirs (--i-own-this-cluster ID)"),
        }
    }

    /// As many replicas as its brokers allow, 3 at most.
    fn shape(&self) -> ClusterShape {
        let brokers = self.ask().map_or(0, |view| view.brokers.len());
        let replication = brokers.clamp(1, REPLICAS_MAX) as u16;
        ClusterShape { brokers: brokers as u16, controllers: 0, replication, ..preset::CLUSTER }
    }

    fn refuse(&self, scenario: &Scenario) -> Result<(), String> {
        let view = self.ask().map_err(|e| format!("nobody answers at {}: {e}", self.bootstrap.join(",")))?;
        self.check_owner(&view)?;
        command::refuse_ours(scenario)
    }

    fn lay_out(&self, _: &Scenario, folder: &Path, _: &[Seat]) -> std::io::Result<Vec<NodePlan>> {
        let view = self.ask().map_err(std::io::Error::other)?;
        let plan = |(id, address): (&history::NodeId, &String)| {
            let address = address.to_socket_addrs()?.next().ok_or_else(|| std::io::Error::other("no address"))?;
            let folder = folder.join(id.0.to_string());
            let (data, stdout) = (folder.join("data"), folder.join("stdout.log"));
            Ok(NodePlan {
                id: *id,
                role: NodeRole::Broker,
                owned: Owned::Theirs,
                argv: Vec::new(),
                launch: Launch::default(),
                address,
                advertised: address,
                voter: None,
                folder,
                data,
                stdout,
            })
        };
        view.brokers.iter().map(plan).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_clusters_own_id_makes_an_owner() {
        let view = ClusterView { cluster_id: Some("abc".into()), ..ClusterView::default() };
        let check =
            |owned: Option<&str>| Existing { bootstrap: Vec::new(), owned: owned.map(Into::into) }.check_owner(&view);
        assert!(check(None).is_ok() && check(Some("abc")).is_ok());
        assert!(check(Some("abd")).unwrap_err().contains("is abc"));
    }

    #[test]
    fn nothing_of_it_can_be_broken() {
        let has = Existing { bootstrap: Vec::new(), owned: Some("abc".into()) }.capabilities();
        let (kept, _) = has.sift(&nemesis::Mix::default());
        assert!(kept.is_none() && has.lacks(Capability::Processes).is_some());
    }

    #[test]
    fn only_its_owner_lets_clients_be_broken_before_it() {
        let mix = "pause-producer,kill-consumer,isolate-consumer,kill-leader,drop-response-produce".parse().unwrap();
        let kept = |owned: Option<&str>| {
            let has = Existing { bootstrap: Vec::new(), owned: owned.map(Into::into) }.capabilities();
            has.sift(&mix).0.to_string()
        };
        assert_eq!((kept(Some("abc")).as_str(), kept(None).as_str()), ("kill-consumer,pause-producer", "none"));
    }
}
