//! What a configuration promises: from settings with their origins to claims that are forbidden or allowed to break.
//!
//! Pure. Every `Allowed` names the setting it rests on with file and line. Deliberately not here: judging.

use crate::settings::{Owner, Settings};
use checker::{Bind, Claim, Contract, Promises, Retries};

/// What the settings promise to a user.
pub fn derive(settings: &Settings) -> Contract {
    let mut contract = Contract::durable();
    if let Some(because) = loses(settings) {
        for claim in [Claim::NoAckedLoss, Claim::OneValuePerOffset, Claim::LinearizableLog] {
            contract = contract.allow(claim, &*because);
        }
    }
    if let Some(because) = forgets_what_was_read(settings) {
        for claim in [Claim::StablePrefix, Claim::MonotoneObservables, Claim::NoSkip, Claim::ConsumerOrder] {
            contract = contract.allow(claim, &*because);
        }
    }
    if !is(settings, Owner::Producer, "enable.idempotence", "true") {
        let because = settings.cite(Owner::Producer, "enable.idempotence");
        contract = contract.allow(Claim::NoDuplicate, &*because).allow(Claim::TrueAck, &*because);
        if !is(settings, Owner::Producer, "max.in.flight.requests.per.connection", "1") {
            contract = contract.allow(Claim::ProducerOrder, because);
        }
    }
    contract
}

/// What an answer of the system binds in the linearizability scan.
pub fn promises(settings: &Settings) -> Promises {
    let mut promises = Promises::durable();
    if loses(settings).is_some() {
        promises.acks = Bind::Free;
    }
    if !is(settings, Owner::Producer, "enable.idempotence", "true") {
        promises.retries = Retries::Duplicate;
    }
    promises
}

fn is(settings: &Settings, owner: Owner, name: &str, value: &str) -> bool {
    settings.get(owner, name).is_some_and(|s| s.value == value)
}

/// The setting that lets an acknowledged record be lost without any disk lying, if there is one.
fn loses(settings: &Settings) -> Option<String> {
    if settings.acks_are_weak() {
        return Some(settings.cite(Owner::Producer, "acks"));
    }
    forgets_what_was_read(settings)
}

/// The setting that lets even a record that consumers have read be lost, if there is one.
fn forgets_what_was_read(settings: &Settings) -> Option<String> {
    let weak = [("unclean.leader.election.enable", "true"), ("min.insync.replicas", "1"), ("min.insync.replicas", "0")];
    let cited = |owner| weak.iter().find(|(n, v)| is(settings, owner, n, v)).map(|(n, _)| settings.cite(owner, n));
    let overridden = |name: &str| settings.get(Owner::Topic, name).is_some();
    let of_broker = || {
        let found = weak.iter().find(|(n, v)| !overridden(n) && is(settings, Owner::Broker, n, v));
        found.map(|(n, _)| settings.cite(Owner::Broker, n))
    };
    cited(Owner::Topic).or_else(of_broker)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::preset;
    use crate::settings::Origin;
    use checker::Status;

    fn with(owner: Owner, name: &str, value: &str) -> Contract {
        let mut settings = preset::durable();
        settings.set(owner, name, value, Origin::Flag);
        derive(&settings)
    }

    fn allowed(contract: &Contract, claim: Claim) -> bool {
        matches!(contract.status(claim), Status::Allowed { .. })
    }

    #[test]
    fn the_durable_preset_forbids_every_loss() {
        let contract = derive(&preset::durable());
        let claims = [Claim::NoAckedLoss, Claim::NoDuplicate, Claim::ProducerOrder, Claim::StablePrefix];
        assert!(claims.iter().all(|c| *contract.status(*c) == Status::Forbidden));
    }

    #[test]
    fn acks_1_allows_loss_but_not_a_changed_prefix() {
        let contract = with(Owner::Producer, "acks", "1");
        assert!(allowed(&contract, Claim::NoAckedLoss) && !allowed(&contract, Claim::StablePrefix));
        let Status::Allowed { because } = contract.status(Claim::NoAckedLoss) else { panic!() };
        assert_eq!(because, "acks=1 (-X producer:acks=1)");
    }

    #[test]
    fn one_replica_that_acknowledges_alone_allows_both() {
        for (name, value) in [("min.insync.replicas", "1"), ("unclean.leader.election.enable", "true")] {
            let contract = with(Owner::Topic, name, value);
            assert!(allowed(&contract, Claim::NoAckedLoss) && allowed(&contract, Claim::StablePrefix), "{name}");
        }
    }

    #[test]
    fn a_topic_setting_hides_the_brokers() {
        assert!(!allowed(&with(Owner::Broker, "min.insync.replicas", "1"), Claim::NoAckedLoss));
    }

    #[test]
    fn without_idempotence_duplicates_are_allowed() {
        assert!(allowed(&with(Owner::Producer, "enable.idempotence", "false"), Claim::NoDuplicate));
    }
}
