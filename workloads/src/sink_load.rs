//! A sink outside the brokers: members of a group write the effect of each record into an SQLite file.
//!
//! What counts is what is in the file: each record that was passed has one effect, and not two. Which of that an application can
//! promise depends on how effects and positions go together ([`crate::sink::SinkStyle`]). Read after the load
//! ([`crate::finals`]).

use crate::finals::Final;
use crate::group::{bind, group_of, members, positions, watching};
use crate::queue::Queue;
use crate::sink::SinkStyle;
use crate::spec::{Commit, ConsumerApp, ProducerApp, SinkSpec, Spread};
use crate::workload::{Crew, Need, Plan, Shape, Site};
use checker::claim::Claim;
use checker::contract::Contract;
use serde::{Deserialize, Serialize};

/// As it is called.
pub const NAME: &str = "sink";
/// In one line.
pub const WHAT: &str = "members write effects into SQLite, the position in the same transaction; each record once";

/// Its shape.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SinkLoad {
    /// Producer processes.
    pub producers: u32,
    /// Members; only the first one ends in the middle of its work, if any does.
    pub members: u32,
    /// How effects and positions go together.
    pub style: SinkStyle,
    /// The application around each member.
    pub app: ConsumerApp,
}

impl Default for SinkLoad {
    fn default() -> SinkLoad {
        SinkLoad { producers: 2, members: 2, style: SinkStyle::PositionInside, app: ConsumerApp::default() }
    }
}

const FILE: &str = "sink.sqlite";
/// The number of the group that effects are delivered to, in the history.
const EFFECTS: u32 = 2;

impl Shape for SinkLoad {
    fn plan(&self, site: &Site) -> Plan {
        let mut crew = Crew::new(site);
        let path = site.journals.join(FILE);
        let sink = Some(SinkSpec { path: path.clone(), style: self.style });
        crew.producers(self.producers, Spread::RoundRobin, &ProducerApp::default());
        members(&mut crew, site, self.members, false, &ConsumerApp { sink, ..self.app.clone() });
        crew.sampler("sampler", watching(site));
        positions(&mut crew, site);
        let source = (self.style != SinkStyle::PositionInside).then(|| group_of(site).id);
        let logs = site.logs.iter().map(|log| log.id).collect();
        crew.last("rows", |reader| Final::Rows { reader, group: EFFECTS, source, sink: path, logs });
        let own = [Claim::GroupAtLeastOnce, Claim::GroupAtMostOnce, Claim::CommittedOffsetMonotonic];
        crew.plan(Queue::CLAIMS.iter().copied().chain(own).collect())
    }

    fn needs(&self) -> &'static [Need] {
        &[Need::Groups]
    }

    fn commits(&self) -> Option<Commit> {
        Some(self.app.commit)
    }

    fn bind(&self, contract: Contract) -> Contract {
        let contract = bind(contract, &self.app);
        match (self.style, self.app.commit) {
            (SinkStyle::PositionInside, _) => contract.forbid(Claim::GroupAtLeastOnce).forbid(Claim::GroupAtMostOnce),
            (SinkStyle::Upsert, _) => contract.forbid(Claim::GroupAtMostOnce),
            (SinkStyle::Append, Commit::Before) => contract.forbid(Claim::GroupAtMostOnce),
            (SinkStyle::Append, _) => contract,
        }
    }
}
