//! A group: producers append to every log, members share the logs, process what they are handed and commit.
//!
//! A record counts as delivered once a member has processed it. Whether each was, and how often, and whether a stored position is
//! ever forgotten, is judged; which of it may break follows from when the application commits.

use crate::finals::Final;
use crate::queue::Queue;
use crate::spec::{Also, Commit, ConsumerApp, ConsumerMode, ConsumerSpec, Group, ProducerApp, RoleSpec, Spread};
use crate::workload::{Crew, Need, Plan, Shape, Site};
use checker::claim::Claim;
use checker::contract::Contract;
use history::Role;
use serde::{Deserialize, Serialize};

/// As it is called.
pub const NAME: &str = "group";
/// In one line.
pub const WHAT: &str = "members of a group share the logs, process and commit; skipped, redelivered, positions, owners";

/// Its shape.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GroupLoad {
    /// Producer processes.
    pub producers: u32,
    /// Members; only the first one ends in the middle of its work, if any does.
    pub members: u32,
    /// Each member keeps its place in the group over its lives (`group.instance.id`).
    pub static_members: bool,
    /// The application around each member.
    pub app: ConsumerApp,
}

impl Default for GroupLoad {
    fn default() -> GroupLoad {
        GroupLoad { producers: 2, members: 3, static_members: false, app: ConsumerApp::default() }
    }
}

/// The number of the group in the history.
pub const NUMBER: u32 = 1;

/// The group of a run, reading the topic under load.
pub fn group_of(site: &Site) -> Group {
    let topics = site.logs.first().map(|log| log.topic.clone()).into_iter().collect();
    Group { number: NUMBER, id: format!("stormglass-{:x}", site.run), topics }
}

/// A sampler that looks at the group's stored positions, too, where what it is told of them is up to date.
pub fn watching(site: &Site) -> Also {
    if !site.exact {
        return Also::Nothing;
    }
    let group = group_of(site);
    Also::Positions { group: group.number, id: group.id }
}

/// Adds members to a crew.
pub fn members(crew: &mut Crew<'_>, site: &Site, count: u32, static_members: bool, app: &ConsumerApp) {
    for n in 1..=count {
        let name = format!("member-{n}");
        let mut properties = site.consumer.clone();
        if static_members {
            properties.insert("group.instance.id".into(), name.clone());
        }
        let falls = app.falls.filter(|_| n == 1);
        let app = ConsumerApp { falls, ..app.clone() };
        crew.client(&name, Role::Consumer, |process, _| {
            let mode = ConsumerMode::Group(group_of(site));
            RoleSpec::Consumer(ConsumerSpec { process, mode, properties, app })
        });
    }
}

/// The group's stored positions in the topic under load, read last.
pub fn positions(crew: &mut Crew<'_>, site: &Site) {
    let group = group_of(site);
    let logs = site.logs.iter().filter(|log| group.topics.contains(&log.topic)).map(|log| log.id).collect();
    crew.last("positions", |reader| Final::Positions { reader, group: group.number, id: group.id, logs });
}

impl Shape for GroupLoad {
    fn plan(&self, site: &Site) -> Plan {
        let mut crew = Crew::new(site);
        crew.producers(self.producers, Spread::RoundRobin, &ProducerApp::default());
        members(&mut crew, site, self.members, self.static_members, &self.app);
        crew.sampler("sampler", watching(site));
        positions(&mut crew, site);
        let own = [Claim::GroupAtLeastOnce, Claim::GroupAtMostOnce, Claim::CommittedOffsetMonotonic, Claim::OneOwner];
        crew.plan(Queue::CLAIMS.iter().copied().chain(own).collect())
    }

    fn needs(&self) -> &'static [Need] {
        &[Need::Groups]
    }

    fn commits(&self) -> Option<Commit> {
        Some(self.app.commit)
    }

    fn bind(&self, contract: Contract) -> Contract {
        bind(contract, &self.app)
    }
}

/// What an application around a member gives up.
pub fn bind(mut contract: Contract, app: &ConsumerApp) -> Contract {
    if app.shift > 0 {
        contract = contract.allow(Claim::GroupAtLeastOnce, format!("the application commits {} too far", app.shift));
    }
    if app.shift < 0 {
        contract = contract.allow(Claim::GroupAtMostOnce, format!("the application commits {} short", -app.shift));
    }
    if app.workers > 0 {
        let because = "the application commits what it has handed on to its workers";
        contract = contract.allow(Claim::GroupAtLeastOnce, because);
    }
    if matches!(app.commit, Commit::Library | Commit::Stored) {
        let because = "the client library commits on its own timer: what it asks for last is not seen";
        contract = contract.allow(Claim::CommittedOffsetMonotonic, because);
    }
    if app.commit == Commit::Never {
        contract = contract.out_of_scope(Claim::CommittedOffsetMonotonic, "the application never commits");
    }
    if app.wanders.is_some_and(|wanders| wanders.back > 0) {
        contract = contract.allow(Claim::GroupAtMostOnce, "the application goes back in its logs");
    }
    contract
}
