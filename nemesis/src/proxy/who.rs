//! Who is at the other end of an accepted connection on this machine.
//!
//! The kernel tells the inode of the peer's socket (`sock_diag`, or `/proc/net/tcp` where that is not allowed); the
//! process of the run that has it open is the peer. Processes of the run carry their name in their environment, inherited
//! by whatever they start. One thread owns the cache. Whoever carries no name is the observer.
//!
//! **Invariant:** who has gone costs one question to the kernel and no search, and only processes below the one that started the
//! proxy are searched: clients that give up and come again must not make those wait who are still there.

use crate::actor::{Actor, TAG};
use nix::sys::socket::{AddressFamily, SockFlag, SockProtocol, SockType, socket};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;
use tokio::sync::{mpsc, oneshot};

/// `SOCK_DIAG_BY_FAMILY`, and the answer's type.
const BY_FAMILY: u16 = 20;
const NLM_F_REQUEST: u16 = 1;
const HEADER_BYTES: usize = 16;
const REQUEST_BYTES: usize = HEADER_BYTES + 56;
/// Of the inode, from the begin of the answer: header, family to retransmits, socket id, expiry, queues, uid.
const INODE_AT: usize = HEADER_BYTES + 4 + 48 + 16;
const ANSWER_BYTES_MAX: usize = 4096;

/// Asks the thread that knows.
pub(super) struct Who {
    questions: mpsc::UnboundedSender<Question>,
}

struct Question {
    peer: SocketAddr,
    here: SocketAddr,
    answer: oneshot::Sender<Actor>,
}

impl Who {
    /// Starts the thread.
    pub(super) fn start() -> io::Result<Who> {
        let (questions, mut asked) = mpsc::unbounded_channel::<Question>();
        let body = move || {
            let mut finder = Finder::new();
            while let Some(Question { peer, here, answer }) = asked.blocking_recv() {
                // Who no longer wants to know has gone.
                let _ = answer.send(finder.find(peer, here));
            }
        };
        std::thread::Builder::new().name("who".into()).spawn(body)?;
        Ok(Who { questions })
    }

    /// Who connected from `peer` to `here`.
    pub(super) async fn is_at(&self, peer: SocketAddr, here: SocketAddr) -> Actor {
        let (answer, answered) = oneshot::channel();
        let _ = self.questions.send(Question { peer, here, answer });
        answered.await.unwrap_or(Actor::Observer)
    }
}

/// Finds processes by their sockets; remembers which processes carry which name.
struct Finder {
    diag: Option<OwnedFd>,
    /// By pid and start time's stand-in, the inode of its `/proc` entry being of no use: names are read anew on a miss.
    known: BTreeMap<u32, Actor>,
}

impl Finder {
    fn new() -> Finder {
        let protocol = SockProtocol::NetlinkSockDiag;
        let diag = socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, protocol).ok();
        Finder { diag, known: BTreeMap::new() }
    }

    fn find(&mut self, peer: SocketAddr, here: SocketAddr) -> Actor {
        let (SocketAddr::V4(peer), SocketAddr::V4(here)) = (peer, here) else { return Actor::Observer };
        let inode = match self.diag.as_ref().map(|diag| ask_kernel(diag, peer, here)) {
            // It finds sockets of the other family, too. A table is the whole machine's: to read it for who has gone would be dear.
            Some(Ok(told)) => told,
            Some(Err(_)) | None => look_up(peer, here),
        };
        let Some(inode) = inode else { return Actor::Observer };
        let link = format!("socket:[{inode}]");
        self.among_known(&link)
            .or_else(|| {
                self.known = named_processes();
                self.among_known(&link)
            })
            .unwrap_or(Actor::Observer)
    }

    /// A pid may have come round again since its name was read: it is read again from whoever has the socket.
    fn among_known(&self, link: &str) -> Option<Actor> {
        let pid = self.known.keys().copied().find(|pid| has_open(*pid, link))?;
        name_of(pid)
    }
}

/// Every process of the run that carries a name.
fn named_processes() -> BTreeMap<u32, Actor> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let parents: BTreeMap<u32, u32> = pids.filter_map(|pid| Some((pid, parent_of(pid)?))).collect();
    let root = std::os::unix::process::parent_id();
    let of_run = parents.keys().copied().filter(|pid| is_below(*pid, root, &parents));
    of_run.filter_map(|pid| Some((pid, name_of(pid)?))).collect()
}

