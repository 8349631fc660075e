//! What AlterConfigs and IncrementalAlterConfigs share: whose configs they change, and which values may be.
//!
//! Names and values are checked here, by the table of properties; what follows from a change (elections, the ELR) is the
//! controller's business. A broker's properties can be changed while it runs if topics inherit them. Answered once this
//! broker acts upon the change.

use std::collections::BTreeSet;
use std::time::Duration;

use kafka_protocol::protocol::StrBytes;

use crate::broker::Broker;
use crate::config::properties::{self, Property};
use crate::ids::NodeId;
use crate::metadata::ControllerError;
use crate::metadata::rpc::{AlterConfigs, ConfigChange, ConfigEdit, ConfigOp, ConfigResource};

/// A topic, in the numbers of the protocol.
pub const TOPIC: i8 = 2;
/// A broker, or by an empty name all of them.
pub const BROKER: i8 = 4;

const PATIENCE: Duration = Duration::from_secs(5);
/// What the controller goes by, and so cannot differ between brokers.
const CLUSTER_WIDE: [&str; 2] = ["min.insync.replicas", "unclean.leader.election.enable"];

type Checked<T> = Result<T, ControllerError>;

/// One resource of a request, by the protocol's type and name, and what is to become of it.
pub struct Asked {
    /// Type of the resource.
    pub kind: i8,
    /// Name of the resource.
    pub name: StrBytes,
    /// The change, or why it cannot be understood.
    pub edit: Checked<ConfigEdit>,
}

/// Changes every resource that can be, and answers for each in the order asked.
pub async fn alter(broker: &Broker, asked: &[Asked], validate_only: bool) -> Vec<Checked<()>> {
    let wanted: Vec<Checked<ConfigChange>> =
        (0..).zip(asked).map(|(place, one)| understand(one, asked, place)).collect();
    let resources: Vec<ConfigChange> = wanted.iter().flatten().cloned().collect();
    let answers = if resources.is_empty() {
        Ok(Vec::new())
    } else {
        broker.controller.alter_configs(AlterConfigs { resources, validate_only }).await
    };
    if answers.is_ok() && !validate_only {
        broker.catch_up(PATIENCE).await;
    }
    let failure = answers.as_ref().err().cloned().unwrap_or(ControllerError::Timeout);
    let mut answers = answers.unwrap_or_default().into_iter();
    let answer = |wanted: Checked<ConfigChange>| match wanted {
        Ok(_) => answers.next().unwrap_or_else(|| Err(failure.clone())),
        Err(error) => Err(error),
    };
    wanted.into_iter().map(answer).collect()
}

fn understand(asked: &Asked, all: &[Asked], place: usize) -> Checked<ConfigChange> {
    let again = |(at, other): (usize, &Asked)| at != place && (other.kind, &other.name) == (asked.kind, &asked.name);
    if (0..).zip(all).any(again) {
        return Err(invalid("a resource may be named once"));
    }
    let resource = resource(asked)?;
    let change = asked.edit.clone()?;
    check(&resource, &change)?;
    Ok(ConfigChange { resource, change })
}

fn resource(asked: &Asked) -> Checked<ConfigResource> {
    match asked.kind {
        TOPIC => Ok(ConfigResource::Topic(asked.name.to_string())),
        BROKER if asked.name.is_empty() => Ok(ConfigResource::Broker(None)),
        BROKER => {
            let id = asked.name.parse().map_err(|_| invalid(format!("{:?} is no broker id", &*asked.name)))?;
            Ok(ConfigResource::Broker(Some(NodeId(id))))
        }
        other => Err(invalid(format!("resources of type {other} have no configs here"))),
    }
}

fn check(resource: &ConfigResource, change: &ConfigEdit) -> Checked<()> {
    match change {
        ConfigEdit::Replace(configs) => configs.iter().try_for_each(|(name, value)| {
            let property = changeable(resource, name)?;
            fits(property, name, value)
        }),
        ConfigEdit::Incremental(steps) => {
            let names: BTreeSet<&String> = steps.iter().map(|(name, _)| name).collect();
            if names.len() < steps.len() {
                return Err(invalid("a config may be named once a resource"));
            }
            steps.iter().try_for_each(|(name, op)| check_step(changeable(resource, name)?, name, op))
        }
    }
}

