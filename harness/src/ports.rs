//! Loopback ports for the nodes of a run.
//!
//! They lie below the kernel's ephemeral range (32768 and up), so that no outgoing connection takes the port of a broker
//! that is down at the moment. **Invariant:** a port given out could be bound a moment ago; whoever loses the race for it
//! afterwards says so when it binds (exit 69).

use crate::systems::Seat;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

const FIRST: u16 = 20_000;
const LAST: u16 = 32_000;

/// `count` free ports; `start` is anything that differs between runs side by side.
fn free(count: usize, start: u64) -> Option<Vec<u16>> {
    let span = u64::from(LAST - FIRST);
    let candidates = (0..span).map(|i| FIRST + ((start + i) % span) as u16);
    let ports: Vec<u16> = candidates.filter(|port| is_free(*port)).take(count).collect();
    (ports.len() == count).then_some(ports)
}

/// `count` ports from `base` on, free or not: the user asked for them.
fn from_base(base: u16, count: usize) -> Option<Vec<u16>> {
    (0..count).map(|i| base.checked_add(u16::try_from(i).ok()?)).collect()
}

/// Seats for `count` nodes: each its own two ports if there is a proxy in front of it, else one.
pub fn seats(count: usize, base: Option<u16>, proxied: bool) -> Option<Vec<Seat>> {
    let wanted = if proxied { count * 2 } else { count };
    let ports = match base {
        Some(base) => from_base(base, wanted),
        None => free(wanted, rand::random()),
    }?;
    let (listening, doors) = ports.split_at(count);
    let doors = if proxied { doors } else { listening };
    let seat = |(own, door): (&u16, &u16)| Seat { listens: loopback(*own), advertises: loopback(*door) };
    Some(listening.iter().zip(doors).map(seat).collect())
}

/// A node's address.
fn loopback(port: u16) -> SocketAddr {
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
    fn a_proxied_node_advertises_another_port_than_it_listens_on() {
        let seats = seats(3, Some(21_000), true).unwrap();
        let ports: Vec<_> = seats.iter().map(|s| (s.listens.port(), s.advertises.port())).collect();
        assert_eq!(ports, [(21_000, 21_003), (21_001, 21_004), (21_002, 21_005)]);
        assert!(super::seats(3, Some(21_000), false).unwrap().iter().all(|s| s.listens == s.advertises));
    }

    #[test]
    fn ports_past_the_last_one_are_refused() {
        assert_eq!(from_base(65_535, 2), None);
        assert_eq!(from_base(65_534, 2), Some(vec![65_534, 65_535]));
    }
}
