//! How the program ends: the exit codes, their meanings and which one wins.

use serde::Serialize;

/// An exit code. Source of the numbers: `sysexits.h` for 64–77, 128 + signal for the last two.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize)]
#[serde(into = "u8")]
#[repr(u8)]
pub enum Exit {
    /// Every claim held, every floor met, gates green.
    Pass = 0,
    /// A forbidden anomaly is witnessed.
    Violation = 1,
    /// None witnessed, but a floor, a canary or the checker's budget was missed.
    Inconclusive = 2,
    /// Safe and covered, but a latency or availability gate failed.
    Slo = 3,
    /// The command line makes no sense.
    Usage = 64,
    /// Input that cannot be read.
    Unreadable = 65,
    /// A broker would not start.
    NoBroker = 69,
    /// A failure of our own.
    Internal = 70,
    /// A required fault needs rights this machine does not give.
    NoRights = 77,
    /// SIGINT; what was done has been reported.
    Interrupted = 130,
    /// SIGTERM; what was done has been reported.
    Terminated = 143,
}

impl Exit {
    /// Every code, the one that wins first. A violation established from kept evidence is not undone by a later failure;
    /// an interruption is said before the run's missing floors are.
    pub const BY_PRECEDENCE: [Exit; 11] = [
        Exit::Violation,
        Exit::Internal,
        Exit::NoBroker,
        Exit::NoRights,
        Exit::Unreadable,
        Exit::Usage,
        Exit::Terminated,
        Exit::Interrupted,
        Exit::Inconclusive,
        Exit::Slo,
        Exit::Pass,
    ];

    /// The code to end with when all of these apply; [`Exit::Pass`] if none does.
    pub fn first_of(apply: impl IntoIterator<Item = Exit>) -> Exit {
        let rank = |exit: &Exit| Self::BY_PRECEDENCE.iter().position(|e| e == exit);
        apply.into_iter().min_by_key(rank).unwrap_or(Exit::Pass)
    }

    /// The number.
    pub fn code(self) -> u8 {
        self as u8
    }

    /// One line for `--help`.
    pub fn meaning(self) -> &'static str {
        match self {
            Exit::Pass => "PASS: every claim held, every floor met, gates green",
            Exit::Violation => "VIOLATION: a forbidden anomaly is witnessed",
            Exit::Inconclusive => {
                "INCONCLUSIVE: none witnessed, but a floor, a canary or the checker's budget was missed"
            }
            Exit::Slo => "SLO: safe and covered, but a latency or availability gate failed",
            Exit::Usage => "usage error",
            Exit::Unreadable => "unreadable input",
            Exit::NoBroker => "a broker would not start",
            Exit::Internal => "internal error",
            Exit::NoRights => "a required fault needs rights this machine lacks",
            Exit::Interrupted => "interrupted (SIGINT); a report of what was done is written",
            Exit::Terminated => "terminated (SIGTERM); a report of what was done is written",
        }
    }
}

impl From<Exit> for u8 {
    fn from(exit: Exit) -> u8 {
        exit.code()
    }
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        exit.code().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Exit::*;

    #[test]
    fn the_numbers_are_the_documented_ones() {
        let mut codes = Exit::BY_PRECEDENCE.map(Exit::code);
        codes.sort_unstable();
        assert_eq!(codes, [0, 1, 2, 3, 64, 65, 69, 70, 77, 130, 143]);
    }

    #[test]
    fn of_several_exits_the_graver_wins_in_any_order() {
        let table: [(&[Exit], Exit); 7] = [
            (&[], Pass),
            (&[Pass, Slo], Slo),
            (&[Inconclusive, Slo, Pass], Inconclusive),
            (&[NoRights, Inconclusive], NoRights),
            (&[NoRights, NoBroker, Internal], Internal),
            (&[Internal, Violation, Interrupted], Violation),
            (&[Inconclusive, Interrupted], Interrupted),
        ];
        for (apply, wins) in table {
            assert_eq!(Exit::first_of(apply.iter().copied()), wins);
            assert_eq!(Exit::first_of(apply.iter().rev().copied()), wins);
        }
    }
}
