//! A cluster of real processes: this test binary, started again as a node for each.
//!
//! Every test binary has a test named `node_process` that becomes a node when the variable says so; so nodes can be
//! killed and stopped by real signals. Waiting is always for a condition, with a deadline.

#![allow(
    dead_code,
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "test support: each binary uses a part of it"
)]

pub mod batch;
pub mod group;
pub mod txn;
pub mod wire;

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;
use wire::Wire;

pub const NODE: &str = "STORMGLASS_TEST_NODE";
pub const PATIENCE: Duration = Duration::from_secs(30);
/// The first controller.
pub const CONTROLLER: i32 = 100;
const FIRST_PORT: u16 = 10_000;
const PORTS: u32 = 22_000;
const LOOK: Duration = Duration::from_millis(5);

/// Becomes a node if this process was started as one.
pub fn become_a_node_if_asked() {
    if let Some(properties) = std::env::var_os(NODE) {
        std::process::exit(broker::main_from_properties(Path::new(&properties)));
    }
}

/// Waits until `look` gives something.
pub fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let (deadline, (_never, pause)) = (Instant::now() + PATIENCE, mpsc::channel::<()>());
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "in vain waited for: {what}");
        let _elapsed = pause.recv_timeout(LOOK);
    }
}

/// Lets time pass that a setting counts, where nothing can be seen that would say so.
pub fn pass(time: Duration) {
    let (_never, pause) = mpsc::channel::<()>();
    let _elapsed = pause.recv_timeout(time);
}

/// One controller (node 100) and brokers 1 to n.
pub struct Cluster {
    folder: TempDir,
    nodes: Vec<Node>,
}

pub struct Node {
    pub id: i32,
    pub port: u16,
    properties: PathBuf,
    process: Option<Child>,
}

impl Cluster {
    /// Starts it and waits until every broker is ready; `{id}` in a broker's settings is its number.
    pub fn start(brokers: i32, more: &str) -> Cluster {
        Cluster::with_controllers(1, brokers, more)
    }

    /// As [`Cluster::start`], with so many controllers, numbered from 100 on.
    pub fn with_controllers(controllers: i32, brokers: i32, more: &str) -> Cluster {
        let folder = tempfile::tempdir().unwrap();
        let seats: Vec<(i32, u16)> = (0..controllers).map(|number| (CONTROLLER + number, free_port())).collect();
        let voters: Vec<String> = seats.iter().map(|(id, port)| format!("{id}@127.0.0.1:{port}")).collect();
        let own = |role: &str, id: i32| {
            format!(
                "process.roles={role}\ncontroller.quorum.voters={}\n{}",
                voters.join(","),
                more.replace("{id}", &id.to_string())
            )
        };
        let mut nodes: Vec<Node> =
            seats.iter().map(|(id, port)| Node::new(folder.path(), *id, *port, &own("controller", *id))).collect();
        nodes.extend((1..=brokers).map(|id| Node::new(folder.path(), id, free_port(), &own("broker", id))));
        let mut cluster = Cluster { folder, nodes };
        cluster.nodes.iter_mut().for_each(Node::start);
        for id in 1..=brokers {
            cluster.ready(id, 1);
        }
        cluster
    }

    /// Starts nodes 1 to n, each both broker and controller.
    pub fn combined(nodes: i32, more: &str) -> Cluster {
        let folder = tempfile::tempdir().unwrap();
        let seats: Vec<(i32, u16, u16)> = (1..=nodes).map(|id| (id, free_port(), free_port())).collect();
        let voters: Vec<String> = seats.iter().map(|(id, _, port)| format!("{id}@127.0.0.1:{port}")).collect();
        let node = |(id, port, controller): &(i32, u16, u16)| {
            let listeners = format!("listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}\n");
            let voters = format!("controller.quorum.voters={}\n", voters.join(","));
            Node::new(folder.path(), *id, *port, &format!("process.roles=broker,controller\n{listeners}{voters}{more}"))
        };
        let mut nodes: Vec<Node> = seats.iter().map(node).collect();
        nodes.iter_mut().for_each(Node::start);
        let cluster = Cluster { folder, nodes };
        seats.iter().for_each(|(id, _, _)| cluster.ready(*id, 1));
        cluster
    }

    pub fn node(&mut self, id: i32) -> &mut Node {
        self.nodes.iter_mut().find(|node| node.id == id).unwrap()
    }

    pub fn wire(&self, id: i32) -> Wire {
        Wire::to(self.nodes.iter().find(|node| node.id == id).unwrap().port)
    }

    /// Who leads partition 0 of a topic, as a broker not in `not` knows; waits until it is somebody not in `not`.
    pub fn leader(&self, topic: &str, not: &[i32]) -> i32 {
        let ask = self.nodes.iter().find(|node| node.id < CONTROLLER && !not.contains(&node.id)).unwrap().port;
        until("a leader", || {
            let found = Wire::to(ask).partition(topic, 0)?;
            Some(found.leader_id.0).filter(|leader| *leader > 0 && !not.contains(leader))
        })
    }

    /// The in-sync replicas of partition 0, sorted, as this broker knows them.
    pub fn isr(&self, by: i32, topic: &str) -> Vec<i32> {
        let found = self.wire(by).partition(topic, 0);
        let mut isr: Vec<i32> =
            found.map(|found| found.isr_nodes.iter().map(|node| node.0).collect()).unwrap_or_default();
        isr.sort_unstable();
        isr
    }

