//! Planted bugs: safety rules that can be switched off, to prove that the checker sees.
//!
//! One row a bug. None is active by default; `stormglass.bug=NAME[,NAME…]` in a node's properties switches it on. Each
//! is a single branch at the place where the rule lives (`bugs.has(Bug::…)`): no bug reaches over a module's border.
//! Adding one is a row in the table below, and that branch.

use std::fmt;

macro_rules! bugs {
    ($($variant:ident, $name:literal, breaks $claim:literal, serves $entry:literal, $what:literal;)*) => {
        /// A safety rule that can be broken on purpose.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub enum Bug { $(#[doc = $what] $variant,)* }

        /// Every planted bug.
        pub const ALL: &[Bug] = &[$(Bug::$variant,)*];

        impl Bug {
            /// Its name in `stormglass.bug`.
            pub fn name(self) -> &'static str {
                match self { $(Bug::$variant => $name,)* }
            }

            /// What the broker does wrong, in one line.
            pub fn what(self) -> &'static str {
                match self { $(Bug::$variant => $what,)* }
            }

            /// The checker's claim it breaks.
            pub fn claim(self) -> &'static str {
                match self { $(Bug::$variant => $claim,)* }
            }

            /// The catalogue entry it serves.
            pub fn entry(self) -> &'static str {
                match self { $(Bug::$variant => $entry,)* }
            }
        }
    };
}

