//! What a node is told: a `.properties` file with Kafka's names becomes a checked `Config`.
//!
//! **Invariant:** a `Config` is valid and complete; nothing stringly typed goes further, except the values kept for
//! DescribeConfigs. An unknown name is an error that says the nearest valid one. What is set on topics and brokers while
//! they run arrives later, with the cluster image: `Layers`.

pub mod listener;
pub mod properties;
pub mod topic;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use java_properties::{LineContent, PropertiesIter};
use thiserror::Error;

pub use listener::{Address, Listener, Voter};
pub use topic::{Layers, TopicConfig};

use crate::bugs::{self, Bugs};
use crate::ids::NodeId;

/// Why a `.properties` file cannot be used.
#[derive(Debug, Error)]
#[allow(missing_docs, reason = "the fields are named in the messages")]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{path}: {source}")]
    Read { path: PathBuf, source: io::Error },
    /// A line that is no property.
    #[error("line {line}: not a property: {detail}")]
    Syntax { line: usize, detail: String },
    /// A name that means nothing.
    #[error("line {line}: unknown property {name}; did you mean {nearest}?")]
    Unknown { line: usize, name: String, nearest: &'static str },
    /// A value that does not fit.
    #[error("{name}={value}: {why}")]
    Value { name: String, value: String, why: String },
    /// A property without which a node cannot be.
    #[error("{0} must be set")]
    Missing(&'static str),
}

/// What a node does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Roles {
    /// Keeps partitions.
    Broker,
    /// Takes part in the metadata quorum.
    Controller,
    /// Both in one process.
    Both,
}

impl Roles {
    /// Whether partitions are kept here.
    pub fn broker(self) -> bool {
        self != Roles::Controller
    }

    /// Whether a controller runs here.
    pub fn controller(self) -> bool {
        self != Roles::Broker
    }
}

/// How followers fetch.
#[derive(Clone, Debug)]
pub struct ReplicaConfig {
    /// `replica.lag.time.max.ms`
    pub lag_time_max: Duration,
    /// `replica.fetch.wait.max.ms`
    pub fetch_wait_max: Duration,
    /// `replica.fetch.min.bytes`
    pub fetch_bytes_min: i32,
    /// `replica.fetch.max.bytes`
    pub fetch_bytes_max: i32,
    /// `replica.fetch.response.max.bytes`
    pub response_bytes_max: i32,
    /// `replica.fetch.backoff.ms`
    pub backoff_max: Duration,
    /// `replica.socket.timeout.ms`
    pub socket_timeout: Duration,
    /// `replica.high.watermark.checkpoint.interval.ms`
    pub checkpoint_interval: Duration,
}

/// Limits of the server.
#[derive(Clone, Debug)]
pub struct ServerLimits {
    /// `socket.request.max.bytes`
    pub request_bytes_max: usize,
    /// `max.connections`
    pub connections_max: usize,
    /// `stormglass.in.flight.max`
    pub in_flight_max: usize,
    /// `connections.max.idle.ms`; none is for ever.
    pub idle_max: Option<Duration>,
    /// `fetch.max.bytes`
    pub fetch_bytes_max: usize,
}

/// Everything a node is told before it starts.
#[derive(Clone, Debug)]
pub struct Config {
    /// `process.roles`
    pub roles: Roles,
    /// `node.id`
    pub node: NodeId,
    /// `controller.quorum.voters`
    pub voters: Vec<Voter>,
    /// The listeners of the broker role, first is the default.
    pub listeners: Vec<Listener>,
    /// Where the controller role listens.
    pub controller_listener: Option<Listener>,
    /// `log.dirs`
    pub log_dir: PathBuf,
    /// `broker.rack`
    pub rack: Option<String>,
    /// `cluster.id`
    pub cluster_id: String,
    /// `broker.session.timeout.ms`
    pub session_timeout: Duration,
    /// `broker.heartbeat.interval.ms`
    pub heartbeat_interval: Duration,
    /// How followers fetch.
    pub replica: ReplicaConfig,
    /// Limits of the server.
    pub limits: ServerLimits,
    /// `stormglass.events.file`
    pub events_file: PathBuf,
    /// `auto.create.topics.enable`
    pub auto_create_topics: bool,
    /// `stormglass.leader.lease.enable`
    pub lease_enable: bool,
    /// `stormglass.bug`
    pub bugs: Bugs,
    values: Values,
}

