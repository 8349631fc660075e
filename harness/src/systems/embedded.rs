//! The broker inside this program, re-executed as `stormglass broker --config FILE`.

use super::{Capabilities, Launch, NodePlan, NodeRole, Owned, Seat, System};
use crate::scenario::{Scenario, TOPIC};
use crate::settings::Owner;
use crate::suggest;
use broker::config::properties;
use history::NodeId;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// The embedded system.
pub struct Embedded;

/// Kafka's name for what is a switch here.
const ELR_FEATURE: &str = "eligible.leader.replicas.version";
const FIRST_CONTROLLER: i32 = 100;

impl System for Embedded {
    fn name(&self) -> &'static str {
        "embedded"
    }

    fn version(&self) -> String {
        env!("CARGO_PKG_VERSION").to_owned()
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::all()
    }

    fn refuse(&self, scenario: &Scenario) -> Result<(), String> {
        if scenario.cluster.controllers == 0 {
            return Err("the embedded cluster has 1 or 3 dedicated controllers".into());
        }
        if let Some((name, _)) = scenario.settings.of(Owner::Feature).find(|(name, _)| *name != ELR_FEATURE) {
            return Err(suggest::unknown("feature", name, [ELR_FEATURE].into_iter(), None));
        }
        for (name, setting) in scenario.settings.of(Owner::Broker) {
            let known = properties::TABLE.iter().map(|p| p.name).filter(|n| !n.is_empty());
            let property = match properties::find(name) {
                Some(property) => property,
                None if properties::EFFECTLESS.contains(&name.as_str()) => continue,
                None => return Err(suggest::unknown("broker property", name, known, None)),
            };
            property.check(&setting.value).map_err(|why| format!("broker:{name}={}: {why}", setting.value))?;
        }
        for (name, setting) in scenario.settings.of(Owner::Topic) {
            let known = properties::topic_properties().filter_map(|p| p.topic);
            let property = properties::find_topic(name)
                .ok_or_else(|| suggest::unknown(&format!("property of topic {TOPIC}"), name, known, None))?;
            property.check(&setting.value).map_err(|why| format!("topic:{name}={}: {why}", setting.value))?;
        }
        match &scenario.plant {
            Some(bug) if !broker::bugs::ALL.iter().any(|b| b.name() == bug) => {
                let known = broker::bugs::ALL.iter().map(|b| b.name());
                Err(suggest::unknown("bug", bug, known, Some("list bugs")))
            }
            _ => Ok(()),
        }
    }

    fn advertises(&self) -> bool {
        true
    }

    fn program(&self) -> Option<PathBuf> {
        std::env::current_exe().ok()
    }

    fn lay_out(&self, scenario: &Scenario, folder: &Path, seats: &[Seat]) -> std::io::Result<Vec<NodePlan>> {
        let controllers = i32::from(scenario.cluster.controllers);
        let ids = (0..controllers).map(|i| (NodeId(FIRST_CONTROLLER + i), NodeRole::Controller));
        let ids = ids.chain((1..=i32::from(scenario.cluster.brokers)).map(|i| (NodeId(i), NodeRole::Broker)));
        let nodes: Vec<_> = ids.zip(seats).map(|((id, role), seat)| (id, role, *seat)).collect();
        let voters: Vec<_> = nodes
            .iter()
            .filter(|n| n.1 == NodeRole::Controller)
            .map(|n| format!("{}@{}", n.0.0, n.2.advertises))
            .collect();
        nodes.iter().map(|node| lay_out_node(scenario, folder, *node, &voters.join(","))).collect()
    }
}

fn lay_out_node(
    scenario: &Scenario,
    folder: &Path,
    (id, role, seat): (NodeId, NodeRole, Seat),
    voters: &str,
) -> std::io::Result<NodePlan> {
    let folder = std::path::absolute(folder.join(id.0.to_string()))?;
    let data = folder.join("data");
    std::fs::create_dir_all(&data)?;
    let config = folder.join("node.properties");
    std::fs::write(&config, properties_of(scenario, (id, role, seat), voters, &data))?;
    let program = std::env::current_exe()?;
    let argv = vec![text(&program), "broker".into(), "--config".into(), text(&config)];
    let stdout = folder.join("stdout.log");
    let (owned, launch, Seat { listens: address, advertises: advertised }) = (Owned::Ours, Launch::default(), seat);
    Ok(NodePlan { id, role, owned, argv, launch, address, advertised, voter: None, folder, data, stdout })
}

fn properties_of(scenario: &Scenario, (id, role, seat): (NodeId, NodeRole, Seat), voters: &str, data: &Path) -> String {
    let (roles, listener) = match role {
        NodeRole::Broker => ("broker", "PLAINTEXT"),
        NodeRole::Controller => ("controller", "CONTROLLER"),
    };
    let mut out = format!(
        "process.roles={roles}\nnode.id={}\ncontroller.quorum.voters={voters}\nlisteners={listener}://{}\n\
         controller.listener.names=CONTROLLER\nlog.dirs={}\nauto.create.topics.enable=false\n",
        id.0,
        seat.listens,
        escape(&text(data)),
    );
    if role == NodeRole::Broker && seat.advertises != seat.listens {
        let _ = writeln!(out, "advertised.listeners={listener}://{}", seat.advertises);
    }
    for (name, value) in scenario.settings.values(Owner::Broker) {
        let _ = writeln!(out, "{name}={}", escape(&value));
    }
    if let Some(level) = scenario.settings.get(Owner::Feature, ELR_FEATURE) {
        let _ = writeln!(out, "eligible.leader.replicas.enable={}", level.value != "0");
    }
    if let Some(bug) = &scenario.plant {
        let _ = writeln!(out, "stormglass.bug={bug}");
    }
    out
}

fn escape(value: &str) -> String {
    value.replace('\\', "\\\\").replace('\n', "\\n")
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
