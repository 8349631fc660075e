//! Who has the duties that one node of the cluster has at a time: asked of the brokers at that moment, never remembered.
//!
//! Every broker is asked until one answers: a coordinator that has just died is still told by those who have not heard of it,
//! which is what a client would be told too. That the one who was told then has the process it had is seen to elsewhere.

use super::live::CLIENT;
use history::NodeId;
use nemesis::cluster::Duties;
use workloads::clock::Deadline;
use workloads::wire::producer_id::CoordinatorOf;
use workloads::wire::{Connection, WireError};

const ANSWER_MS_MAX: u64 = 1_000;

/// Whom to ask, and what about.
pub struct Asking {
    /// `host:port` of the brokers that run, past every proxy.
    pub brokers: Vec<String>,
    /// The controller, if there is one alone: it is the active one.
    pub only_controller: Option<NodeId>,
    /// The consumers' group.
    pub group: Option<String>,
    /// A producer's transactional id.
    pub transactional_id: Option<String>,
}

/// Asks.
pub fn ask(asking: &Asking) -> Duties {
    let coordinator = |of, key: &Option<String>| {
        let key = key.as_ref()?;
        first(&asking.brokers, |broker, deadline| Ok(Some(broker.find_coordinator(of, key, deadline)?.0)))
    };
    let active = || first(&asking.brokers, |broker, deadline| broker.active_controller(deadline));
    Duties {
        controller: asking.only_controller.or_else(active),
        group_coordinator: coordinator(CoordinatorOf::Group, &asking.group),
        transaction_coordinator: coordinator(CoordinatorOf::Transaction, &asking.transactional_id),
    }
}

/// The first node that any of them tells.
fn first(
    brokers: &[String],
    mut question: impl FnMut(&mut Connection, Deadline) -> Result<Option<NodeId>, WireError>,
) -> Option<NodeId> {
    brokers.iter().find_map(|address| {
        let deadline = Deadline::in_ms(ANSWER_MS_MAX);
        let mut broker = Connection::open(address, CLIENT, deadline).ok()?;
        question(&mut broker, deadline).ok().flatten()
    })
}
