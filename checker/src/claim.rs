//! The claims: each one property of a run, with its short name, the name Jepsen's users know it by, a line, a source.
//!
//! **Invariant:** a name, once published, never changes its meaning: contracts, reports and exit codes are keyed by it.
//! Claims about processes rather than histories (crashes, recovery time) belong to the harness.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// One property that a run can keep or break.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[repr(u8)]
pub enum Claim {
    /// See [`Claim::meaning`], as for all of them.
    NoAckedLoss,
    /// Every acknowledged record that still exists is readable once all is healed.
    AllReadAfterHeal,
    /// Retention took nothing that nobody had read.
    NoUnreadTrim,
    /// No value stands at two offsets of a log.
    NoDuplicate,
    /// No offset of a log has two values.
    OneValuePerOffset,
    /// What was read at an offset is what is read there ever after, from any replica.
    StablePrefix,
    /// An acknowledged offset is where the record stands.
    TrueAck,
    /// A writer's records stand in the order it handed them over.
    ProducerOrder,
    /// A reader's offsets rise.
    ConsumerOrder,
    /// A reader passes over no record.
    NoSkip,
    /// What definitely failed or was aborted is never read.
    NoAbortedRead,
    /// A transaction is visible whole or not at all.
    AtomicTxn,
    /// No transaction reads its own uncommitted records.
    NoOwnUncommittedRead,
    /// A group's stored position never goes back.
    CommittedOffsetMonotonic,
    /// Transactions have no forbidden dependency cycle.
    TxnCycles,
    /// The log behaves as if each operation took effect at one instant between its invocation and its reply.
    LinearizableLog,
    /// Nothing is read that nobody appended.
    NoPhantom,
    /// No record's bytes fail their checksum.
    NoCorruption,
    /// No record is read from a log it was not appended to.
    NoMisroute,
    /// High watermark, last stable offset, log start and epoch never go back.
    MonotoneObservables,
    /// Transactions behave as if they ran one after another, writes, reads and real time included.
    TxnSerializable,
    /// A group is handed every record of its logs.
    GroupAtLeastOnce,
    /// A group is handed no record twice.
    GroupAtMostOnce,
    /// No two members of a group own a log at one time.
    OneOwner,
    /// What belongs to an old generation of a group changes nothing.
    GenerationFenced,
    /// What one operation appends to a log stands together.
    ContiguousSends,
}

/// What there is to say of a claim.
struct Card {
    claim: Claim,
    name: &'static str,
    jepsen: Option<&'static str>,
    meaning: &'static str,
    source: &'static str,
}

const fn card(
    claim: Claim,
    name: &'static str,
    jepsen: Option<&'static str>,
    meaning: &'static str,
    source: &'static str,
) -> Card {
    Card { claim, name, jepsen, meaning, source }
}

const KAFKA_CLJ: &str = "Jepsen tests/kafka.clj";

