//! What breaks each claim under whatever workload makes it judgeable: a planted bug, with the faults and settings it takes.
//!
//! A row is `stormglass run WORKLOAD --plant BUG` with these arguments. **Invariant:** every claim that some workload is judged by
//! is broken by a row that suits this workload; what keeps a green run from being an empty one. Not here: the run of each bug that
//! shows it best ([`crate::plants`]).

use checker::Claim;

/// One row.
#[derive(Clone, Copy, Debug)]
pub struct Breaker {
    /// The bug's name in the broker's table.
    pub bug: &'static str,
    /// What is broken.
    pub claims: &'static [Claim],
    /// What follows the workload's name.
    pub arguments: &'static str,
}

const fn breaks(claims: &'static [Claim], bug: &'static str, arguments: &'static str) -> Breaker {
    Breaker { bug, claims, arguments }
}

/// Every row; of several for one claim the first one that suits a workload does.
pub const ALL: &[Breaker] = &[
    breaks(
        &[Claim::TrueAck, Claim::OneValuePerOffset, Claim::LinearizableLog],
        "wrong-offset-acked",
        "--time 5s --faults kill-follower",
    ),
    breaks(
        &[Claim::NoAckedLoss],
        "acked-but-dropped-on-roll",
        "--time 6s --faults kill-follower -X broker:log.segment.bytes=65536 -X topic:segment.bytes=65536",
    ),
    breaks(&[Claim::NoSkip, Claim::GroupAtLeastOnce], "index-off-by-one", "--time 6s --faults kill-follower"),
    breaks(&[Claim::ConsumerOrder], "fetch-swaps-batches", "--time 6s --faults kill-follower"),
    breaks(&[Claim::NoPhantom], "epoch-record-visible", "--time 5s --faults kill-follower"),
    breaks(
        &[Claim::NoMisroute, Claim::StablePrefix],
        "fetch-serves-neighbour",
        "--time 6s --faults kill-follower --rate 400/s",
    ),
    breaks(
        &[Claim::TxnCycles, Claim::NoOwnUncommittedRead, Claim::NoAbortedRead],
        "isolation-level-ignored",
        "--time 8s --faults kill-follower",
    ),
    breaks(&[Claim::AtomicTxn], "commit-aborts-last-partition", "--time 6s --faults kill-follower"),
    breaks(
        &[Claim::NoAbortedRead],
        "size-checked-after-append",
        "--time 6s --faults kill-follower -X topic:max.message.bytes=2000 -X producer:linger.ms=20",
    ),
    breaks(
        &[Claim::AllReadAfterHeal],
        "fetch-at-least-one-batch-off",
        "--time 6s --faults kill-follower -X consumer:max.partition.fetch.bytes=128",
    ),
    breaks(
        &[Claim::NoDuplicate],
        "repetition-appended",
        "--time 8s --faults drop-response-produce -X producer:request.timeout.ms=400",
    ),
    breaks(&[Claim::MonotoneObservables], "high-watermark-forgotten", "--time 8s --faults kill-leader"),
    breaks(
        &[Claim::ProducerOrder],
        "sequence-not-checked",
        "--time 8s --faults drop-request-produce -X producer:request.timeout.ms=400",
    ),
    breaks(
        &[Claim::ConsumerOrder, Claim::StablePrefix],
        "fetch-above-high-watermark",
        "--time 8s --faults kill-lagging-leader",
    ),
    breaks(
        &[Claim::NoCorruption],
        "recovery-keeps-torn-batch",
        "--time 10s --faults power-loss-follower,power-loss-leader",
    ),
    breaks(
        &[Claim::ProducerOrder, Claim::ConsumerOrder, Claim::MonotoneObservables, Claim::StablePrefix],
        "fsync-lies",
        "--time 10s --faults power-loss-all -X topic:flush.messages=1",
    ),
    breaks(
        &[Claim::CommittedOffsetMonotonic, Claim::GroupAtMostOnce],
        "generation-not-checked",
        "--time 8s --faults kill-follower,kill-consumer",
    ),
    breaks(&[Claim::CommittedOffsetMonotonic], "config-change-lost", "--time 8s --faults kill-follower"),
    breaks(&[Claim::GroupAtMostOnce], "transactional-offsets-forgotten", "--time 8s --faults kill-producer"),
    breaks(&[Claim::GroupAtMostOnce], "two-owners", "--time 8s --faults kill-follower"),
    breaks(&[Claim::GroupAtLeastOnce], "offsets-committed-outside-transaction", "--time 10s --faults kill-producer"),
];

impl Breaker {
    /// The command that shows it under a workload.
    pub fn command(&self, workload: &str) -> String {
        format!("stormglass run {workload} {} --plant {}", self.arguments, self.bug)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command};
    use clap::Parser;
    use workloads::workload::Workload;

    #[test]
    fn every_bug_is_there_and_every_command_can_be_typed() {
        for breaker in ALL {
            assert!(broker::bugs::ALL.iter().any(|bug| bug.name() == breaker.bug), "{}", breaker.bug);
            let command = breaker.command("queue");
            let parsed = Cli::try_parse_from(command.split_whitespace());
            assert!(matches!(parsed, Ok(Cli { command: Some(Command::Run(_)) })), "{command}");
        }
    }

    #[test]
    fn every_claim_that_a_workload_is_judged_by_has_a_row() {
        for row in Workload::ALL {
            for claim in crate::commands::coverage::claims(&(row.usual)()) {
                let row_of_it = ALL.iter().any(|breaker| breaker.claims.contains(&claim));
                assert!(row_of_it, "{} of {}", claim, row.name);
            }
        }
    }
}
