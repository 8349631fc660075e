//! The planted injector that does nothing: every harm is reported as done, and none is.
//!
//! What is observed is passed on as it is. A run with it must not be green: it is how evidence and floors are tested.

use crate::actor::{Actor, ClientId, ClientPart};
use crate::cluster::{
    Appends, Cluster, Duties, Exit, Life, LogRoles, NodePart, NodeState, Probe, Reaped, Refusal, SIGKILL,
};
use crate::disk::{Damage, DiskCounts, DiskFault, Wreck};
use crate::network::{Network, Traffic};
use crate::skew::{ClockReading, Skew};
use history::{LogId, Nanos, NodeId, Offset};

/// A cluster that nothing harms.
pub struct Noop<'a>(pub &'a mut dyn Cluster);

impl Noop<'_> {
    fn pretend(&self, who: Actor, exit: Exit) -> Result<Reaped, Refusal> {
        let life = self.0.state(who).life();
        life.map(|life| Reaped { pid: life.pid, exit }).ok_or_else(|| Refusal("there is no process".into()))
    }
}

impl Cluster for Noop<'_> {
    fn kill(&mut self, who: Actor) -> Result<Reaped, Refusal> {
        self.pretend(who, Exit::Signal(SIGKILL))
    }

    fn terminate(&mut self, who: Actor) -> Result<Reaped, Refusal> {
        self.pretend(who, Exit::Code(0))
    }

    fn pause(&mut self, _: Actor) -> Result<(), Refusal> {
        Ok(())
    }

    fn set_network(&mut self, _: &Network) -> Result<(), Refusal> {
        Ok(())
    }

    fn break_disk(&mut self, _: NodeId, _: DiskFault) -> Result<(), Refusal> {
        Ok(())
    }

    fn wreck_disk(&mut self, _: NodeId, _: Wreck, _: u64) -> Result<Damage, Refusal> {
        Ok(Damage::default())
    }

    fn skew_clock(&mut self, _: Actor, _: Skew) -> Result<(), Refusal> {
        Ok(())
    }

    fn now(&self) -> Nanos {
        self.0.now()
    }

    fn nodes(&self) -> Vec<(NodeId, NodePart)> {
        self.0.nodes()
    }

    fn clients(&self) -> Vec<(ClientId, ClientPart)> {
        self.0.clients()
    }

    fn state(&self, who: Actor) -> NodeState {
        self.0.state(who)
    }

    fn resume(&mut self, who: Actor) -> Result<(), Refusal> {
        self.0.resume(who)
    }

    fn start(&mut self, who: Actor) -> Result<Life, Refusal> {
        self.0.start(who)
    }

    fn roles(&mut self) -> Vec<LogRoles> {
        self.0.roles()
    }

    fn duties(&mut self) -> Duties {
        self.0.duties()
    }

    fn appends(&self, log: LogId) -> Appends {
        self.0.appends(log)
    }

    fn log_ends(&mut self, log: LogId) -> Vec<(NodeId, Offset)> {
        self.0.log_ends(log)
    }

    fn probe(&mut self, node: NodeId, timeout_ms: u64) -> Probe {
        self.0.probe(node, timeout_ms)
    }

    fn process_state(&self, who: Actor) -> Option<char> {
        self.0.process_state(who)
    }

    fn network(&self) -> Network {
        self.0.network()
    }

    fn traffic(&mut self) -> Result<Vec<Traffic>, Refusal> {
        self.0.traffic()
    }

    fn round_trip(&mut self, node: NodeId, timeout_ms: u64) -> Option<u64> {
        self.0.round_trip(node, timeout_ms)
    }

    fn mend(&mut self, who: Actor) -> Result<(), Refusal> {
        self.0.mend(who)
    }

    fn disk_counts(&mut self, node: NodeId) -> Result<DiskCounts, Refusal> {
        self.0.disk_counts(node)
    }

    fn clock_reading(&mut self, who: Actor) -> Result<ClockReading, Refusal> {
        self.0.clock_reading(who)
    }
}
