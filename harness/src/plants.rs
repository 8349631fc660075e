//! The planted bugs of the embedded broker, each with the run that catches it.
//!
//! A row is what follows `stormglass run --plant NAME`. **Invariants:** every bug has a row; a run that cannot catch its bug
//! yet says what it lacks, and is counted as missing; the same run without the bug accuses nobody.

/// One row.
#[derive(Clone, Copy, Debug)]
pub struct Plant {
    /// The bug's name in the broker's table.
    pub bug: &'static str,
    /// What shows it.
    pub run: Run,
}

/// How a bug is caught.
#[derive(Clone, Copy, Debug)]
pub enum Run {
    /// By `stormglass run --plant NAME` with these arguments.
    Caught(&'static str),
    /// Not yet: this is lacking.
    Lacking(&'static str),
}

const fn caught(bug: &'static str, arguments: &'static str) -> Plant {
    Plant { bug, run: Run::Caught(arguments) }
}

const fn lacking(bug: &'static str, what: &'static str) -> Plant {
    Plant { bug, run: Run::Lacking(what) }
}

/// A leader is killed while its followers lack what it has, before they leave the ISR.
const LAGGING: &str = "queue --time 8s --faults kill-lagging-leader";
/// A leader and another broker die together: who leads then is alone in its ISR for a while.
const MAJORITY: &str = "queue --time 10s --faults kill-majority";
/// A leader stands still for longer than its session lasts.
const PAUSES: &str = "queue --time 10s --faults pause-leader";
/// Every broker loses its power at once, and every record was to be on disk first.
const DARKNESS: &str = "queue --time 10s --faults power-loss-all -X topic:flush.messages=1";

/// Every broker is killed, and comes back to producers that repeat what was under way.
const KILL_ALL: &str = "queue --time 12s --faults kill-all";
/// A follower stands still, and producers repeat what was appended and not acknowledged.
const RETRIES: &str = "queue --time 10s --faults pause-follower -X producer:request.timeout.ms=400 \
    -X broker:replica.lag.time.max.ms=10000 -X broker:broker.session.timeout.ms=6000";

/// Transactions, some of them aborted.
const TRANSACTIONS: &str = "transactions --time 8s --faults kill-follower";

/// Every row.
pub const ALL: &[Plant] = &[
    caught("ack-before-replicate", LAGGING),
    lacking(
        "serve-list-offsets-before-hw-caught-up",
        "a new leader that is alone and does not know yet what was committed",
    ),
    lacking("fetch-epoch-fencing-off", "a leader that dies right after a deposed replica has fetched from it"),
    lacking("truncate-to-high-watermark", "a leader that dies while its followers have just come back"),
    lacking(
        "high-watermark-under-min-isr",
        "followers that stand still until they have left the ISR, and a leader that dies then",
    ),
    lacking("fetch-at-least-one-batch-off", "a final reader whose limit is smaller than a batch"),
    lacking("epoch-lookup-exact", "three leaders in a row of which the middle one is not heard by the last"),
    lacking("isr-shrink-race", "a controller that is away while a follower falls silent"),
    caught("truncation-skipped", LAGGING),
    lacking("zombie-in-isr", "followers that stand still for longer than they may lag, and a leader that dies then"),
    caught("stale-leader-accepts", PAUSES),
    caught("high-watermark-forgotten", MAJORITY),
    caught("list-offsets-log-end", LAGGING),
    caught("fetch-above-high-watermark", LAGGING),
    lacking("eligible-leader-replicas-off", "a power loss of the last member of an ISR"),
    lacking("unclean-election-always", "faults that overlap: the whole ISR dies while a replica outside of it lives"),
    caught("two-leaders-in-one-epoch", LAGGING),
    lacking("config-change-lost", "a power loss of a leader that is alone"),
    caught("fsync-lies", DARKNESS),
    lacking("ack-before-flush", "a power loss between an append and a slow sync"),
    lacking("recovery-keeps-torn-batch", "a torn write"),
    caught("index-off-by-one", "queue --time 6s --faults kill-follower"),
    lacking("retention-wrong-clock", "a contract that knows how long a topic keeps its records"),
    lacking("log-start-goes-back", "a workload that deletes records"),
    lacking("compaction-drops-last-value", "a workload that reads the last value of each key"),
    lacking("commit-acked-before-replicated", "a workload of consumer groups"),
    lacking("generation-not-checked", "a workload of consumer groups"),
    lacking("two-owners", "a workload of consumer groups"),
    lacking("commit-goes-back", "a workload of consumer groups"),
    lacking("live-offsets-expire", "a workload of consumer groups"),
    caught("dedup-table-lost-on-restart", KILL_ALL),
    caught("dedup-window-too-small", RETRIES),
    caught("wrong-offset-acked", "queue --time 5s --faults kill-follower"),
    caught("acked-but-dropped-on-roll", "queue --time 6s --faults kill-follower -X broker:log.segment.bytes=65536"),
    caught("producer-id-expired-early", KILL_ALL),
    caught("marker-applied-to-next-transaction", TRANSACTIONS),
    caught("lso-off-by-one", TRANSACTIONS),
    caught("aborted-index-misses-a-batch", TRANSACTIONS),
    lacking("producer-fencing-skipped", "two producers at work under one transactional id"),
    lacking("offsets-committed-outside-transaction", "a consumer that takes over after an aborted transaction"),
    lacking("marker-lost-on-coordinator-move", "a coordinator that dies between its decision and its markers"),
];

/// The row of a bug.
pub fn of(bug: &str) -> Option<&'static Plant> {
    ALL.iter().find(|plant| plant.bug == bug)
}

impl Plant {
    /// The command that shows the bug, if there is one.
    pub fn command(&self) -> Option<String> {
        match self.run {
            Run::Caught(arguments) => Some(format!("stormglass run {arguments} --plant {}", self.bug)),
            Run::Lacking(_) => None,
        }
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
        for command in ALL.iter().filter_map(Plant::command) {
            let parsed = Cli::try_parse_from(command.split_whitespace());
            assert!(matches!(parsed, Ok(Cli { command: Some(Command::Run(_)) })), "{command}");
        }
    }
}
