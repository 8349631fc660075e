//! What is promised of groups: who is handed a record how often, and what becomes of positions.

use super::effective::{client, of_broker};
use super::logs::{fragile, rewrites};
use super::traits::{Client, Commits, Group, Traits};
use crate::settings::{Owner, Settings};
use checker::{Claim, Contract};

const ALL: [Claim; 5] = [
    Claim::CommittedOffsetMonotonic,
    Claim::GroupAtLeastOnce,
    Claim::GroupAtMostOnce,
    Claim::OneOwner,
    Claim::GenerationFenced,
];

/// The contract with the claims of groups.
pub(super) fn scope(contract: Contract, settings: &Settings, traits: &Traits) -> Contract {
    let Group::Member(commits) = traits.group else {
        return ALL.into_iter().fold(contract, |c, claim| c.out_of_scope(claim, "the workload has no groups"));
    };
    let mut contract = ALL.into_iter().fold(contract, Contract::forbid).allow(Claim::OneOwner, owner(settings, traits));
    let moment = moment(settings, traits, commits);
    let vanish = positions_vanish(settings, traits).or_else(|| rewrites(settings, traits));
    if let Some(because) = moment.skips.or_else(|| resets(settings, traits, &vanish)) {
        contract = contract.allow(Claim::GroupAtLeastOnce, because);
    }
    if let Some(because) = moment.repeats.or_else(|| vanish.clone()) {
        contract = contract.allow(Claim::GroupAtMostOnce, because);
    }
    match vanish {
        Some(because) => contract.allow(Claim::CommittedOffsetMonotonic, because),
        None => contract,
    }
}

/// A member that is silent for too long loses its logs before it hears of it.
fn owner(settings: &Settings, traits: &Traits) -> String {
    let timeout = client(settings, traits.client, Owner::Consumer, "session.timeout.ms");
    format!("a member silent for longer than {} reads on until it hears that it was replaced", timeout.because)
}

/// What the moment of storing a position allows.
struct Moment {
    skips: Option<String>,
    repeats: Option<String>,
}

fn moment(settings: &Settings, traits: &Traits, commits: Commits) -> Moment {
    let after = || Some("what was handed over since the last commit is handed over again after a crash".to_owned());
    let before = || Some("positions are stored before records are processed".to_owned());
    match commits {
        Commits::BySettings => by_settings(settings, traits),
        Commits::BeforeProcessing => Moment { skips: before(), repeats: None },
        Commits::AfterProcessing | Commits::InTransaction | Commits::WithEffect => {
            Moment { skips: None, repeats: after() }
        }
    }
}

/// librdkafka marks a record as done just before it hands it over and a timer commits it; the Java client commits in a poll
/// what the poll before had returned.
fn by_settings(settings: &Settings, traits: &Traits) -> Moment {
    let of = |name| client(settings, traits.client, Owner::Consumer, name);
    let (commit, store) = (of("enable.auto.commit"), of("enable.auto.offset.store"));
    if !commit.on() {
        let repeats = Some(format!("{} and nobody else stores positions", commit.because));
        return Moment { skips: None, repeats };
    }
    let early = traits.client != Client::Java && store.on();
    let skips = early.then(|| format!("{} with {}: done before it is processed", commit.because, store.because));
    Moment { skips, repeats: Some(format!("{}, by a timer", commit.because)) }
}

/// Why a group without a valid position may begin at the end, if it may come to that.
fn resets(settings: &Settings, traits: &Traits, vanish: &Option<String>) -> Option<String> {
    let reset = client(settings, traits.client, Owner::Consumer, "auto.offset.reset");
    let to_end = matches!(reset.value.as_str(), "latest" | "largest" | "end");
    vanish.as_ref().filter(|_| to_end).map(|because| format!("{}, and {because}", reset.because))
}

/// Why the coordinators' own log may lose a position, if it may.
fn positions_vanish(settings: &Settings, traits: &Traits) -> Option<String> {
    let of = |name| of_broker(settings, name);
    let replicas = of("offsets.topic.replication.factor");
    if replicas.number(1) <= 1 {
        return Some(replicas.because);
    }
    let traits = Traits { replicas: replicas.number(1).min(u64::from(u16::MAX)) as u16, ..*traits };
    let (unclean, flush) = (of("unclean.leader.election.enable"), of("log.flush.interval.messages"));
    fragile(&of("min.insync.replicas"), &unclean, &flush, &traits)
}
