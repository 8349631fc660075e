//! Kills every descendant of this process, in rounds, until none is left and all are reaped.
//!
//! This process must be a subreaper with one thread: then whatever a descendant forks, detaches or orphans stays its
//! descendant, and the kernel's word that it has no child means that it has no descendant. A round costs one walk over
//! `/proc`; between two rounds it waits until every child it has SIGKILLed was reaped, never for time. It does not wait
//! for grandchildren: somebody else may have reaped them; if not, they are children by the next round.

use super::pidfd::PidFd;
use super::proc::{self, Stat};
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use std::collections::HashSet;
use std::io;

/// Kills and reaps until no descendant is left; hands every reaped child to `reaped`. Returns how many were killed.
pub fn kill_descendants(mut reaped: impl FnMut(WaitStatus)) -> io::Result<usize> {
    let (me, mut killed) = (std::process::id(), HashSet::new());
    while reap_ended(&mut reaped) {
        let victims = descendants(me, &proc::all()?);
        killed.extend(victims.iter().filter(|v| kill(v)).map(|v| (v.pid, v.start_time)));
        for child in victims.iter().filter(|v| v.parent == me) {
            if let Ok(status) = waitpid(Pid::from_raw(child.pid.cast_signed()), None) {
                reaped(status);
            }
        }
    }
    Ok(killed.len())
}

/// Reaps every child that has ended, without waiting. False if no child is left at all.
pub fn reap_ended(mut reaped: impl FnMut(WaitStatus)) -> bool {
    loop {
        match waitpid(None::<Pid>, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::StillAlive) => return true,
            Ok(status) => reaped(status),
            Err(_) => return false,
        }
    }
}

/// Those of `all` whose chain of parents leads to `root`, itself not included.
fn descendants(root: u32, all: &[Stat]) -> Vec<Stat> {
    let (mut family, mut found) = (HashSet::from([root]), Vec::new());
    loop {
        let before = found.len();
        for stat in all {
            if family.contains(&stat.parent) && family.insert(stat.pid) {
                found.push(*stat);
            }
        }
        if found.len() == before {
            return found;
        }
    }
}

/// SIGKILLs the process that was seen, and never one that took over its pid. False if there was nothing to kill.
fn kill(seen: &Stat) -> bool {
    let Ok(process) = PidFd::open(seen.pid) else { return false };
    let same = Stat::read(seen.pid).is_ok_and(|now| now.start_time == seen.start_time && now.state != 'Z');
    same && process.signal(Signal::SIGKILL).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn family(pairs: &[(u32, u32)]) -> Vec<Stat> {
        pairs.iter().map(|&(pid, parent)| Stat { pid, state: 'S', parent, start_time: 1 }).collect()
    }

    #[test]
    fn descendants_are_found_in_any_order_and_strangers_are_not() {
        let all = family(&[(9, 8), (8, 7), (7, 5), (5, 1), (6, 5), (4, 1), (3, 4), (1, 0)]);
        let mut pids: Vec<u32> = descendants(5, &all).iter().map(|s| s.pid).collect();
        pids.sort_unstable();
        assert_eq!(pids, [6, 7, 8, 9]);
    }

    #[test]
    fn a_walk_torn_by_reused_pids_still_ends() {
        assert_eq!(descendants(5, &family(&[(5, 7), (7, 5), (7, 7)])).len(), 1);
    }
}
