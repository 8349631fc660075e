//! The harms, one a file.

pub mod kill;
pub mod kill_lagging;
pub mod maroon;
pub mod outlive;
pub mod pause;
pub mod restart;
pub mod rolling_restart;
pub mod terminate;
pub mod throttle;

use crate::aim::Aim;
use crate::ground::Timing;

/// Whose process can be hit: any node's and any client's that matters.
const PROCESSES: &[Aim] = &[
    Aim::Leader,
    Aim::Follower,
    Aim::Isr,
    Aim::Controller,
    Aim::GroupCoordinator,
    Aim::TransactionCoordinator,
    Aim::All,
    Aim::Some,
    Aim::Minority,
    Aim::Majority,
    Aim::Producer,
    Aim::Consumer,
];

/// After how long of silence others stop waiting for those aimed at, milliseconds.
fn patience_ms(aim: Aim, timing: &Timing) -> u64 {
    match aim {
        Aim::Follower => timing.lag_ms_max,
        Aim::Producer | Aim::Consumer => 0,
        _ => timing.session_ms,
    }
}
