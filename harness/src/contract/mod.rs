//! What a configuration promises: from settings with their origins, and what the run does, to claims that are forbidden,
//! allowed to break, or out of scope.
//!
//! Pure. **Invariant:** every claim that may break names the setting it rests on with file and line, the default of the
//! client or broker it rests on, or what the run itself does. Deliberately not here: judging.

mod effective;
mod groups;
mod logs;
#[cfg(test)]
mod tests;
mod text;
mod traits;
mod transactions;

pub use text::lines;
#[allow(unused_imports, reason = "workloads with groups and transactions name all of them")]
pub use traits::{Client, Commits, Damage, Group, Resends, Traits, Transactions};

use crate::settings::{Owner, Settings};
use checker::{Bind, Contract, Gaps, Promises, Retries, Status};

/// What the settings promise to a user of a run with these traits.
pub fn derive(settings: &Settings, traits: &Traits) -> Contract {
    let contract = groups::scope(Contract::durable(), settings, traits);
    logs::allow(transactions::scope(contract, settings, traits), settings, traits)
}

/// Why a loss is to be expected of the faults of such a run, whatever else the settings promise; `None` if it is not.
pub fn overdrawn(settings: &Settings, traits: &Traits) -> Option<String> {
    logs::of_faults(settings, traits)
}

/// What an answer of the system binds in the linearizability scan.
pub fn promises(settings: &Settings, traits: &Traits) -> Promises {
    let mut promises = Promises::durable();
    if logs::loses(settings, traits).is_some() {
        promises.acks = Bind::Free;
    }
    let contract = derive(settings, traits);
    if matches!(contract.status(checker::Claim::NoDuplicate), Status::Allowed { .. }) {
        promises.retries = Retries::Duplicate;
    }
    let compacted = effective::of_topic(settings, "cleanup.policy").value.contains("compact");
    if compacted || traits.transactions != Transactions::None {
        promises.gaps = Gaps::Possible;
    }
    promises.stall_ms_max = transactions::stall_ms_max(settings).unwrap_or(promises.stall_ms_max);
    promises.ended_ms_max = transactions::ended_ms_max(settings, traits);
    if settings.get(Owner::Broker, "replica.selector.class").is_some() {
        (promises.empty_fetches, promises.end_offsets) = (Bind::Free, Bind::Free);
    }
    promises
}
