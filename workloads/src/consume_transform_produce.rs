//! Consume, transform, produce: a group reads the topic under load and makes a record of each record in a second topic.
//!
//! What counts is what came out: each record of the input that the group has passed has one output among the committed ones, and
//! not two. Read after the load ([`crate::finals`]).

use crate::finals::Final;
use crate::group::{group_of, positions, watching};
use crate::queue::Queue;
use crate::spec::{ProducerApp, RoleSpec, Spread, TransformApp, TransformSpec, TransformStyle};
use crate::transactions::TIMEOUT_MS;
use crate::workload::{Crew, Need, Plan, Shape, Site, Topic};
use checker::claim::Claim;
use checker::contract::Contract;
use history::{LogId, Role};
use serde::{Deserialize, Serialize};

/// As it is called.
pub const NAME: &str = "consume-transform-produce";
/// In one line.
pub const WHAT: &str = "a group makes a record of each record; every input has one output, whatever dies in between";

/// Its shape.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ConsumeTransformProduce {
    /// Producer processes.
    pub producers: u32,
    /// Processes that transform; only the first one ends in the middle of its work, if any does.
    pub transformers: u32,
    /// The application.
    pub app: TransformApp,
}

impl Default for ConsumeTransformProduce {
    fn default() -> ConsumeTransformProduce {
        ConsumeTransformProduce { producers: 1, transformers: 2, app: TransformApp::default() }
    }
}

const OUT: &str = "-out";
/// The number of the group that outputs are delivered to, in the history.
const EFFECTS: u32 = 2;

impl ConsumeTransformProduce {
    /// The rule of inputs and outputs: partition to the partition of the same number.
    fn outputs(site: &Site) -> Vec<(LogId, LogId)> {
        let half = site.logs.len() / 2;
        site.logs[..half].iter().zip(&site.logs[half..]).map(|(input, output)| (input.id, output.id)).collect()
    }
}

impl Shape for ConsumeTransformProduce {
    fn plan(&self, site: &Site) -> Plan {
        let outputs = Self::outputs(site);
        let inputs = Site { logs: site.logs[..outputs.len()].to_vec(), ..site.clone() };
        let mut crew = Crew::new(&inputs);
        crew.producers(self.producers, Spread::RoundRobin, &ProducerApp::default());
        let mut producer = site.producer.clone();
        producer.entry("transaction.timeout.ms".into()).or_insert_with(|| TIMEOUT_MS.into());
        for slot in 1..=self.transformers {
            let app = TransformApp { falls: self.app.falls.filter(|_| slot == 1), ..self.app };
            crew.client(&format!("transformer-{slot}"), Role::Producer, |process, writer| {
                RoleSpec::Transform(TransformSpec {
                    process,
                    writer,
                    slot,
                    group: group_of(site),
                    outputs: outputs.clone(),
                    record_bytes: site.pace.record_bytes,
                    producer: producer.clone(),
                    consumer: site.consumer.clone(),
                    app,
                })
            });
        }
        crew.sampler("sampler", watching(site));
        for client in crew.clients().iter_mut().filter(|client| matches!(client.roles[0], RoleSpec::Transform(_))) {
            client.logs.clone_from(&site.logs);
        }
        positions(&mut crew, &inputs);
        let source = group_of(site).id;
        crew.last("outputs", |reader| Final::Outputs { reader, group: EFFECTS, source, logs: outputs });
        let own = [Claim::GroupAtLeastOnce, Claim::GroupAtMostOnce, Claim::AtomicTxn];
        crew.plan(Queue::CLAIMS.iter().copied().chain(own).collect())
    }

    fn needs(&self) -> &'static [Need] {
        &[Need::Groups, Need::Transactions]
    }

    fn topics(&self) -> Vec<Topic> {
        vec![Topic::usual(), Topic { suffix: OUT, configs: Vec::new() }]
    }

    fn bind(&self, contract: Contract) -> Contract {
        match self.app.style {
            TransformStyle::PositionsInside => contract.forbid(Claim::GroupAtLeastOnce).forbid(Claim::GroupAtMostOnce),
            TransformStyle::OutputsOnly => {
                let because = "outputs are committed in a transaction and positions apart from it";
                contract.allow(Claim::GroupAtMostOnce, because)
            }
            TransformStyle::Plain => {
                let because = "outputs and positions are stored apart, without transactions";
                let none = "the application has no transactions";
                let claims = [Claim::AtomicTxn, Claim::TxnCycles, Claim::NoOwnUncommittedRead, Claim::TxnSerializable];
                let contract = contract.allow(Claim::GroupAtMostOnce, because);
                claims.into_iter().fold(contract, |contract, claim| contract.out_of_scope(claim, none))
            }
        }
    }
}
