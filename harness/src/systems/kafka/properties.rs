//! A node's configuration and command line: small, on the loopback address, with its settings last.
//!
//! With 1 or 3 dedicated controllers a broker is only a broker; with 0 every broker is a voter too, and has a second port.

use super::archive;
use super::cache::Home;
use super::format;
use super::java::{BROKER, Java, SMALL};
use crate::scenario::{ClusterShape, Scenario};
use crate::settings::Owner;
use crate::systems::{Launch, NodePlan, NodeRole, Owned, Seat};
use history::NodeId;
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;

const FIRST_CONTROLLER: i32 = 100;

/// What makes a node this one.
pub struct Identity {
    /// Its id.
    pub id: i32,
    /// What it does; a broker with an address for controllers is both.
    pub role: NodeRole,
    /// Where it listens.
    pub seat: Seat,
    /// Where it votes, if a broker does.
    pub controller: Option<Seat>,
}

const SMALL_AND_QUICK: &str = "\
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
auto.create.topics.enable=false
num.network.threads=2
num.io.threads=2
background.threads=2
num.recovery.threads.per.data.dir=1
log.cleaner.dedupe.buffer.size=2097152
log.cleaner.backoff.ms=1000
offsets.topic.num.partitions=3
transaction.state.log.num.partitions=3
group.initial.rebalance.delay.ms=0
controlled.shutdown.max.retries=1
controlled.shutdown.retry.backoff.ms=200
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
replica.lag.time.max.ms=3000
replica.fetch.wait.max.ms=100
";

const LOG4J: (&str, &str) = ("log4j.properties", include_str!("log4j.properties"));
const LOG4J2: (&str, &str) = ("log4j2.xml", include_str!("log4j2.xml"));

/// Ports of a cluster.
pub fn ports(shape: ClusterShape) -> usize {
    let voters = if shape.controllers == 0 { shape.brokers } else { shape.controllers };
    usize::from(shape.brokers + voters)
}

/// Every node's folder and command line; controllers first.
pub fn lay_out(
    scenario: &Scenario,
    (home, java): (&Home, &Java),
    folder: &Path,
    seats: &[Seat],
) -> io::Result<Vec<NodePlan>> {
    let nodes = identities(scenario.cluster, seats);
    let voters: Vec<String> = nodes.iter().filter_map(voter).collect();
    let cluster_id = format::new_id();
    let logging = logging(home)?;
    let plan = |node: &Identity| {
        let folder = std::path::absolute(folder.join(node.id.to_string()))?;
        let (data, config) = (folder.join("data"), folder.join("node.properties"));
        format::node(home, &scenario.settings.values(Owner::Feature), &data, (&cluster_id, node.id))?;
        let mut text = self::node(node, &voters.join(","), &data, scenario.cluster.brokers);
        for (name, value) in scenario.settings.values(Owner::Broker) {
            let _ = writeln!(text, "{name}={}", escape(&value));
        }
        fs::write(&config, text)?;
        let heap = if node.role == NodeRole::Broker { BROKER } else { SMALL };
        let extra = [archive::flags(home, java), logging.clone()].concat();
        let main = ["kafka.Kafka".to_owned(), config.to_string_lossy().into_owned()];
        let (argv, stdout, launch) =
            (java.argv(home, heap, &extra, &main), folder.join("stdout.log"), Launch::default());
        let (id, role, owned) = (NodeId(node.id), node.role, Owned::Ours);
        let Seat { listens: address, advertises: advertised } = node.seat;
        let voter = node.controller;
        Ok(NodePlan { id, role, owned, argv, launch, address, advertised, voter, folder, data, stdout })
    };
    nodes.iter().map(plan).collect()
}

fn identities(shape: ClusterShape, seats: &[Seat]) -> Vec<Identity> {
    let mut seats = seats.iter().copied();
    let controllers: Vec<Seat> = seats.by_ref().take(usize::from(shape.controllers)).collect();
    let brokers: Vec<Seat> = seats.by_ref().take(usize::from(shape.brokers)).collect();
    let dedicated = (FIRST_CONTROLLER..).zip(controllers);
    let dedicated = dedicated.map(|(id, seat)| Identity { id, role: NodeRole::Controller, seat, controller: None });
    let combined = shape.controllers == 0;
    let brokers = (1..).zip(brokers).map(|(id, seat)| {
        let controller = if combined { seats.next() } else { None };
        Identity { id, role: NodeRole::Broker, seat, controller }
    });
    dedicated.chain(brokers).collect()
}

