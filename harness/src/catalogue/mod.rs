//! The catalogue: ways to lose, duplicate, reorder, hide or delay a message, each with a losing and a safe side.
//!
//! One file an entry. **Invariant:** an entry passes only if its losing side shows the damage it promises, its safe side,
//! by the same schedule, shows none, and both reached their condition (an effective, exposed episode).

pub mod p07;

use crate::scenario::Scenario;
use results::Exit;

/// An entry that can be run.
pub struct Entry {
    /// Its id, e.g. `P07`.
    pub id: &'static str,
    /// Its name, e.g. `acks-1-leader-crash`.
    pub slug: &'static str,
    /// One line: what is lost and what prevents it.
    pub what: &'static str,
    /// Its sides for a seed: the losing one first.
    pub sides: fn(seed: u64) -> [Side; 2],
}

/// One side of an entry.
pub struct Side {
    /// What it is called: `losing` or `safe`.
    pub name: &'static str,
    /// What it differs in, e.g. `acks=1`.
    pub setting: String,
    /// What is run.
    pub scenario: Scenario,
    /// What it must show.
    pub expected: Expected,
}

/// What a side must show.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Expected {
    /// Acknowledged records are lost, and the contract says that they may be.
    Loss,
    /// None is.
    NoLoss,
}

impl Expected {
    /// Whether a side that ended like this showed what it must; if not, why not. `short_of` is what an inconclusive run
    /// did not reach.
    pub fn judge(self, exit: Exit, lost: u64, short_of: &[String]) -> Result<(), String> {
        match (self, exit, lost) {
            (Expected::Loss, Exit::Pass, 1..) | (Expected::NoLoss, Exit::Pass, 0) => Ok(()),
            (Expected::Loss, Exit::Pass, 0) => Err("nothing was lost".into()),
            (Expected::NoLoss, Exit::Pass, lost) => Err(format!("{lost} acknowledged records were lost")),
            (_, Exit::Inconclusive, _) => Err(short_of.join("; ")),
            (_, exit, _) => Err(format!("it ended in {}", exit.meaning())),
        }
    }
}

/// Every entry that can be run.
pub const ALL: &[Entry] = &[p07::ENTRY];

/// The entry of an id or a slug, whatever its case.
pub fn find(id: &str) -> Option<&'static Entry> {
    ALL.iter().find(|e| e.id.eq_ignore_ascii_case(id) || e.slug.eq_ignore_ascii_case(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_side_that_did_not_reach_its_condition_shows_nothing() {
        assert!(Expected::Loss.judge(Exit::Inconclusive, 5, &[]).is_err());
        assert!(Expected::NoLoss.judge(Exit::Inconclusive, 0, &[]).is_err());
    }

    #[test]
    fn a_losing_side_must_lose_and_a_safe_side_must_not() {
        assert!(Expected::Loss.judge(Exit::Pass, 1, &[]).is_ok() && Expected::Loss.judge(Exit::Pass, 0, &[]).is_err());
        assert!(
            Expected::NoLoss.judge(Exit::Pass, 0, &[]).is_ok() && Expected::NoLoss.judge(Exit::Pass, 1, &[]).is_err()
        );
        assert!(Expected::NoLoss.judge(Exit::Violation, 1, &[]).is_err());
    }
}