fn parent_of(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // After the program's name, which may hold anything: the state, then the parent.
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

/// True if the chain of parents leads to `root`. Pids that came round again while the table was read may make a circle of it.
fn is_below(mut pid: u32, root: u32, parents: &BTreeMap<u32, u32>) -> bool {
    for _ in 0..parents.len() {
        match parents.get(&pid) {
            Some(parent) if *parent == root => return true,
            Some(parent) => pid = *parent,
            None => return false,
        }
    }
    false
}

fn name_of(pid: u32) -> Option<Actor> {
    let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
    let mut variables = environment.split(|byte| *byte == 0).filter_map(|v| std::str::from_utf8(v).ok());
    variables.find_map(|v| Actor::from_tag(v.strip_prefix(TAG)?.strip_prefix('=')?))
}

fn has_open(pid: u32, link: &str) -> bool {
    let Ok(entries) = fs::read_dir(format!("/proc/{pid}/fd")) else { return false };
    entries.flatten().any(|entry| fs::read_link(entry.path()).is_ok_and(|to| to == Path::new(link)))
}

/// The inode of the socket at `peer` that is connected to `here`, from the kernel.
fn ask_kernel(diag: &OwnedFd, peer: SocketAddrV4, here: SocketAddrV4) -> io::Result<Option<u32>> {
    nix::unistd::write(diag, &question(peer, here))?;
    let mut answer = [0; ANSWER_BYTES_MAX];
    let length = nix::sys::socket::recv(diag.as_raw_fd(), &mut answer, nix::sys::socket::MsgFlags::empty())?;
    Ok(inode_of(&answer[..length]))
}

fn question(peer: SocketAddrV4, here: SocketAddrV4) -> Vec<u8> {
    let mut out = Vec::with_capacity(REQUEST_BYTES);
    out.extend((REQUEST_BYTES as u32).to_ne_bytes());
    out.extend(BY_FAMILY.to_ne_bytes());
    out.extend(NLM_F_REQUEST.to_ne_bytes());
    out.extend([0; 8]);
    out.extend([nix::libc::AF_INET as u8, nix::libc::IPPROTO_TCP as u8, 0, 0]);
    out.extend(u32::MAX.to_ne_bytes());
    out.extend(peer.port().to_be_bytes());
    out.extend(here.port().to_be_bytes());
    for ip in [peer.ip(), here.ip()] {
        out.extend(ip.octets());
        out.extend([0; 12]);
    }
    out.extend([0; 4]);
    out.extend([0xff; 8]);
    out
}

fn inode_of(answer: &[u8]) -> Option<u32> {
    let kind = u16::from_ne_bytes(answer.get(4..6)?.try_into().ok()?);
    let inode = u32::from_ne_bytes(answer.get(INODE_AT..INODE_AT + 4)?.try_into().ok()?);
    (kind == BY_FAMILY && inode != 0).then_some(inode)
}

/// The same from `/proc/net`, where the kernel does not answer questions.
fn look_up(peer: SocketAddrV4, here: SocketAddrV4) -> Option<u32> {
    let wanted = (hex(peer), hex(here));
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"];
    tables.iter().find_map(|table| {
        let text = fs::read_to_string(table).ok()?;
        text.lines().skip(1).find_map(|line| inode_in(line, &wanted))
    })
}

fn inode_in(line: &str, (peer, here): &(String, String)) -> Option<u32> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let (local, remote, inode) = (fields.get(1)?, fields.get(2)?, fields.get(9)?);
    // An IPv6 socket with a mapped address ends in the IPv4 one.
    let is = local.ends_with(peer.as_str()) && remote.ends_with(here.as_str());
    is.then(|| inode.parse().ok()).flatten().filter(|inode| *inode != 0)
}

fn hex(address: SocketAddrV4) -> String {
    let ip: &Ipv4Addr = address.ip();
    format!("{:08X}:{:04X}", u32::from_ne_bytes(ip.octets()), address.port())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};

    #[test]
    fn the_kernel_and_proc_tell_the_same_inode_of_a_connection() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (SocketAddr::V4(peer), SocketAddr::V4(here)) = (client.local_addr().unwrap(), client.peer_addr().unwrap())
        else {
            panic!("both are IPv4")
        };
        let inode = look_up(peer, here).unwrap();
        assert!(has_open(std::process::id(), &format!("socket:[{inode}]")));
        if let Some(diag) = &Finder::new().diag {
            assert_eq!(ask_kernel(diag, peer, here).unwrap(), Some(inode));
        }
    }

    #[test]
    fn a_socket_of_the_other_family_is_found_by_the_kernel() {
        let Ok(server) = TcpListener::bind("[::]:0") else { return };
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, server.local_addr().unwrap().port()));
        let client = TcpStream::connect(address).unwrap();
        let (accepted, _) = server.accept().unwrap();
        let (SocketAddr::V4(client), SocketAddr::V4(here)) = (client.local_addr().unwrap(), address) else {
            panic!("both are IPv4")
        };
        if let Some(diag) = &Finder::new().diag {
            let inode = ask_kernel(diag, here, client).unwrap().unwrap();
            assert!(has_open(std::process::id(), &format!("socket:[{inode}]")));
        }
        drop(accepted);
    }

    #[test]
    fn a_connection_that_has_gone_is_nobodys_and_the_kernel_says_so() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (SocketAddr::V4(peer), SocketAddr::V4(here)) = (client.local_addr().unwrap(), client.peer_addr().unwrap())
        else {
            panic!("both are IPv4")
        };
        drop(client);
        if let Some(diag) = &Finder::new().diag {
            assert_eq!(ask_kernel(diag, peer, here).unwrap(), None);
        }
        assert_eq!(Finder::new().find(peer.into(), here.into()), Actor::Observer);
    }

    #[test]
    fn a_run_is_what_lies_below_its_guard_and_a_torn_table_ends() {
        let parents = BTreeMap::from([(2, 1), (3, 2), (4, 3), (5, 1), (6, 7), (7, 6)]);
        let below: Vec<u32> = parents.keys().copied().filter(|pid| is_below(*pid, 2, &parents)).collect();
        assert_eq!(below, [3, 4]);
    }

    #[test]
    fn whoever_carries_no_name_is_the_observer() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (peer, here) = (client.local_addr().unwrap(), client.peer_addr().unwrap());
        assert_eq!(Finder::new().find(peer, here), Actor::Observer);
    }
}