fn voter(node: &Identity) -> Option<String> {
    match (node.role, node.controller) {
        (NodeRole::Controller, _) => Some(format!("{}@{}", node.id, node.seat.advertises)),
        (NodeRole::Broker, Some(seat)) => Some(format!("{}@{}", node.id, seat.advertises)),
        (NodeRole::Broker, None) => None,
    }
}

/// A node's properties without the scenario's settings.
pub fn node(node: &Identity, voters: &str, data: &Path, brokers: u16) -> String {
    let Identity { id, role, seat, controller } = node;
    let address = seat.listens;
    let broker = format!("PLAINTEXT://{address}");
    let (roles, listeners) = match (role, controller) {
        (NodeRole::Controller, _) => ("controller", format!("CONTROLLER://{address}")),
        (NodeRole::Broker, None) => ("broker", broker.clone()),
        (NodeRole::Broker, Some(votes)) => ("broker,controller", format!("{broker},CONTROLLER://{}", votes.listens)),
    };
    let mut out = format!(
        "process.roles={roles}\nnode.id={id}\ncontroller.quorum.voters={voters}\nlisteners={listeners}\nlog.dirs={}\n",
        escape(&data.to_string_lossy()),
    );
    if *role == NodeRole::Broker {
        let _ = writeln!(out, "inter.broker.listener.name=PLAINTEXT");
        let _ = writeln!(out, "advertised.listeners=PLAINTEXT://{}", seat.advertises);
    }
    let (replicas, min_isr) = (brokers.min(3), brokers.min(2));
    for topic in ["offsets.topic", "transaction.state.log", "share.coordinator.state.topic"] {
        let _ = writeln!(out, "{topic}.replication.factor={replicas}");
    }
    for topic in ["transaction.state.log", "share.coordinator.state.topic"] {
        let _ = writeln!(out, "{topic}.min.isr={min_isr}");
    }
    out + SMALL_AND_QUICK
}

/// The flags that make a release log in one line format, with the files they name.
pub fn logging(home: &Home) -> io::Result<Vec<String>> {
    let (flag, (name, text)) = match home.release().is_4() {
        true => ("-Dlog4j2.configurationFile=", LOG4J2),
        false => ("-Dlog4j.configuration=file:", LOG4J),
    };
    let path = home.folder.join(name);
    if !fs::read_to_string(&path).is_ok_and(|there| there == text) {
        let beside = path.with_extension(format!("{}.new", std::process::id()));
        fs::create_dir_all(&home.folder)?;
        fs::write(&beside, text)?;
        fs::rename(&beside, &path)?;
    }
    Ok(vec![format!("{flag}{}", path.display())])
}

fn escape(value: &str) -> String {
    value.replace('\\', "\\\\").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::preset;

    fn seats(count: usize) -> Vec<Seat> {
        crate::ports::seats(count, Some(7000), false).unwrap()
    }

    fn shape(controllers: u16) -> ClusterShape {
        ClusterShape { controllers, ..preset::CLUSTER }
    }

    #[test]
    fn dedicated_controllers_vote_and_come_first() {
        let nodes = identities(shape(1), &seats(4));
        assert_eq!(ports(shape(1)), 4);
        assert_eq!(nodes.iter().map(|n| n.id).collect::<Vec<_>>(), [100, 1, 2, 3]);
        assert_eq!(nodes.iter().filter_map(voter).collect::<Vec<_>>(), ["100@127.0.0.1:7000"]);
    }

    #[test]
    fn without_them_every_broker_votes_at_a_port_of_its_own() {
        let nodes = identities(shape(0), &seats(6));
        assert_eq!(ports(shape(0)), 6);
        let voters: Vec<_> = nodes.iter().filter_map(voter).collect();
        assert_eq!(voters, ["1@127.0.0.1:7003", "2@127.0.0.1:7004", "3@127.0.0.1:7005"]);
        let text = node(&nodes[0], &voters.join(","), Path::new("/d"), 3);
        assert!(text.contains("listeners=PLAINTEXT://127.0.0.1:7000,CONTROLLER://127.0.0.1:7003\n"), "{text}");
    }

    #[test]
    fn a_cluster_of_one_asks_for_no_more_replicas_than_it_has() {
        let nodes = identities(ClusterShape { brokers: 1, ..shape(1) }, &seats(2));
        let text = node(&nodes[1], "100@127.0.0.1:7000", Path::new("/d"), 1);
        assert!(text.contains("offsets.topic.replication.factor=1\n"), "{text}");
        assert!(text.contains("transaction.state.log.min.isr=1\n"), "{text}");
    }
}
