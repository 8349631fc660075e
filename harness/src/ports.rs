//! Loopback ports for the nodes of a run.
//!
//! They lie below the kernel's ephemeral range (32768 and up), so that no outgoing connection takes the port of a broker
//! that is down at the moment. **Invariant:** a port given out could be bound a moment ago; whoever loses the race for it
//! afterwards says so when it binds (exit 69).

use std::net::{Ipv4Addr, SocketAddr, TcpListener};

const FIRST: u16 = 20_000;
const LAST: u16 = 32_000;

/// `count` free ports; `start` is anything that differs between runs side by side.
pub fn free(count: usize, start: u64) -> Option<Vec<u16>> {
    let span = u64::from(LAST - FIRST);
    let candidates = (0..span).map(|i| FIRST + ((start + i) % span) as u16);
    let ports: Vec<u16> = candidates.filter(|port| is_free(*port)).take(count).collect();
    (ports.len() == count).then_some(ports)
}

/// `count` ports from `base` on, free or not: the user asked for them.
pub fn from_base(base: u16, count: usize) -> Option<Vec<u16>> {
    (0..count).map(|i| base.checked_add(u16::try_from(i).ok()?)).collect()
}

/// A node's address.
pub fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

fn is_free(port: u16) -> bool {
    TcpListener::bind(loopback(port)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_in_use_is_not_given_out() {
        let port = free(1, 77).unwrap()[0];
        let _taken = TcpListener::bind(loopback(port)).unwrap();
        assert!(!free(3, u64::from(port - FIRST)).unwrap().contains(&port));
    }

    #[test]
    fn ports_past_the_last_one_are_refused() {
        assert_eq!(from_base(65_535, 2), None);
        assert_eq!(from_base(65_534, 2), Some(vec![65_534, 65_535]));
    }
}