    /// Creates a topic with one partition on every broker and waits until it takes records.
    pub fn topic(&self, topic: &str, replicas: i16, configs: &[(&str, &str)]) -> i32 {
        assert_eq!(self.wire(1).create(topic, 1, replicas, configs), 0);
        let leader = self.leader(topic, &[]);
        until("the leader to lead", || Some(self.wire(leader).list(topic, -1)).filter(|end| end.error_code == 0));
        leader
    }

    pub fn events(&self, id: i32) -> Vec<serde_json::Value> {
        let text = fs::read_to_string(self.folder.path().join(format!("n{id}/events.jsonl"))).unwrap_or_default();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    pub fn count(&self, id: i32, event: &str) -> usize {
        self.events(id).iter().filter(|line| line["event"] == event).count()
    }

    /// Waits until a broker has been ready so many times.
    pub fn ready(&self, id: i32, times: usize) {
        until(&format!("broker {id} ready"), || (self.count(id, "ready") >= times).then_some(()));
    }

    pub fn brokers(&self) -> Vec<i32> {
        self.nodes.iter().map(|node| node.id).filter(|id| *id != 100).collect()
    }

    pub fn follower_of(&self, leader: i32) -> i32 {
        self.nodes.iter().map(|node| node.id).find(|id| *id < CONTROLLER && *id != leader).unwrap()
    }

    pub fn followers_of(&self, leader: i32) -> Vec<i32> {
        self.nodes.iter().map(|node| node.id).filter(|id| *id < CONTROLLER && *id != leader).collect()
    }

    /// Waits until all replicas of partition 0 hold the same bytes, and at least so many records.
    pub fn agree(&self, topic: &str, ids: &[i32]) {
        let partition = format!("{topic}-0");
        until("replicas to agree", || {
            let first = self.log(ids[0], &partition);
            (!first.is_empty() && ids.iter().all(|id| self.log(*id, &partition) == first)).then_some(())
        });
    }

    pub fn restart(&mut self, id: i32) {
        let times = self.count(id, "ready") + 1;
        self.node(id).start();
        self.ready(id, times);
    }

    pub fn log(&self, id: i32, partition: &str) -> Vec<u8> {
        let file = format!("n{id}/data/{partition}/00000000000000000000.log");
        fs::read(self.folder.path().join(file)).unwrap_or_default()
    }

    pub fn folder_of(&self, id: i32, partition: &str) -> PathBuf {
        self.folder.path().join(format!("n{id}/data/{partition}"))
    }
}

impl Node {
    fn new(folder: &Path, id: i32, port: u16, more: &str) -> Node {
        let name = if id >= CONTROLLER { "CONTROLLER" } else { "PLAINTEXT" };
        let data = folder.join(format!("n{id}/data"));
        let text = format!(
            "node.id={id}\nlisteners={name}://127.0.0.1:{port}\n\
             log.dirs={}\nbroker.session.timeout.ms=1500\nbroker.heartbeat.interval.ms=200\n\
             replica.lag.time.max.ms=1500\nreplica.fetch.wait.max.ms=100\nmin.insync.replicas=2\n\
             default.replication.factor=3\ncontroller.quorum.election.timeout.ms=500\n{more}",
            data.display()
        );
        let properties = folder.join(format!("n{id}.properties"));
        fs::write(&properties, text).unwrap();
        Node { id, port, properties, process: None }
    }

    pub fn start(&mut self) {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["node_process", "--exact", "--nocapture"]).env(NODE, &self.properties).stdout(Stdio::null());
        self.process = Some(command.spawn().unwrap());
    }

    /// Starts it where no file may grow beyond so many bytes: writing more is an error, as on a full disk.
    pub fn start_with_files_of(&mut self, bytes_max: u64) {
        let script =
            format!("trap '' XFSZ; ulimit -f {}; exec \"$0\" node_process --exact --nocapture", bytes_max / 512);
        let mut command = Command::new("sh");
        command.args(["-c", &script]).arg(std::env::current_exe().unwrap());
        self.process = Some(command.env(NODE, &self.properties).stdout(Stdio::null()).spawn().unwrap());
    }

    pub fn signal(&self, signal: Signal) {
        let process = self.process.as_ref().unwrap();
        kill(Pid::from_raw(process.id() as i32), signal).unwrap();
    }

    pub fn pause(&self) {
        self.signal(Signal::SIGSTOP);
    }

    pub fn resume(&self) {
        self.signal(Signal::SIGCONT);
    }

    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _gone = process.kill();
            let _status = process.wait();
        }
    }

    /// Asks it to stop and gives its exit code.
    pub fn stop(&mut self) -> Option<i32> {
        self.signal(Signal::SIGTERM);
        self.wait()
    }

    /// Waits for its end and gives its exit code.
    pub fn wait(&mut self) -> Option<i32> {
        self.process.take().unwrap().wait().unwrap().code()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
    }
}

/// One of those that no kernel hands out to whoever connects, each once in this process: a node may start late, and again.
fn free_port() -> u16 {
    static TAKEN: AtomicU32 = AtomicU32::new(0);
    let next = || TAKEN.fetch_add(1, Ordering::Relaxed).wrapping_add(std::process::id().wrapping_mul(97)) % PORTS;
    let free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    std::iter::repeat_with(|| FIRST_PORT + next() as u16).find(free).unwrap()
}