bugs! {
    AckBeforeReplicate, "ack-before-replicate", breaks "no-acked-loss", serves "P07",
        "The leader answers acks=all right after its own append, before any follower has the record.";
    ServeBeforeEpochStart, "serve-list-offsets-before-hw-caught-up", breaks "linearizable-log", serves "R12",
        "A new leader answers ListOffsets from its old high watermark before it reached the start of its epoch.";
    FencingOff, "fetch-epoch-fencing-off", breaks "stable-prefix", serves "R09",
        "The leader accepts fetches whatever epochs they carry: the leader's, the broker's, or that of the last record.";
    TruncateToHighWatermark, "truncate-to-high-watermark", breaks "no-acked-loss", serves "R07",
        "A follower of a new leader truncates to its own high watermark instead of asking for epochs.";
    AdvanceUnderMinIsr, "high-watermark-under-min-isr", breaks "no-acked-loss", serves "R10",
        "The high watermark advances, and acks=all is answered, with fewer in-sync replicas than min.insync.replicas.";
    WholeBatchWithheld, "fetch-at-least-one-batch-off", breaks "all-read-after-heal", serves "R14",
        "A fetch is answered with nothing while the first batch is larger than the fetcher's limit.";
    ExactEpochLookup, "epoch-lookup-exact", breaks "stable-prefix", serves "R08",
        "A leader asked for an epoch it never had says nothing, instead of where the largest older one ended (KIP-279).";
    ShrinkUnasked, "isr-shrink-race", breaks "no-acked-loss", serves "R01",
        "A leader acts upon a smaller ISR as soon as it has asked for it, before the controller agreed (KIP-497).";
    TruncationSkipped, "truncation-skipped", breaks "stable-prefix", serves "R08",
        "A follower ignores the diverging epoch it is told and keeps its own suffix.";
    CommitAckedEarly, "commit-acked-before-replicated", breaks "committed-offset-monotonic", serves "C11",
        "A group coordinator acknowledges a commit right after its own append, and a move of the coordinator loses it.";
    GenerationUnchecked, "generation-not-checked", breaks "committed-offset-monotonic", serves "C07",
        "A group coordinator takes commits from members of earlier generations and from those that are none.";
    TwoOwners, "two-owners", breaks "generation-fenced", serves "C15",
        "A group coordinator hands every member of a generation the share of its leader.";
    CommitGoesBack, "commit-goes-back", breaks "committed-offset-monotonic", serves "C11",
        "A new group coordinator keeps the oldest commit it finds in the log instead of the newest.";
    LiveOffsetsExpire, "live-offsets-expire", breaks "committed-offset-monotonic", serves "C11",
        "Stored positions expire by their age although the group has members that read from them.";
    ZombieInIsr, "zombie-in-isr", breaks "no-acked-loss", serves "R09",
        "Followers that have fallen silent stay in the ISR, and the high watermark no longer waits for them.";
    StaleLeaderAcks, "stale-leader-accepts", breaks "no-acked-loss", serves "R06",
        "A leader whose session is over takes records, and answers acks=all with its own append alone.";
    HighWatermarkForgotten, "high-watermark-forgotten", breaks "monotone-observables", serves "R12",
        "A new leader begins with the high watermark at the start of its log and tells it to clients.";
    ListOffsetsLogEnd, "list-offsets-log-end", breaks "monotone-observables", serves "R12",
        "ListOffsets answers the end of the leader's log instead of the high watermark.";
    FetchAboveHighWatermark, "fetch-above-high-watermark", breaks "stable-prefix", serves "R06",
        "Consumers are served up to the end of the leader's log, replicated or not.";
    ElrOff, "eligible-leader-replicas-off", breaks "no-acked-loss", serves "R05",
        "The controller forgets who left the ISR below its minimum, and trusts a replica after an unclean stop (KIP-966).";
    UncleanAlways, "unclean-election-always", breaks "no-acked-loss", serves "R03",
        "The controller elects any living replica although unclean.leader.election.enable is false.";
    TwoLeadersOneEpoch, "two-leaders-in-one-epoch", breaks "stable-prefix", serves "R08",
        "The controller gives a new leader the epoch of the one before.";
    MinIsrLost, "config-change-lost", breaks "no-acked-loss", serves "O06",
        "The controller accepts min.insync.replicas and retention.ms of a topic and forgets them.";
    FsyncLies, "fsync-lies", breaks "no-acked-loss", serves "R04",
        "A sync returns at once and counts as done.";
    RecoveryKeepsTornBatch, "recovery-keeps-torn-batch", breaks "no-corruption", serves "D03",
        "Recovery after an unclean stop believes the headers of batches and checks no checksum.";
    IndexOffByOne, "index-off-by-one", breaks "no-skip", serves "D06",
        "A consumer's read that begins at a batch boundary sometimes starts one batch too late.";
    RetentionWrongClock, "retention-wrong-clock", breaks "no-unread-trim", serves "O02",
        "Retention takes microseconds for milliseconds, so that every closed segment is too old.";
    LogStartGoesBack, "log-start-goes-back", breaks "monotone-observables", serves "D06",
        "The start of a log is not kept in the checkpoint, so that deleted records come back after a restart.";
    CompactionDropsLast, "compaction-drops-last-value", breaks "no-acked-loss", serves "O03",
        "Compaction takes out the last record of a key and keeps those before it.";
    DedupLostOnRestart, "dedup-table-lost-on-restart", breaks "no-duplicate", serves "P08",
        "A broker that starts again knows nothing of producers, and appends again what they repeat.";
    DedupWindowSmall, "dedup-window-too-small", breaks "no-duplicate", serves "T08",
        "Only the last batch of a producer is remembered; an older one that is repeated is appended again.";
    WrongOffsetAcked, "wrong-offset-acked", breaks "true-ack", serves "T08",
        "A producer is told an offset one above the one its first record got.";
    DroppedOnRoll, "acked-but-dropped-on-roll", breaks "no-acked-loss", serves "D03",
        "The batch for which a new segment is begun is acknowledged and never written.";
    ProducerExpiredEarly, "producer-id-expired-early", breaks "no-duplicate", serves "T06",
        "A producer that was silent for a second is forgotten, whatever producer.id.expiration.ms says.";
    MarkerAppliedToNext, "marker-applied-to-next-transaction", breaks "no-aborted-read", serves "T05",
        "A transaction's marker arrives again while the producer's next transaction is open, and ends what that one has written.";
    LastStableOffByOne, "lso-off-by-one", breaks "no-aborted-read", serves "T04",
        "The last stable offset is where the second open transaction begins, not the first.";
    AbortedIndexMissesBatch, "aborted-index-misses-a-batch", breaks "no-aborted-read", serves "T01",
        "The index of aborted transactions begins behind the first batch of each.";
    ProducerFencingSkipped, "producer-fencing-skipped", breaks "no-aborted-read", serves "T03",
        "A producer whose epoch a newer one has replaced may go on, at the coordinator and at every partition.";
    OffsetsOutsideTransaction, "offsets-committed-outside-transaction", breaks "group-at-least-once", serves "T02",
        "Offsets sent to a transaction count at once, whether it is committed or aborted.";
    MarkerLostOnMove, "marker-lost-on-coordinator-move", breaks "all-read-after-heal", serves "T04",
        "A transaction coordinator writes markers late, and takes those of its predecessor for written.";
    EpochRecordVisible, "epoch-record-visible", breaks "no-phantom", serves "R08",
        "A new leader begins its epoch with a record of its own, as Raft does, and lets consumers read it.";
    NeighbourServed, "fetch-serves-neighbour", breaks "no-misroute", serves "D06",
        "A consumer is now and then given what stands at its offset in the next partition of the topic.";
    BatchesSwapped, "fetch-swaps-batches", breaks "consumer-order", serves "D06",
        "A consumer's read that begins at a batch boundary sometimes has its first two batches the wrong way round.";
    CommitAbortsLast, "commit-aborts-last-partition", breaks "atomic-txn", serves "T01",
        "The last of several partitions of a committed transaction is given the marker of an aborted one.";
    IsolationIgnored, "isolation-level-ignored", breaks "txn-cycles", serves "T01",
        "Consumers that read committed transactions only are given open and aborted ones, too.";
    SequenceUnchecked, "sequence-not-checked", breaks "producer-order", serves "P04",
        "A producer's batch is appended although the one before it has not arrived.";
    RepetitionAppended, "repetition-appended", breaks "no-duplicate", serves "P08",
        "A batch that a producer repeats is appended again, whatever its sequence says.";
    SizeCheckedLate, "size-checked-after-append", breaks "no-aborted-read", serves "P05",
        "A batch that is too large is refused once it has been appended, and stays.";
    PositionsForgotten, "transactional-offsets-forgotten", breaks "group-at-most-once", serves "T02",
        "Positions sent to a transaction are forgotten when it is committed.";
}

