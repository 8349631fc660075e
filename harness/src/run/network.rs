//! The proxy before every node of a run: started before the nodes, told the network, asked for its counters.

use super::processes::Processes;
use crate::commands::Failure;
use crate::guard::{ChildId, Signal};
use crate::systems::{Launch, NodePlan, NodeRole, Owned};
use crate::wait;
use nemesis::cluster::Refusal;
use nemesis::network::{Network, Traffic};
use nemesis::proxy::{DoorSpec, Proxy, ProxySpec, Speech};
use results::json;
use std::path::Path;
use std::time::Duration;

const ANSWER_DEADLINE: Duration = Duration::from_secs(20);

/// The hold on the network; without a proxy there is none, and it is always clear.
#[derive(Debug, Default)]
pub struct Hold {
    proxy: Option<(Proxy, ChildId)>,
    network: Network,
}

impl Hold {
    /// Starts a proxy with a door before each of these nodes of ours, and waits until it answers.
    pub fn start(
        plans: &[NodePlan],
        advertises: bool,
        folder: &Path,
        processes: &mut Processes,
    ) -> Result<Hold, Failure> {
        let doors = plans.iter().filter(|plan| plan.owned == Owned::Ours).flat_map(|plan| doors(plan, advertises));
        Hold::before(doors.collect(), folder, processes)
    }

    /// Starts a proxy with these doors, and waits until it answers.
    pub fn before(doors: Vec<DoorSpec>, folder: &Path, processes: &mut Processes) -> Result<Hold, Failure> {
        let control = format!("stormglass-proxy-{:032x}", rand::random::<u128>());
        let spec = ProxySpec { control: control.clone(), doors };
        let file = folder.join("proxy.json");
        json::write(&file, &spec).map_err(Failure::internal)?;
        let program = std::env::current_exe().map_err(Failure::internal)?;
        let argv = [program.to_string_lossy().into(), "proxy".into(), "--spec".into(), file.to_string_lossy().into()];
        let output = folder.join("proxy.log");
        let life = processes.spawn(&argv, &Launch::default(), &output).map_err(Failure::internal)?;
        let found = wait::until(ANSWER_DEADLINE, || match Proxy::connect(&control) {
            Ok(proxy) => Some(Ok(proxy)),
            Err(error) => processes.ended(life.child).map(|_| Err(error)),
        });
        match found {
            Some(Ok(proxy)) => Ok(Hold { proxy: Some((proxy, life.child)), network: Network::default() }),
            Some(Err(error)) => Err(Failure::internal(format!("{error}{}", super::bring_up::last_lines(&output)))),
            None => Err(Failure::internal("the proxy did not answer in time")),
        }
    }

    /// Ends the proxy.
    pub fn end(self, processes: &mut Processes) {
        if let Some((_, child)) = self.proxy {
            let _ = processes.signal(child, Signal::Kill);
            let _ = processes.wait_ended(child, ANSWER_DEADLINE);
        }
    }

    /// How the network is held, in words; nothing where it is not.
    pub fn how(&self) -> Option<&'static str> {
        self.proxy.as_ref().map(|_| "a proxy before every node, in user space")
    }

    /// True once the proxy has ended: nobody is reached any more.
    pub fn is_gone(&self, processes: &mut Processes) -> bool {
        self.proxy.as_ref().is_some_and(|(_, child)| processes.ended(*child).is_some())
    }

    /// The network as it was last set.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// Puts a network into force.
    pub fn set(&mut self, network: &Network) -> Result<(), Refusal> {
        match &mut self.proxy {
            Some((proxy, _)) => proxy.set(network).map_err(|e| Refusal(e.to_string()))?,
            None if network.is_clear() => (),
            None => return Err(Refusal("there is no proxy before the nodes".into())),
        }
        self.network = network.clone();
        Ok(())
    }

    /// Every link's counters.
    pub fn traffic(&mut self) -> Result<Vec<Traffic>, Refusal> {
        match &mut self.proxy {
            Some((proxy, _)) => proxy.traffic().map_err(|e| Refusal(e.to_string())),
            None => Ok(Vec::new()),
        }
    }
}

/// The doors of a node: where clients and other brokers speak to it, and where it votes if that is elsewhere.
fn doors(plan: &NodePlan, advertises: bool) -> Vec<DoorSpec> {
    let speech = match (plan.role, advertises) {
        (NodeRole::Controller, _) => Speech::Opaque,
        (NodeRole::Broker, true) => Speech::Kafka,
        (NodeRole::Broker, false) => Speech::KafkaRewritten,
    };
    let own = DoorSpec { node: plan.id, listens: plan.advertised, target: plan.address, speech };
    let votes = plan.voter.map(|seat| DoorSpec {
        node: plan.id,
        listens: seat.advertises,
        target: seat.listens,
        speech: Speech::Opaque,
    });
    std::iter::once(own).chain(votes).collect()
}
