//! What a producer appends next and when: pure, and the same again for the same seed.

use crate::spec::{LogPlace, ProducerSpec, Spread, cycled};
use history::{Nanos, Value, WriterId};
use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;

/// The next record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Draft {
    /// Index into the specification's logs.
    pub log: usize,
    /// Its key, if the load is keyed.
    pub key: Option<u64>,
    /// What it is.
    pub value: Value,
}

/// Draws records, without end.
#[derive(Debug)]
pub struct Generator {
    writer: WriterId,
    spread: Spread,
    logs: usize,
    sequence: u64,
    random: Pcg64Mcg,
}

impl Generator {
    /// A producer's records over `logs` (not empty).
    pub fn new(spec: &ProducerSpec, logs: &[LogPlace], seed: u64) -> Generator {
        let random = Pcg64Mcg::seed_from_u64(seed ^ u64::from(spec.writer.0).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        Generator { writer: spec.writer, spread: spec.spread, logs: logs.len().max(1), sequence: 0, random }
    }
}

impl Iterator for Generator {
    type Item = Draft;

    fn next(&mut self) -> Option<Draft> {
        let logs = self.logs as u64;
        let (key, turn) = match self.spread {
            Spread::RoundRobin => (None, self.sequence),
            Spread::Cycle { keys, rounds } => {
                let key = cycled(self.sequence, keys, rounds);
                (Some(u64::from(self.writer.0) << 40 | key), key)
            }
            Spread::Keyed { keys } => {
                let key = self.random.random_range(0..keys.max(1));
                (Some(key), key)
            }
        };
        let value = Value::new(self.writer, self.sequence);
        self.sequence += 1;
        Some(Draft { log: (turn % logs) as usize, key, value })
    }
}

/// When record n is due: the plan of an open loop.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    start: Nanos,
    per_second: f64,
}

impl Plan {
    /// `per_second` records a second from `start` on.
    pub fn new(start: Nanos, per_second: f64) -> Plan {
        Plan { start, per_second }
    }

    /// When record `n` is due.
    pub fn due(&self, n: u64) -> Nanos {
        Nanos(self.start.0.saturating_add((n as f64 * 1e9 / self.per_second) as u64))
    }

    /// How many records were due before `now`.
    pub fn intended(&self, now: Nanos) -> u64 {
        (now.since(self.start) as f64 * self.per_second / 1e9).ceil() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Load;
    use history::{LogId, ProcessId};

    fn drafts(spread: Spread, seed: u64) -> Vec<Draft> {
        let spec = ProducerSpec {
            process: ProcessId(0),
            writer: WriterId(4),
            load: Load::ClosedLoop { outstanding_max: 1 },
            record_bytes: 0,
            spread,
            properties: Default::default(),
            app: Default::default(),
        };
        let logs: Vec<_> = (0..3).map(|n| LogPlace { id: LogId(n), topic: "t".into(), partition: n as i32 }).collect();
        Generator::new(&spec, &logs, seed).take(100).collect()
    }

    #[test]
    fn sequences_count_from_zero_over_all_logs_in_turn() {
        for (n, draft) in drafts(Spread::RoundRobin, 1).into_iter().enumerate() {
            let value = Value::new(WriterId(4), n as u64);
            assert_eq!(draft, Draft { log: n % 3, key: None, value });
        }
    }

    #[test]
    fn a_key_always_goes_to_the_same_log_and_a_seed_draws_the_same_keys() {
        let keyed = Spread::Keyed { keys: 7 };
        assert_eq!(drafts(keyed, 1), drafts(keyed, 1));
        assert_ne!(drafts(keyed, 1), drafts(keyed, 2));
        assert!(drafts(keyed, 1).iter().all(|d| d.key.is_some_and(|k| k < 7 && k % 3 == d.log as u64)));
    }

    #[test]
    fn keys_that_had_their_rounds_are_never_written_again() {
        let keys =
            |rounds| drafts(Spread::Cycle { keys: 2, rounds }, 1).into_iter().take(9).map(|d| d.key.unwrap() & 255);
        assert_eq!(keys(2).collect::<Vec<_>>(), [0, 1, 0, 1, 2, 3, 2, 3, 4]);
        assert_eq!(keys(0).collect::<Vec<_>>(), [0, 1, 0, 1, 0, 1, 0, 1, 0]);
    }

    #[test]
    fn the_plan_counts_what_is_due() {
        let plan = Plan::new(Nanos(1_000), 1000.0);
        assert_eq!(plan.due(3), Nanos(3_001_000));
        assert_eq!((plan.intended(Nanos(1_000)), plan.intended(Nanos(3_001_000))), (0, 3));
    }
}