/// The planted bugs active in a node; empty unless asked for.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Bugs(u64);

impl Bugs {
    /// Every rule holds.
    pub const NONE: Bugs = Bugs(0);

    /// Whether this rule is to be broken.
    #[inline]
    pub fn has(self, bug: Bug) -> bool {
        self.0 & (1 << bug as u8) != 0
    }

    /// These bugs and one more.
    pub fn with(self, bug: Bug) -> Bugs {
        Bugs(self.0 | 1 << bug as u8)
    }

    /// The active bugs.
    pub fn active(self) -> impl Iterator<Item = Bug> {
        ALL.iter().copied().filter(move |bug| self.has(*bug))
    }

    /// Parses a comma separated list of names; the error is the first unknown name.
    pub fn parse(list: &str) -> Result<Bugs, String> {
        let mut names = list.split(',').map(str::trim).filter(|name| !name.is_empty());
        names.try_fold(Bugs::default(), |bugs, name| {
            let bug = ALL.iter().find(|bug| bug.name() == name).ok_or_else(|| name.to_owned())?;
            Ok(bugs.with(*bug))
        })
    }
}

impl fmt::Debug for Bugs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.active()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_bug_is_active_unless_named() {
        assert_eq!(Bugs::parse("").unwrap().active().count(), 0);
        let bugs = Bugs::parse("ack-before-replicate").unwrap();
        assert_eq!(bugs.active().collect::<Vec<_>>(), [Bug::AckBeforeReplicate]);
    }

    #[test]
    fn an_unknown_bug_is_named_in_the_error() {
        assert_eq!(Bugs::parse("ack-before-replicate, nosuch"), Err("nosuch".to_owned()));
    }

    #[test]
    fn every_bug_fits_the_set() {
        assert!(ALL.len() <= 64);
        assert!(ALL.iter().all(|bug| Bugs::default().with(*bug).has(*bug)));
    }
}
