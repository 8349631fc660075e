//! Any program that speaks the protocol: `cmd='PROGRAM … {id} {port} {dir} …'`, one process a node.
//!
//! ```text
//! {id}     the node's id, from 1          {host}   127.0.0.1
//! {port}   its port                       {dir}    a folder of its own, which exists
//! {peers}  ID@HOST:PORT of every node, comma-separated
//! ```
//! Words are split as a shell does, with `'` and `"`; no shell is run. Nobody knows what such a program can do: it has its
//! processes and what the user says it has (`--has replication,durable`), and lacks the rest.

use super::{Capabilities, Capability, Launch, NodePlan, NodeRole, Owned, Seat, System};
use crate::scenario::{ClusterShape, Scenario, preset};
use crate::settings::Owner;
use history::NodeId;
use std::path::{Path, PathBuf};

/// Any program.
pub struct Command {
    /// The command line with its places to fill in.
    pub template: String,
    /// What its user says it has.
    pub has: Vec<Capability>,
}

const PLACES: [&str; 5] = ["id", "port", "dir", "host", "peers"];
/// One node that keeps its records to itself.
pub const ALONE: ClusterShape = ClusterShape { brokers: 1, controllers: 0, replication: 1, ..preset::CLUSTER };

impl System for Command {
    fn name(&self) -> &'static str {
        "cmd"
    }

    fn version(&self) -> String {
        split(&self.template).ok().and_then(|words| words.into_iter().next()).unwrap_or_default()
    }

    fn capabilities(&self) -> Capabilities {
        let nobody_said = Capabilities::none("nobody said that the command has it (--has)").with(Capability::Processes);
        self.has.iter().fold(nobody_said, |has, capability| has.with(*capability))
    }

    fn shape(&self) -> ClusterShape {
        match self.has.contains(&Capability::Replication) {
            true => ClusterShape { controllers: 0, ..preset::CLUSTER },
            false => ALONE,
        }
    }

    fn refuse(&self, scenario: &Scenario) -> Result<(), String> {
        let words = split(&self.template)?;
        words.iter().try_for_each(|word| fill(word, |_| Some(String::new())).map(|_| ()))?;
        if scenario.cluster.brokers > 1 && !self.template.contains("{port}") {
            return Err("several nodes need a port each: write {port} into the command".into());
        }
        refuse_ours(scenario)
    }

    fn program(&self) -> Option<PathBuf> {
        split(&self.template).ok()?.into_iter().next().map(PathBuf::from)
    }

    fn lay_out(&self, scenario: &Scenario, folder: &Path, seats: &[Seat]) -> std::io::Result<Vec<NodePlan>> {
        let words = split(&self.template).map_err(std::io::Error::other)?;
        let nodes: Vec<(i32, Seat)> = (1..=i32::from(scenario.cluster.brokers)).zip(seats.iter().copied()).collect();
        let peers: Vec<String> = nodes.iter().map(|(id, seat)| format!("{id}@{}", seat.advertises)).collect();
        nodes.iter().map(|node| lay_out_node(&words, *node, &peers.join(","), folder)).collect()
    }
}

/// Broker settings and planted bugs are the embedded broker's own.
pub fn refuse_ours(scenario: &Scenario) -> Result<(), String> {
    let preset = |s: &crate::settings::Setting| s.origin == crate::settings::Origin::Preset;
    if let Some((name, _)) = scenario.settings.of(Owner::Broker).find(|(_, s)| !preset(s)) {
        return Err(format!("broker:{name} cannot be set: this system's nodes are configured by their own command"));
    }
    match &scenario.plant {
        Some(bug) => Err(format!("`{bug}` can be planted in the embedded broker only")),
        None => Ok(()),
    }
}