impl Config {
    /// Reads and checks a file.
    pub fn read(path: &Path) -> Result<Config, ConfigError> {
        let text = std::fs::read(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        Config::parse(&text)
    }

    /// Checks the text of a `.properties` file (Latin-1 with escapes, as Java writes it).
    pub fn parse(text: &[u8]) -> Result<Config, ConfigError> {
        Config::from_values(Values::parse(text)?)
    }

    fn from_values(values: Values) -> Result<Config, ConfigError> {
        let listeners = listener::Listeners::from_values(&values)?;
        let log_dir = values.log_dir()?;
        Ok(Config {
            roles: values.roles()?,
            node: NodeId(values.required("node.id")?.parse().unwrap_or(-1)),
            voters: listener::voters(&values)?,
            listeners: listeners.broker,
            controller_listener: listeners.controller,
            events_file: values.optional("stormglass.events.file").map_or_else(|| beside(&log_dir), PathBuf::from),
            log_dir,
            rack: values.optional("broker.rack").map(str::to_owned),
            cluster_id: values.text("cluster.id").to_owned(),
            session_timeout: values.millis("broker.session.timeout.ms"),
            heartbeat_interval: values.millis("broker.heartbeat.interval.ms"),
            replica: values.replica(),
            limits: values.limits(),
            auto_create_topics: values.flag("auto.create.topics.enable"),
            lease_enable: values.flag("stormglass.leader.lease.enable"),
            bugs: values.bugs()?,
            values,
        })
    }

    /// The values as given and by default, for what reads a single property.
    pub fn values(&self) -> &Values {
        &self.values
    }

    /// What a topic that nobody has set anything for is to do.
    pub fn plain_topic(&self) -> TopicConfig {
        Layers::of_file(&self.values).resolve()
    }
}

fn beside(log_dir: &Path) -> PathBuf {
    log_dir.parent().unwrap_or(Path::new(".")).join("events.jsonl")
}

/// Property values, each checked against the table.
#[derive(Clone, Debug, Default)]
pub struct Values(BTreeMap<&'static str, String>);

impl Values {
    fn parse(text: &[u8]) -> Result<Values, ConfigError> {
        let mut values = Values::default();
        for line in PropertiesIter::new(text) {
            let line = line.map_err(|error| ConfigError::Syntax {
                line: error.line_number().unwrap_or(0),
                detail: error.to_string(),
            })?;
            if let LineContent::KVPair(name, value) = line.content() {
                values.set(line.line_number(), name, value.trim())?;
            }
        }
        Ok(values)
    }

    fn set(&mut self, line: usize, name: &str, value: &str) -> Result<(), ConfigError> {
        if properties::EFFECTLESS.contains(&name) {
            return Ok(());
        }
        let property = properties::find(name).ok_or_else(|| ConfigError::Unknown {
            line,
            name: name.to_owned(),
            nearest: properties::nearest(name),
        })?;
        property.check(value).map_err(|why| bad(name, value, why))?;
        self.0.insert(property.name, value.to_owned());
        Ok(())
    }

    /// The value as the file gave it.
    pub fn given(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The value in effect. The name must be one of the table.
    pub fn text(&self, name: &str) -> &str {
        let default = properties::find(name).map_or("", |property| property.default);
        self.given(name).unwrap_or(default)
    }

    /// The value in effect unless it is empty.
    pub fn optional(&self, name: &str) -> Option<&str> {
        Some(self.text(name)).filter(|value| !value.is_empty())
    }

    /// A whole number; values were checked when they were set.
    pub fn number(&self, name: &str) -> i64 {
        self.text(name).parse().unwrap_or_default()
    }

    /// A yes or no.
    pub fn flag(&self, name: &str) -> bool {
        self.text(name) == "true"
    }

    /// Milliseconds.
    pub fn millis(&self, name: &str) -> Duration {
        Duration::from_millis(self.number(name).max(0) as u64)
    }

    /// The parts of a comma separated list.
    pub fn list(&self, name: &str) -> impl Iterator<Item = &str> {
        self.text(name).split(',').map(str::trim).filter(|part| !part.is_empty())
    }

    fn required(&self, name: &'static str) -> Result<&str, ConfigError> {
        self.given(name).ok_or(ConfigError::Missing(name))
    }

    fn roles(&self) -> Result<Roles, ConfigError> {
        let roles: Vec<&str> = self.list("process.roles").collect();
        match roles[..] {
            ["broker"] => Ok(Roles::Broker),
            ["controller"] => Ok(Roles::Controller),
            ["broker", "controller"] | ["controller", "broker"] => Ok(Roles::Both),
            _ => Err(bad(
                "process.roles",
                self.text("process.roles"),
                "expected broker, controller or broker,controller",
            )),
        }
    }

    fn log_dir(&self) -> Result<PathBuf, ConfigError> {
        let mut dirs = self.list("log.dirs").chain(self.list("log.dir"));
        let first = dirs.next().ok_or(ConfigError::Missing("log.dirs"))?;
        match dirs.next() {
            None => Ok(PathBuf::from(first)),
            Some(_) => Err(bad("log.dirs", self.text("log.dirs"), "only one folder is supported")),
        }
    }

    fn bugs(&self) -> Result<Bugs, ConfigError> {
        let list = self.text("stormglass.bug");
        Bugs::parse(list).map_err(|name| {
            let nearest =
                bugs::ALL.iter().map(|bug| bug.name()).min_by_key(|known| strsim::damerau_levenshtein(known, &name));
            bad("stormglass.bug", list, format!("no bug {name}; did you mean {}?", nearest.unwrap_or_default()))
        })
    }

    fn replica(&self) -> ReplicaConfig {
        ReplicaConfig {
            lag_time_max: self.millis("replica.lag.time.max.ms"),
            fetch_wait_max: self.millis("replica.fetch.wait.max.ms"),
            fetch_bytes_min: self.number("replica.fetch.min.bytes") as i32,
            fetch_bytes_max: self.number("replica.fetch.max.bytes") as i32,
            response_bytes_max: self.number("replica.fetch.response.max.bytes") as i32,
            backoff_max: self.millis("replica.fetch.backoff.ms"),
            socket_timeout: self.millis("replica.socket.timeout.ms"),
            checkpoint_interval: self.millis("replica.high.watermark.checkpoint.interval.ms"),
        }
    }

    fn limits(&self) -> ServerLimits {
        let idle_ms = self.number("connections.max.idle.ms");
        ServerLimits {
            request_bytes_max: self.number("socket.request.max.bytes") as usize,
            connections_max: self.number("max.connections") as usize,
            in_flight_max: self.number("stormglass.in.flight.max") as usize,
            idle_max: u64::try_from(idle_ms).ok().map(Duration::from_millis),
            fetch_bytes_max: self.number("fetch.max.bytes") as usize,
        }
    }
}

pub(crate) fn bad(name: &str, value: &str, why: impl Into<String>) -> ConfigError {
    ConfigError::Value { name: name.to_owned(), value: value.to_owned(), why: why.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINIMAL: &str = "process.roles=broker\nnode.id=1\ncontroller.quorum.voters=100@127.0.0.1:19300\n\
        listeners=PLAINTEXT://127.0.0.1:19401\nlog.dirs=/tmp/x/d1\n";

    fn parse(more: &str) -> Result<Config, ConfigError> {
        Config::parse(format!("{MINIMAL}{more}").as_bytes())
    }

    #[test]
    fn the_minimal_file_of_a_broker_is_enough() {
        let config = parse("").unwrap();
        assert_eq!((config.roles, config.node), (Roles::Broker, NodeId(1)));
        assert_eq!(config.events_file, Path::new("/tmp/x/events.jsonl"));
        assert_eq!(config.session_timeout, Duration::from_secs(9));
        assert_eq!(config.plain_topic().min_insync_replicas, 1);
    }

    #[test]
    fn an_unknown_name_is_refused_with_its_line_and_the_nearest() {
        let error = parse("min.insync.replica=2\n").unwrap_err().to_string();
        assert_eq!(error, "line 6: unknown property min.insync.replica; did you mean min.insync.replicas?");
    }

    #[test]
    fn a_value_out_of_its_range_is_refused() {
        assert!(parse("broker.session.timeout.ms=soon\n").unwrap_err().to_string().contains("whole number"));
        assert!(parse("log.dirs=/a,/b\n").is_err());
        assert!(
            parse("stormglass.bug=ack-before-replicated\n")
                .unwrap_err()
                .to_string()
                .contains("did you mean ack-before-replicate?")
        );
    }

    #[test]
    fn a_property_of_kafka_without_effect_here_is_accepted() {
        assert!(parse("num.network.threads=2\n").is_ok());
    }

    #[test]
    fn a_node_without_number_is_refused() {
        assert!(matches!(Config::parse(b"log.dirs=/a\n"), Err(ConfigError::Missing("node.id"))));
    }
}
