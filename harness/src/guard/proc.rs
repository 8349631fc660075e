//! What `/proc/PID` says of a process: its state, parent, start time and resident memory.
//!
//! Reading is thin, parsing is pure and total. A process that is gone is an `Err` of kind `NotFound`.

use std::io;

/// The fields of a process that a run has a use for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stat {
    /// Process id.
    pub pid: u32,
    /// `R` running, `S` sleeping, `D` in uninterruptible sleep, `T` stopped, `Z` ended and not reaped …
    pub state: char,
    /// The parent's process id.
    pub parent: u32,
    /// When it started, clock ticks since boot. With the pid it names a process for good.
    pub start_time: u64,
}

impl Stat {
    /// The process's stat as it is now.
    pub fn read(pid: u32) -> io::Result<Stat> {
        let line = std::fs::read(format!("/proc/{pid}/stat"))?;
        Stat::parse(&String::from_utf8_lossy(&line))
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, format!("/proc/{pid}/stat is not understood")))
    }

    /// Parses the line of `proc_pid_stat(5)`. The command's name stands in parentheses and may contain anything, more
    /// parentheses included: the last one ends it.
    pub fn parse(line: &str) -> Option<Stat> {
        let (head, tail) = line.rsplit_once(')')?;
        let mut fields = tail.split_ascii_whitespace();
        let pid = head.split_once('(')?.0.trim().parse().ok()?;
        let state = fields.next()?.chars().next()?;
        let parent = fields.next()?.parse().ok()?;
        let start_time = fields.nth(17)?.parse().ok()?;
        Some(Stat { pid, state, parent, start_time })
    }
}

/// Resident memory of a process, bytes. An ended process that was not reaped has none: `InvalidData`.
pub fn rss_bytes(pid: u32) -> io::Result<u64> {
    let status = std::fs::read(format!("/proc/{pid}/status"))?;
    parse_rss(&String::from_utf8_lossy(&status))
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, format!("/proc/{pid}/status has no VmRSS")))
}

/// The line `VmRSS: … kB` of `proc_pid_status(5)`, bytes.
fn parse_rss(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.parse::<u64>().ok()?.checked_mul(1024)
}

/// Every process that can be seen. One that ends meanwhile is left out.
pub fn all() -> io::Result<Vec<Stat>> {
    let pids = std::fs::read_dir("/proc")?.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    Ok(pids.filter_map(|pid| Stat::read(pid).ok()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stat_line_is_understood_whatever_the_command_is_called() {
        let rest = "T 17 12 12 0 -1 4194304 100 0 0 0 1 2 0 0 20 0 4 0 987654 1048576 321 18446744073709551615 1 1";
        for name in ["sleep", "a b", ") S 1 (", "((", ""] {
            let stat = Stat::parse(&format!("42 ({name}) {rest}")).unwrap();
            assert_eq!(stat, Stat { pid: 42, state: 'T', parent: 17, start_time: 987654 }, "{name}");
        }
    }

    #[test]
    fn a_line_cut_anywhere_or_garbled_is_none() {
        let line = "42 (sleep) T 17 12 12 0 -1 4194304 100 0 0 0 1 2 0 0 20 0 4 0 9";
        assert!(Stat::parse(line).is_some());
        assert!((0..line.len()).all(|cut| Stat::parse(&line[..cut]).is_none()));
        assert!(Stat::parse("x (y) S z").is_none() && Stat::parse(")(").is_none());
    }

    #[test]
    fn this_process_is_seen_with_its_memory() {
        let me = Stat::read(std::process::id()).unwrap();
        assert!(all().unwrap().iter().any(|s| (s.pid, s.start_time) == (me.pid, me.start_time)));
        assert!(rss_bytes(me.pid).unwrap() > 100_000);
    }

    #[test]
    fn resident_memory_is_read_in_bytes_or_not_at_all() {
        for (status, bytes) in [
            ("Name:\tVmRSS: 1 kB\nVmHWM:\t 9 kB\nVmRSS:\t    2048 kB\n", Some(2 << 20)),
            ("Name:\tsh\nVmRSS:\t2048\n", None),
            ("VmRSS:\t99999999999999999999 kB\n", None),
            ("VmRSS:\t18446744073709551615 kB\n", None),
            ("", None),
        ] {
            assert_eq!(parse_rss(status), bytes, "{status:?}");
        }
    }
}