fn check_step(property: &Property, name: &str, op: &ConfigOp) -> Checked<()> {
    match op {
        ConfigOp::Delete => Ok(()),
        ConfigOp::Set(value) => fits(property, name, value),
        ConfigOp::Append(value) if property.is_list() => fits(property, name, value),
        ConfigOp::Subtract(_) if property.is_list() => Ok(()),
        ConfigOp::Append(_) | ConfigOp::Subtract(_) => {
            Err(ControllerError::InvalidConfig(format!("{name} is no list: nothing can be added or taken out")))
        }
    }
}

fn fits(property: &Property, name: &str, value: &str) -> Checked<()> {
    property.check(value).map_err(|why| ControllerError::InvalidConfig(format!("{name}={value}: {why}")))
}

fn changeable(resource: &ConfigResource, name: &str) -> Checked<&'static Property> {
    let unknown = || ControllerError::InvalidConfig(format!("unknown config {name}"));
    match resource {
        ConfigResource::Topic(_) => properties::find_topic(name).ok_or_else(unknown),
        ConfigResource::Broker(broker) => {
            let property = properties::find(name).ok_or_else(unknown)?;
            if !property.is_dynamic() {
                return Err(invalid(format!("{name} cannot be changed while a broker runs")));
            }
            if broker.is_some() && CLUSTER_WIDE.contains(&name) {
                return Err(ControllerError::InvalidConfig(format!("{name} is the same for all brokers")));
            }
            Ok(property)
        }
    }
}

/// A request that contradicts itself.
pub fn invalid(why: impl Into<String>) -> ControllerError {
    ControllerError::InvalidRequest(why.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::Configs;

    fn asked(kind: i8, name: &'static str, edit: ConfigEdit) -> Asked {
        Asked { kind, name: StrBytes::from_static_str(name), edit: Ok(edit) }
    }

    fn one(kind: i8, name: &'static str, edit: ConfigEdit) -> Checked<ConfigChange> {
        let asked = asked(kind, name, edit);
        understand(&asked, std::slice::from_ref(&asked), 0)
    }

    fn set(name: &str, value: &str) -> ConfigEdit {
        ConfigEdit::Incremental(vec![(name.to_owned(), ConfigOp::Set(value.to_owned()))])
    }

    #[test]
    fn what_the_table_allows_is_understood() {
        assert!(one(TOPIC, "t", set("cleanup.policy", "compact,delete")).is_ok());
        assert!(one(BROKER, "", set("log.retention.ms", "5")).is_ok());
        assert!(one(BROKER, "", set("min.insync.replicas", "2")).is_ok());
        assert!(one(BROKER, "1", set("log.retention.ms", "5")).is_ok());
        let replaced = ConfigEdit::Replace(Configs::from([("segment.ms".to_owned(), "9".to_owned())]));
        assert_eq!(
            one(TOPIC, "t", replaced.clone()),
            Ok(ConfigChange { resource: ConfigResource::Topic("t".into()), change: replaced })
        );
    }

    #[test]
    fn what_it_does_not_allow_is_refused_with_the_reason() {
        let refused = |kind, name, edit| one(kind, name, edit).unwrap_err().to_string();
        assert!(refused(TOPIC, "t", set("cleanup.policy", "forget")).contains("expected"));
        assert!(refused(TOPIC, "t", set("retention.hours", "1")).contains("unknown config"));
        assert!(refused(BROKER, "x", set("log.retention.ms", "5")).contains("no broker id"));
        assert!(refused(BROKER, "1", set("node.id", "2")).contains("cannot be changed"));
        assert!(refused(BROKER, "1", set("min.insync.replicas", "2")).contains("the same for all"));
        assert!(refused(8, "1", set("kafka", "DEBUG")).contains("type 8"));
        let append = ConfigEdit::Incremental(vec![("retention.ms".into(), ConfigOp::Append("1".into()))]);
        assert!(refused(TOPIC, "t", append).contains("no list"));
    }

    #[test]
    fn a_resource_named_twice_is_refused_both_times() {
        let both = [asked(TOPIC, "t", set("segment.ms", "1")), asked(TOPIC, "t", set("segment.ms", "2"))];
        assert!((0..2).all(|place| understand(&both[place], &both, place).is_err()));
    }
}
