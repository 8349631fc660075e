//! The planted bugs of the embedded broker, each with the run that catches it.
//!
//! A row is what follows `stormglass run --plant NAME`. **Invariants:** every bug has a row; the same run without the bug
//! accuses nobody.

/// One row.
#[derive(Clone, Copy, Debug)]
pub struct Plant {
    /// The bug's name in the broker's table.
    pub bug: &'static str,
    /// What shows it: `stormglass run` with these arguments.
    pub arguments: &'static str,
}

const fn caught(bug: &'static str, arguments: &'static str) -> Plant {
    Plant { bug, arguments }
}

/// A leader is killed while its followers lack what it has, before they leave the ISR. The producers are not idempotent: those would
/// wait for what was lost to come back.
const LAGGING: &str = "queue --time 8s --faults kill-lagging-leader -X producer:enable.idempotence=false";
/// The same on one log, by producers that repeat nothing: what its leader had alone is nowhere else, and stands where others stand.
/// A record a batch, so that no end of one log is in the middle of another one's batch.
const PARTED: &str = "queue --time 8s --faults kill-lagging-leader --partitions 1 --rate 200/s \
    -X producer:enable.idempotence=false -X producer:retries=0 -X producer:batch.num.messages=1";
/// The same, with a look at what a group has stored.
const LAGGING_GROUP: &str = "group --time 12s --faults kill-lagging-leader --partitions 8";
/// The same with few records, so that readers of ends see the log's new history while it is shorter than the old one.
const SHORTER: &str = "queue --time 8s --faults kill-lagging-leader --partitions 1 --rate 40/s \
    -X producer:enable.idempotence=false -X producer:retries=0";
/// A leader and another broker die together: who leads then is alone in its ISR for a while. Records come slowly: from the
/// acknowledgement of one until the next one, the third has it and does not know that it is committed.
const MAJORITY: &str = "queue --time 8s --faults kill-majority --partitions 1 --rate 40/s";
/// A leader stands still for longer than its session lasts.
const PAUSES: &str = "queue --time 10s --faults pause-leader";
/// A leader dies, and its heir before anybody has followed it. Records come slowly: from the acknowledgement of one until the next one,
/// followers have it and do not know that it is committed.
const HEIR: &str = "queue --time 8s --faults kill-leader-and-heir --partitions 1 --rate 20/s";
/// The same, by producers that repeat nothing: what the heir had alone is nowhere else.
const HEIR_PARTED: &str = "queue --time 8s --faults kill-leader-and-heir --partitions 1 --rate 100/s \
    -X producer:enable.idempotence=false -X producer:retries=0 -X producer:batch.num.messages=1";
/// A follower falls behind, and everybody dies who is ahead of it.
const AHEAD: &str = "queue --time 14s --faults kill-ahead-leader";
/// A follower falls behind while nobody can tell the controllers, and everybody dies who is ahead of it.
const UNHEARD: &str = "queue --time 14s --faults kill-unheard-leader -X broker:broker.session.timeout.ms=4000 \
    -X broker:replica.lag.time.max.ms=1000";
/// The last replica in sync loses its power.
const LAST: &str = "queue --time 13s --faults power-loss-last-leader";
/// The same, the brokers' minimum being smaller than the topic's.
const LAST_CONFIGURED: &str = "queue --time 13s --faults power-loss-last-leader -X broker:min.insync.replicas=1 \
    -X topic:min.insync.replicas=2";
/// The same, sessions lasting for longer than a follower may lag.
const LAST_SILENT: &str = "queue --time 25s --faults power-loss-last-leader -X broker:broker.session.timeout.ms=5000 \
    -X broker:replica.lag.time.max.ms=1000";
/// Every broker loses its power at once, and every record was to be on disk first.
const DARKNESS: &str = "queue --time 10s --faults power-loss-all -X topic:flush.messages=1";
/// Brokers lose their power, some of them in the middle of a write.
const TORN: &str = "queue --time 12s --faults power-loss-follower,power-loss-leader";
/// Every broker is killed, and comes back to producers that repeat what was under way.
const KILL_ALL: &str = "queue --time 12s --faults kill-all";
/// A follower stands still, and producers repeat what was appended and not acknowledged.
const RETRIES: &str = "queue --time 10s --faults pause-follower -X producer:request.timeout.ms=400 \
    -X broker:replica.lag.time.max.ms=10000 -X broker:broker.session.timeout.ms=6000";
/// A final reader, like every consumer, asks for less than a batch.
const SMALL_READS: &str = "queue --time 6s --faults kill-follower -X consumer:max.partition.fetch.bytes=128";
/// A log that keeps what it has for an hour, in small segments.
const KEPT: &str = "queue --time 6s --faults kill-follower -X topic:retention.ms=3600000 -X topic:segment.bytes=65536 \
    -X broker:log.retention.check.interval.ms=500";
/// Old records are deleted, and brokers come back.
const TRIMMED: &str = "admin --time 12s --faults kill-all";
/// Compaction all the time.
const COMPACTED: &str = "compacted --time 8s --faults kill-follower -X broker:log.cleaner.backoff.ms=200";
/// A group at work.
const GROUP: &str = "group --time 8s --faults kill-follower";
/// A group whose coordinator dies now and then.
const GROUP_MOVES: &str = "group --time 10s --faults kill-leader,kill-follower";
/// A group most of whose logs are quiet, and clocks that jump.
const QUIET_GROUP: &str = "group --time 12s --rate 20/s --partitions 64 --faults clock-jump-all \
    -X broker:offsets.retention.minutes=1 -X broker:offsets.retention.check.interval.ms=200";
