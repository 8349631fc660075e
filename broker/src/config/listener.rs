//! Listeners, advertised addresses and voters: `NAME://host:port` and `id@host:port`.
//!
//! Every listener is plaintext. A broker may listen at several addresses; what it advertises, to clients and to other
//! brokers alike, is the first.

use std::fmt;

use super::{ConfigError, Values, bad};
use crate::ids::NodeId;

/// A host name or address, and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// Name or IP address.
    pub host: String,
    /// TCP port; 0 lets the system choose.
    pub port: u16,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// One place where a node listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// Listener name, as in `PLAINTEXT`.
    pub name: String,
    /// Where the socket is bound.
    pub bind: Address,
    /// What others are told.
    pub advertised: Address,
}

/// One member of the metadata quorum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Voter {
    /// Its node id.
    pub id: NodeId,
    /// Its controller listener.
    pub address: Address,
}

pub(super) struct Listeners {
    pub broker: Vec<Listener>,
    pub controller: Option<Listener>,
}

impl Listeners {
    pub(super) fn from_values(values: &Values) -> Result<Listeners, ConfigError> {
        check_protocols(values)?;
        let controller_names: Vec<&str> = values.list("controller.listener.names").collect();
        let advertised = named(values, "advertised.listeners")?;
        let all = named(values, "listeners")?.into_iter().map(|(name, bind)| {
            let told = advertised.iter().find(|(other, _)| *other == name).map_or(&bind, |(_, address)| address);
            Listener { advertised: told.clone(), name, bind }
        });
        let (controller, broker): (Vec<_>, Vec<_>) =
            all.partition(|listener| controller_names.contains(&listener.name.as_str()));
        check_inter_broker(values, &broker)?;
        Ok(Listeners { broker, controller: controller.into_iter().next() })
    }
}

fn check_inter_broker(values: &Values, broker: &[Listener]) -> Result<(), ConfigError> {
    let name = values.optional("inter.broker.listener.name");
    let first = broker.first().map(|listener| listener.name.as_str());
    match name.filter(|name| first.is_some_and(|first| first != *name)) {
        None => Ok(()),
        Some(name) => Err(bad("inter.broker.listener.name", name, "brokers use the first listener")),
    }
}

fn check_protocols(values: &Values) -> Result<(), ConfigError> {
    let name = "listener.security.protocol.map";
    match values.list(name).find(|entry| entry.rsplit(':').next() != Some("PLAINTEXT")) {
        None => Ok(()),
        Some(entry) => Err(bad(name, entry, "only PLAINTEXT is offered")),
    }
}

fn named(values: &Values, property: &str) -> Result<Vec<(String, Address)>, ConfigError> {
    let parse = |entry: &str| {
        let (name, address) = entry.split_once("://")?;
        Some((name.to_owned(), address_of(address)?))
    };
    values
        .list(property)
        .map(|entry| parse(entry).ok_or_else(|| bad(property, entry, "expected NAME://host:port")))
        .collect()
}

fn address_of(text: &str) -> Option<Address> {
    let (host, port) = text.rsplit_once(':')?;
    let host = if host.is_empty() { "127.0.0.1" } else { host.trim_matches(['[', ']']) };
    Some(Address { host: host.to_owned(), port: port.parse().ok()? })
}

pub(super) fn voters(values: &Values) -> Result<Vec<Voter>, ConfigError> {
    let property = "controller.quorum.voters";
    let parse = |entry: &str| {
        let (id, address) = entry.split_once('@')?;
        Some(Voter { id: NodeId(id.parse().ok()?), address: address_of(address)? })
    };
    values
        .list(property)
        .map(|entry| parse(entry).ok_or_else(|| bad(property, entry, "expected id@host:port")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::Config;

    #[test]
    fn controller_and_broker_listeners_are_told_apart_and_advertised_by_name() {
        let text = "process.roles=broker,controller\nnode.id=1\nlog.dirs=/tmp/x\ncontroller.quorum.voters=1@localhost:9\n\
            listeners=PLAINTEXT://:1,REPL://127.0.0.1:2,CONTROLLER://127.0.0.1:9\n\
            advertised.listeners=PLAINTEXT://127.0.0.1:11\ninter.broker.listener.name=PLAINTEXT\n";
        let config = Config::parse(text.as_bytes()).unwrap();
        let told: Vec<String> = config.listeners.iter().map(|listener| listener.advertised.to_string()).collect();
        assert_eq!(told, ["127.0.0.1:11", "127.0.0.1:2"]);
        assert_eq!(config.controller_listener.unwrap().bind.port, 9);
        assert_eq!(config.voters[0].address.to_string(), "localhost:9");
    }

    #[test]
    fn brokers_talk_over_the_first_listener_and_over_no_other() {
        let text = "node.id=1\nlog.dirs=/tmp/x\nlisteners=A://:1,B://:2\ninter.broker.listener.name=";
        assert!(Config::parse(format!("{text}A\n").as_bytes()).is_ok());
        assert!(Config::parse(format!("{text}B\n").as_bytes()).is_err());
    }

    #[test]
    fn a_listener_that_is_not_plaintext_is_refused() {
        let text = "node.id=1\nlog.dirs=/tmp/x\nlistener.security.protocol.map=A:SSL\n";
        assert!(Config::parse(text.as_bytes()).unwrap_err().to_string().contains("only PLAINTEXT"));
    }
}
