//! How many files a node may have open: logs and connections share them.
//!
//! **Invariant:** clients get half of them at most, so that no number of connections keeps a log from opening its files.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Asks for as many as the system lets a process have, and says how many that is.
pub fn raise() -> usize {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return usize::MAX };
    let raised = soft >= hard || setrlimit(Resource::RLIMIT_NOFILE, hard, hard).is_ok();
    usize::try_from(if raised { hard } else { soft }).unwrap_or(usize::MAX)
}

/// How many connections so many files are enough for.
pub fn connections(files: usize) -> usize {
    files / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_process_may_have_is_more_than_what_connections_get() {
        let files = raise();
        assert!(connections(files) > 0 && connections(files) < files);
        assert_eq!(getrlimit(Resource::RLIMIT_NOFILE).map(|(soft, hard)| soft == hard), Ok(true));
    }
}