/// Transactions, some of them aborted.
const TRANSACTIONS: &str = "transactions --time 8s --faults kill-follower";
/// Transactions whose coordinators die between a decision and its markers.
const DECIDED: &str = "transactions --time 8s --faults kill-all";
/// Two processes under one transactional id.
const RIVALS: &str = "rival-transactions --time 8s --faults kill-follower";
/// Transactions that read each other.
const BANK: &str = "bank --time 8s --faults kill-follower";
/// A request to append gets lost while the ones behind it arrive.
const UNANSWERED: &str = "queue --time 8s --faults drop-request-produce -X producer:request.timeout.ms=400";
/// The answer to an append gets lost, and the producer repeats it.
const UNHEARD_ANSWERS: &str = "queue --time 8s --faults drop-response-produce -X producer:request.timeout.ms=400";
/// Some batches are larger than the topic takes.
const TOO_LARGE: &str =
    "queue --time 6s --faults kill-follower -X topic:max.message.bytes=2000 -X producer:linger.ms=20";
/// Applications that die in the middle of a transaction with their positions in it.
const TRANSFORMERS: &str = "consume-transform-produce --time 12s --faults kill-producer";

/// Every row.
pub const ALL: &[Plant] = &[
    caught("ack-before-replicate", LAGGING),
    caught("serve-list-offsets-before-hw-caught-up", MAJORITY),
    caught("fetch-epoch-fencing-off", PARTED),
    caught("truncate-to-high-watermark", HEIR),
    caught("high-watermark-under-min-isr", LAST),
    caught("fetch-at-least-one-batch-off", SMALL_READS),
    caught("epoch-lookup-exact", HEIR_PARTED),
    caught("isr-shrink-race", UNHEARD),
    caught("truncation-skipped", PARTED),
    caught("zombie-in-isr", LAST_SILENT),
    caught("stale-leader-accepts", PAUSES),
    caught("high-watermark-forgotten", MAJORITY),
    caught("list-offsets-log-end", SHORTER),
    caught("fetch-above-high-watermark", LAGGING),
    caught("eligible-leader-replicas-off", LAST),
    caught("unclean-election-always", AHEAD),
    caught("two-leaders-in-one-epoch", PARTED),
    caught("config-change-lost", LAST_CONFIGURED),
    caught("fsync-lies", DARKNESS),
    caught("recovery-keeps-torn-batch", TORN),
    caught("index-off-by-one", "queue --time 6s --faults kill-follower"),
    caught("retention-wrong-clock", KEPT),
    caught("log-start-goes-back", TRIMMED),
    caught("compaction-drops-last-value", COMPACTED),
    caught("commit-acked-before-replicated", LAGGING_GROUP),
    caught("generation-not-checked", GROUP),
    caught("two-owners", GROUP),
    caught("commit-goes-back", GROUP_MOVES),
    caught("live-offsets-expire", QUIET_GROUP),
    caught("dedup-table-lost-on-restart", KILL_ALL),
    caught("dedup-window-too-small", RETRIES),
    caught("wrong-offset-acked", "queue --time 5s --faults kill-follower"),
    caught("acked-but-dropped-on-roll", "queue --time 6s --faults kill-follower -X broker:log.segment.bytes=65536"),
    caught("producer-id-expired-early", KILL_ALL),
    caught("marker-applied-to-next-transaction", TRANSACTIONS),
    caught("lso-off-by-one", TRANSACTIONS),
    caught("aborted-index-misses-a-batch", TRANSACTIONS),
    caught("producer-fencing-skipped", RIVALS),
    caught("offsets-committed-outside-transaction", TRANSFORMERS),
    caught("marker-lost-on-coordinator-move", DECIDED),
    caught("epoch-record-visible", "queue --time 5s --faults kill-follower"),
    caught("fetch-serves-neighbour", "queue --time 6s --faults kill-follower --rate 400/s"),
    caught("fetch-swaps-batches", "queue --time 6s --faults kill-follower"),
    caught("commit-aborts-last-partition", BANK),
    caught("isolation-level-ignored", BANK),
    caught("sequence-not-checked", UNANSWERED),
    caught("repetition-appended", UNHEARD_ANSWERS),
    caught("size-checked-after-append", TOO_LARGE),
    caught("transactional-offsets-forgotten", TRANSFORMERS),
];

/// The row of a bug.
pub fn of(bug: &str) -> Option<&'static Plant> {
    ALL.iter().find(|plant| plant.bug == bug)
}

impl Plant {
    /// The command that shows the bug.
    pub fn command(&self) -> String {
        format!("stormglass run {} --plant {}", self.arguments, self.bug)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command};
    use clap::Parser;

    #[test]
    fn every_bug_has_one_row_and_every_row_a_bug() {
        let rows: Vec<&str> = ALL.iter().map(|plant| plant.bug).collect();
        for bug in broker::bugs::ALL {
            assert_eq!(rows.iter().filter(|row| **row == bug.name()).count(), 1, "{}", bug.name());
        }
        assert_eq!(rows.len(), broker::bugs::ALL.len());
    }

    #[test]
    fn every_command_is_one_that_can_be_typed() {
        for command in ALL.iter().map(Plant::command) {
            let parsed = Cli::try_parse_from(command.split_whitespace());
            assert!(matches!(parsed, Ok(Cli { command: Some(Command::Run(_)) })), "{command}");
        }
    }
}