#[rustfmt::skip]
const CARDS: [Card; 26] = [
    card(Claim::NoAckedLoss, "no-acked-loss", Some("lost-write"), "every acknowledged record can still be read at the end", KAFKA_CLJ),
    card(Claim::AllReadAfterHeal, "all-read-after-heal", Some("unseen"), "every acknowledged record that still exists is read once everything is healed", KAFKA_CLJ),
    card(Claim::NoUnreadTrim, "no-unread-trim", None, "retention removes no acknowledged record that nobody had read", "KIP-107"),
    card(Claim::NoDuplicate, "no-duplicate", Some("duplicate"), "no value stands at two offsets of one log", "KIP-98"),
    card(Claim::OneValuePerOffset, "one-value-per-offset", Some("inconsistent-offsets"), "no offset of a log is told with two values", KAFKA_CLJ),
    card(Claim::StablePrefix, "stable-prefix", None, "an offset once read never changes, at any time, on any replica", "KIP-101, KIP-279"),
    card(Claim::TrueAck, "true-ack", None, "an acknowledged offset is the one the record stands at", "KAFKA-13574"),
    card(Claim::ProducerOrder, "producer-order", Some("nonmonotonic-send"), "a writer's records stand in the order it handed them over", "KIP-98"),
    card(Claim::ConsumerOrder, "consumer-order", Some("nonmonotonic-poll"), "a reader's offsets rise until it is given the log anew", KAFKA_CLJ),
    card(Claim::NoSkip, "no-skip", Some("poll-skip"), "a reader passes over no offset that carries a record", KAFKA_CLJ),
    card(Claim::NoAbortedRead, "no-aborted-read", Some("G1a"), "a record whose append failed or was aborted is never read", "Adya 1999"),
    card(Claim::AtomicTxn, "atomic-txn", Some("torn transactions"), "a transaction's records become visible all or none", "KIP-98"),
    card(Claim::NoOwnUncommittedRead, "no-own-uncommitted-read", Some("precommitted-read"), "no transaction reads what it has itself not committed yet", KAFKA_CLJ),
    card(Claim::CommittedOffsetMonotonic, "committed-offset-monotonic", None, "a group's stored position is never older than one stored before", "KAFKA-20634"),
    card(Claim::TxnCycles, "txn-cycles", Some("G0/G1c"), "no cycle of dependencies that the isolation level forbids", "Adya 1999; Elle, VLDB 2020"),
    card(Claim::LinearizableLog, "linearizable-log", None, "every operation on a log takes effect at one instant between invocation and reply", "Herlihy & Wing 1990"),
    card(Claim::NoPhantom, "no-phantom", Some("no-writer-of-value"), "nothing is read that nobody appended", KAFKA_CLJ),
    card(Claim::NoCorruption, "no-corruption", None, "no record's bytes fail their checksum", "RFC 3720 (CRC-32C)"),
    card(Claim::NoMisroute, "no-misroute", Some("no-writer-of-value"), "no record is read from a log it was not appended to", KAFKA_CLJ),
    card(Claim::MonotoneObservables, "monotone-observables", None, "high watermark, last stable offset, log start and leader epoch never go back", "KIP-207, KIP-101"),
    card(Claim::TxnSerializable, "txn-serializable", Some("G0, G-single, G2"), "transactions behave as if they ran one after another", "Adya 1999; Elle, VLDB 2020"),
    card(Claim::GroupAtLeastOnce, "group-at-least-once", None, "a group is handed every record of its logs", "KIP-62"),
    card(Claim::GroupAtMostOnce, "group-at-most-once", None, "a group is handed no record twice", "KIP-98"),
    card(Claim::OneOwner, "one-owner", None, "no two members of a group own a log at one time", "KIP-429"),
    card(Claim::GenerationFenced, "generation-fenced", None, "an old generation of a group owns and commits nothing", "KIP-62, KIP-345"),
    card(Claim::ContiguousSends, "contiguous-sends", Some("int-send-skip"), "what one operation appends to a log stands together", KAFKA_CLJ),
];

impl Claim {
    /// Every claim, in the order of reports.
    pub const ALL: [Claim; CARDS.len()] = {
        let mut all = [Claim::NoAckedLoss; CARDS.len()];
        let mut i = 0;
        while i < CARDS.len() {
            all[i] = CARDS[i].claim;
            i += 1;
        }
        all
    };

    fn card(self) -> &'static Card {
        &CARDS[self as usize]
    }

    /// Short name, as typed and printed.
    pub fn name(self) -> &'static str {
        self.card().name
    }

    /// The name Jepsen's users know the violation by.
    pub fn jepsen(self) -> Option<&'static str> {
        self.card().jepsen
    }

    /// What holds if the claim holds, one line.
    pub fn meaning(self) -> &'static str {
        self.card().meaning
    }

    /// Where the property is defined or the bug that made it worth a name.
    pub fn source(self) -> &'static str {
        self.card().source
    }
}

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// No claim has this name.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("no claim is called {0:?}")]
pub struct UnknownClaim(pub String);

impl FromStr for Claim {
    type Err = UnknownClaim;

    fn from_str(name: &str) -> Result<Claim, UnknownClaim> {
        Claim::ALL.into_iter().find(|c| c.name() == name).ok_or_else(|| UnknownClaim(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_claim_stands_at_its_own_place_and_is_found_by_its_name() {
        for (i, claim) in Claim::ALL.into_iter().enumerate() {
            assert_eq!((claim as usize, claim.name().parse()), (i, Ok(claim)));
            assert_eq!(serde_json::to_string(&claim).unwrap(), format!("{:?}", claim.name()));
        }
        assert_eq!("no-loss".parse::<Claim>(), Err(UnknownClaim("no-loss".into())));
    }
}
