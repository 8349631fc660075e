//! What all tasks of the proxy share: the network in force, the counters, and how often each frame rule was applied.

use super::spec::ProxySpec;
use super::who::Who;
use crate::actor::Actor;
use crate::network::{Counts, FrameRule, Network, Tampering, Traffic};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use tokio::sync::watch;

/// Connections at the same time; more are turned away.
pub(super) const CONNECTIONS_MAX: usize = 8192;

/// By link.
type Counters = BTreeMap<(Actor, Actor), Rc<Cell<Counts>>>;

/// The shared state.
pub(super) struct Switch {
    pub(super) spec: Rc<ProxySpec>,
    pub(super) who: Who,
    pub(super) connections: Cell<usize>,
    network: watch::Sender<Arc<Network>>,
    counts: RefCell<Counters>,
    applied: RefCell<Vec<Applied>>,
}

#[derive(Clone, Copy, Default)]
struct Applied {
    seen: u32,
    done: u32,
}

impl Switch {
    pub(super) fn new(spec: Rc<ProxySpec>, who: Who) -> Switch {
        Switch {
            spec,
            who,
            connections: Cell::new(0),
            network: watch::Sender::new(Arc::default()),
            counts: RefCell::default(),
            applied: RefCell::default(),
        }
    }

    /// Puts a network into force: from now on nobody forwards a byte without having seen it.
    pub(super) fn set(&self, network: Network) {
        *self.applied.borrow_mut() = vec![Applied::default(); network.frames.len()];
        self.network.send_replace(Arc::new(network));
    }

    /// The network, and word of every change.
    pub(super) fn watch(&self) -> watch::Receiver<Arc<Network>> {
        self.network.subscribe()
    }

    /// The counters of a link.
    pub(super) fn counter(&self, from: Actor, to: Actor) -> Rc<Cell<Counts>> {
        self.counts.borrow_mut().entry((from, to)).or_default().clone()
    }

    /// Every link's counters.
    pub(super) fn traffic(&self) -> Vec<Traffic> {
        let traffic = |(&(from, to), counts): (&(Actor, Actor), &Rc<Cell<Counts>>)| {
            let counts = counts.get();
            Traffic { from, to, counts }
        };
        self.counts.borrow().iter().map(traffic).collect()
    }

    /// What is to be done to this request, if anything; counts it.
    pub(super) fn tamper(&self, from: Actor, to: Actor, api_key: i16) -> Option<Tampering> {
        let network = self.network.borrow();
        let matches = |rule: &FrameRule| rule.from.contains(&from) && rule.to.contains(&to) && rule.api_key == api_key;
        let mut applied = self.applied.borrow_mut();
        for (rule, applied) in network.frames.iter().zip(applied.iter_mut()).filter(|(rule, _)| matches(rule)) {
            applied.seen += 1;
            if (applied.seen - 1) % rule.every.max(1) == 0 && applied.done < rule.times {
                applied.done += 1;
                tally(&self.counter(from, to), |counts| counts.frames += 1);
                return Some(rule.tampering);
            }
        }
        None
    }
}

/// Changes a counter.
pub(super) fn tally(counter: &Cell<Counts>, change: impl FnOnce(&mut Counts)) {
    let mut counts = counter.get();
    change(&mut counts);
    counter.set(counts);
}
