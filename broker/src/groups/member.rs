//! One member of a group.

use bytes::Bytes;

use super::Waiter;
use super::settings::Now;

/// How long a member that was never told its id may wait for its first answer; it cannot send heartbeats yet.
pub const NEWCOMER_MS_MAX: u64 = 5 * 60 * 1000;

/// A way of sharing out work that a member can do, with what the leader must know of the member for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Protocol {
    /// `range`, `cooperative-sticky`, …
    pub name: String,
    /// The member's subscription, opaque here.
    pub metadata: Bytes,
}

/// Who a member is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Given by the coordinator, new with every join that does not know its id.
    pub id: String,
    /// `group.instance.id` of a static member (KIP-345).
    pub instance: Option<String>,
    /// `client.id`
    pub client: String,
    /// Address it was seen at.
    pub host: String,
}

/// What a member offers when it joins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Longest time it may take to join again.
    pub rebalance_timeout_ms: u64,
    /// Longest silence.
    pub session_timeout_ms: u64,
    /// What it can do, best first.
    pub protocols: Vec<Protocol>,
}

/// What a member waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waits {
    /// For nothing.
    Nothing,
    /// For the members of the next generation.
    Join(Waiter),
    /// For its assignment.
    Sync(Waiter),
}

/// Whether a member was ever told that it is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It has not been in a generation yet.
    New,
    /// It has.
    Known,
}

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Who it is.
    pub who: Identity,
    /// What it offers.
    pub offer: Offer,
    /// Its share of the work in this generation, opaque here.
    pub assignment: Bytes,
    /// What it waits for.
    pub waits: Waits,
    /// Whether it was in a generation.
    pub standing: Standing,
    /// When its session ends, on the monotonic clock.
    pub deadline_ms: u64,
}

impl Member {
    /// A member that waits for its first generation.
    pub fn new(who: Identity, offer: Offer, waiter: Waiter, now: Now) -> Member {
        let deadline_ms = now.mono_ms + NEWCOMER_MS_MAX;
        let (waits, standing) = (Waits::Join(waiter), Standing::New);
        Member { who, offer, assignment: Bytes::new(), waits, standing, deadline_ms }
    }

    /// Starts its session anew.
    pub fn heard(&mut self, now: Now) {
        self.deadline_ms = now.mono_ms + self.offer.session_timeout_ms;
    }

    /// When silence ends it: a member that waits for us is not silent, unless it never learnt its id.
    pub fn ends_ms(&self) -> Option<u64> {
        let silent = self.waits == Waits::Nothing || self.standing == Standing::New;
        silent.then_some(self.deadline_ms)
    }

    /// Whether it takes part in the rebalance under way.
    pub fn joins(&self) -> bool {
        matches!(self.waits, Waits::Join(_))
    }

    /// Takes what it waited for as joiner.
    pub fn take_join(&mut self) -> Option<Waiter> {
        let Waits::Join(waiter) = self.waits else { return None };
        self.waits = Waits::Nothing;
        Some(waiter)
    }

    /// Takes what it waited for as one who syncs.
    pub fn take_sync(&mut self) -> Option<Waiter> {
        let Waits::Sync(waiter) = self.waits else { return None };
        self.waits = Waits::Nothing;
        Some(waiter)
    }

    /// What it said for this protocol; nothing if it cannot do it.
    pub fn metadata(&self, protocol: &str) -> Bytes {
        let found = self.offer.protocols.iter().find(|offered| offered.name == protocol);
        found.map(|offered| offered.metadata.clone()).unwrap_or_default()
    }

    /// Whether it can do this protocol.
    pub fn can(&self, protocol: &str) -> bool {
        self.offer.protocols.iter().any(|offered| offered.name == protocol)
    }
}
