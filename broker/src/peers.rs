//! Connections to other brokers for a question now and then: verification and markers of transactions.
//!
//! An idle connection is used again; one that failed, or whose answer came late, is dropped. Not here: replication, which
//! has connections of its own.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kafka_protocol::protocol::Request;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use crate::ids::NodeId;
use crate::metadata::ClusterImage;
use crate::replication::peer::{Peer, PeerError};

const ANSWER_BYTES_MAX: usize = 1 << 20;
const IDLE_MAX: usize = 8;

type Address = (String, u16);

/// See the module.
pub struct Peers {
    image: watch::Receiver<Arc<ClusterImage>>,
    idle: Mutex<HashMap<Address, Vec<Peer>>>,
}

impl Peers {
    /// No connections yet; addresses are those of the newest image.
    pub fn new(image: watch::Receiver<Arc<ClusterImage>>) -> Peers {
        Peers { image, idle: Mutex::default() }
    }

    /// Asks a broker and waits for its answer. What is asked must do no harm when it is done twice.
    ///
    /// # Errors
    /// [`PeerError`]: nobody can tell whether it was done.
    pub async fn ask<R: Request>(
        &self,
        node: NodeId,
        request: &R,
        version: i16,
        patience: Duration,
    ) -> Result<R::Response, PeerError> {
        let known = self.image.borrow().brokers.get(&node).map(|broker| (broker.host.clone(), broker.port));
        let (address, deadline) = (known.ok_or(PeerError::Closed)?, Instant::now() + patience);
        if let Some(mut peer) = self.take(&address)
            && let Ok(answer) = timeout_at(deadline, peer.ask(request, version, patience)).await?
        {
            self.keep(address, peer);
            return Ok(answer);
        }
        let mut peer = Peer::connect(&address.0, address.1, patience, ANSWER_BYTES_MAX).await?;
        let answer = timeout_at(deadline, peer.ask(request, version, patience)).await??;
        self.keep(address, peer);
        Ok(answer)
    }

    fn take(&self, address: &Address) -> Option<Peer> {
        self.lock().get_mut(address)?.pop()
    }

    fn keep(&self, address: Address, peer: Peer) {
        let mut idle = self.lock();
        let kept = idle.entry(address).or_default();
        if kept.len() < IDLE_MAX {
            kept.push(peer);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Address, Vec<Peer>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
