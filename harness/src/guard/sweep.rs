//! Kills every descendant of this process, in rounds, until none is left and all are reaped.
//!
//! This process must be a subreaper with one thread: then whatever a descendant forks, detaches or orphans stays its
//! descendant, and a round that finds nobody is the last. A round costs one walk over `/proc`; between two rounds
//! it waits for a child to end, never for time: as long as there are descendants there is a child, and it was SIGKILLed.

use super::pidfd::PidFd;
use super::proc::{self, Stat};
use nix::errno::Errno;
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use std::collections::HashSet;
use std::io;

/// Kills and reaps until no descendant is left; hands every reaped child to `reaped`. Returns how many were killed.
pub fn kill_descendants(mut reaped: impl FnMut(WaitStatus)) -> io::Result<usize> {
    let mut killed = HashSet::new();
    loop {
        let victims = descendants(std::process::id(), &proc::all()?);
        killed.extend(victims.iter().filter(|v| kill(v)).map(|v| (v.pid, v.start_time)));
        match waitpid(None::<Pid>, None) {
            Ok(status) => reaped(status),
            Err(Errno::ECHILD) if victims.is_empty() => return Ok(killed.len()),
            Err(_) => (),
        }
        reap_ended(&mut reaped);
    }
}

/// Reaps every child that has ended, without waiting.
pub fn reap_ended(mut reaped: impl FnMut(WaitStatus)) {
    while let Ok(status @ (WaitStatus::Exited(..) | WaitStatus::Signaled(..))) =
        waitpid(None::<Pid>, Some(WaitPidFlag::WNOHANG))
    {
        reaped(status);
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