fn lay_out_node(words: &[String], (id, seat): (i32, Seat), peers: &str, folder: &Path) -> std::io::Result<NodePlan> {
    let folder = std::path::absolute(folder.join(id.to_string()))?;
    let data = folder.join("data");
    std::fs::create_dir_all(&data)?;
    let Seat { listens: address, advertises: advertised } = seat;
    let value = |place: &str| {
        Some(match place {
            "id" => id.to_string(),
            "port" => address.port().to_string(),
            "dir" => data.to_string_lossy().into_owned(),
            "host" => address.ip().to_string(),
            "peers" => peers.to_owned(),
            _ => return None,
        })
    };
    let argv: Result<Vec<String>, String> = words.iter().map(|word| fill(word, value)).collect();
    let (argv, stdout) = (argv.map_err(std::io::Error::other)?, folder.join("stdout.log"));
    let (role, owned) = (NodeRole::Broker, Owned::Ours);
    Ok(NodePlan {
        id: NodeId(id),
        role,
        owned,
        argv,
        launch: Launch::default(),
        address,
        advertised,
        voter: None,
        folder,
        data,
        stdout,
    })
}

/// A word with its places filled in.
fn fill(word: &str, value: impl Fn(&str) -> Option<String>) -> Result<String, String> {
    let (mut out, mut rest) = (String::new(), word);
    while let Some(open) = rest.find('{') {
        let (before, after) = rest.split_at(open);
        out += before;
        let place = after[1..].split_once('}').filter(|(place, _)| PLACES.contains(place));
        match place.and_then(|(place, rest)| Some((value(place)?, rest))) {
            Some((value, left)) => {
                out += &value;
                rest = left;
            }
            None if after[1..].starts_with(|c: char| c.is_ascii_lowercase()) => {
                let known = PLACES.map(|p| format!("{{{p}}}")).join(" ");
                return Err(format!("`{word}` has a place nobody can fill in; there are {known}"));
            }
            None => {
                out.push('{');
                rest = &after[1..];
            }
        }
    }
    Ok(out + rest)
}

/// The words of a command line.
pub fn split(line: &str) -> Result<Vec<String>, String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for c in line.chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    if quote.is_some() {
        return Err(format!("`{line}` has a quote that is not closed"));
    }
    words.extend(word);
    if words.is_empty() { Err("the command is empty".into()) } else { Ok(words) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_split_as_a_shell_splits_them() {
        let words = |line: &str| split(line).unwrap();
        assert_eq!(words("a  'b c' --d=\"e f\" ''"), ["a", "b c", "--d=e f", ""]);
        assert!(split("a 'b").is_err() && split("  ").is_err());
    }

    #[test]
    fn places_are_filled_in_and_other_braces_left_alone() {
        let value = |place: &str| Some(place.to_uppercase());
        assert_eq!(fill("tcp://{host}:{port}/{}{1}", value).as_deref(), Ok("tcp://HOST:PORT/{}{1}"));
        assert!(fill("{prot}", value).unwrap_err().contains("{port}"));
    }

    #[test]
    fn an_undeclared_command_is_one_node_that_can_only_be_paused() {
        let command = Command { template: "x {port}".into(), has: Vec::new() };
        let (has, shape) = (command.capabilities(), command.shape());
        assert!(has.lacks(Capability::Processes).is_none() && has.lacks(Capability::Durable).is_some());
        assert_eq!((shape.brokers, shape.controllers, shape.replication), (1, 0, 1));
        let declared = Command { template: "x {port}".into(), has: vec![Capability::Replication] };
        assert_eq!((declared.shape().brokers, declared.shape().controllers), (3, 0));
    }

    #[test]
    fn nodes_get_their_own_id_port_and_folder() {
        let command = Command { template: "srv -i {id} -p {port} -d {dir} --peers {peers}".into(), has: Vec::new() };
        let folder = tempfile::tempdir().unwrap();
        let mut scenario = crate::scenario::tests::scenario(preset::durable());
        scenario.cluster.brokers = 2;
        let plans =
            command.lay_out(&scenario, folder.path(), &crate::ports::seats(2, Some(7001), false).unwrap()).unwrap();
        assert_eq!(plans.iter().map(|p| p.id.0).collect::<Vec<_>>(), [1, 2]);
        let dir = plans[1].data.to_string_lossy().into_owned();
        let argv = ["srv", "-i", "2", "-p", "7002", "-d", &dir, "--peers", "1@127.0.0.1:7001,2@127.0.0.1:7002"];
        assert_eq!(plans[1].argv, argv);
    }
}
