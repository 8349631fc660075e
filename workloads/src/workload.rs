//! A workload: which client processes load a run, and which claims they make judgeable. One workload a file.
//!
//! **Invariant:** planning is pure: the same workload on the same [`Site`] gives the same [`Plan`].

use crate::admin::Admin;
use crate::bank::Bank;
use crate::compacted::Compacted;
use crate::consume_transform_produce::ConsumeTransformProduce;
use crate::finals::Final;
use crate::group::GroupLoad;
use crate::library::Library;
use crate::list_offsets::ListOffsets;
use crate::ordered_keys::OrderedKeys;
use crate::queue::Queue;
use crate::sink_load::SinkLoad;
use crate::spec::{
    AfterDeath, Also, ClientSpec, Commit, ConsumerMode, ConsumerSpec, JavaPlace, Load, LogPlace, ObserverSpec,
    ProducerApp, ProducerSpec, RoleSpec, SamplerSpec, Spread, WRITERS_PER_LIFE,
};
use crate::transactions::Transactions;
use checker::claim::Claim;
use checker::contract::Contract;
use history::{ProcessId, ProcessName, Role, WriterId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Every workload there is.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "workload", rename_all = "kebab-case")]
pub enum Workload {
    /// See [`crate::queue`].
    Queue(Queue),
    /// See [`crate::ordered_keys`].
    OrderedKeys(OrderedKeys),
    /// See [`crate::group`].
    Group(GroupLoad),
    /// See [`crate::transactions`].
    Transactions(Transactions),
    /// See [`crate::consume_transform_produce`].
    ConsumeTransformProduce(ConsumeTransformProduce),
    /// See [`crate::sink_load`].
    Sink(SinkLoad),
    /// See [`crate::compacted`].
    Compacted(Compacted),
    /// See [`crate::list_offsets`].
    ListOffsets(ListOffsets),
    /// See [`crate::admin`].
    Admin(Admin),
    /// See [`crate::bank`].
    Bank(Bank),
}

/// What every workload says of itself.
pub trait Shape {
    /// Who is to do what on `site`.
    fn plan(&self, site: &Site) -> Plan;

    /// What it needs of a system.
    fn needs(&self) -> &'static [Need] {
        &[]
    }

    /// The topics it works on, the one under load first.
    fn topics(&self) -> Vec<Topic> {
        vec![Topic::usual()]
    }

    /// When members of its group commit, if it has one.
    fn commits(&self) -> Option<Commit> {
        None
    }

    /// Whether an application sends records again that may have been appended.
    fn resends(&self) -> bool {
        false
    }

    /// Whether those who append wait for what they have appended before they go on: then there is nobody to append while
    /// replicas stand still.
    fn waits(&self) -> bool {
        false
    }

    /// What the settings promise, with the claims that this workload makes judgeable in scope and those that its clients
    /// give up allowed, each with the reason.
    fn bind(&self, contract: Contract) -> Contract {
        contract
    }
}

/// What a workload needs of a system beyond producing and fetching.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Need {
    /// Consumer groups and committed offsets.
    Groups,
    /// Transactions.
    Transactions,
    /// Logs that keep the last value of each key.
    Compaction,
    /// Topics, partitions and configs changed while clients work.
    Administration,
}

/// A topic that a workload works on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Topic {
    /// What its name has beyond that of the run's topic; nothing for the first one.
    pub suffix: &'static str,
    /// What it is configured with beside the run's own settings.
    pub configs: Vec<(&'static str, String)>,
}

/// The topic under load, on a cluster of the run's own.
pub const TOPIC: &str = "stormglass";

impl Topic {
    /// The topic under load, as the settings have it.
    pub fn usual() -> Topic {
        Topic { suffix: "", configs: Vec::new() }
    }
}

/// A row of [`Workload::ALL`].
pub struct Row {
    /// As it is called.
    pub name: &'static str,
    /// In one line.
    pub what: &'static str,
    /// In its usual shape.
    pub usual: fn() -> Workload,
}

impl Workload {
    /// Every workload, in the order of a list.
    #[rustfmt::skip]
    pub const ALL: &'static [Row] = &[
        Row { name: crate::queue::NAME, what: crate::queue::WHAT, usual: || Workload::Queue(Queue::default()) },
        Row { name: crate::ordered_keys::NAME, what: crate::ordered_keys::WHAT, usual: || Workload::OrderedKeys(OrderedKeys::default()) },
        Row { name: crate::group::NAME, what: crate::group::WHAT, usual: || Workload::Group(GroupLoad::default()) },
        Row { name: crate::transactions::NAME, what: crate::transactions::WHAT, usual: || Workload::Transactions(Transactions::default()) },
        Row { name: crate::transactions::RIVALS, what: crate::transactions::RIVALS_WHAT, usual: || Workload::Transactions(Transactions::rivals()) },
        Row { name: crate::consume_transform_produce::NAME, what: crate::consume_transform_produce::WHAT, usual: || Workload::ConsumeTransformProduce(ConsumeTransformProduce::default()) },
        Row { name: crate::sink_load::NAME, what: crate::sink_load::WHAT, usual: || Workload::Sink(SinkLoad::default()) },
        Row { name: crate::compacted::NAME, what: crate::compacted::WHAT, usual: || Workload::Compacted(Compacted::default()) },
        Row { name: crate::list_offsets::NAME, what: crate::list_offsets::WHAT, usual: || Workload::ListOffsets(ListOffsets::default()) },
        Row { name: crate::admin::NAME, what: crate::admin::WHAT, usual: || Workload::Admin(Admin::default()) },
        Row { name: crate::bank::NAME, what: crate::bank::WHAT, usual: || Workload::Bank(Bank::default()) },
    ];

    /// The workload of a name, in its usual shape.
    pub fn named(name: &str) -> Option<Workload> {
        Workload::ALL.iter().find(|row| row.name == name).map(|row| (row.usual)())
    }

    /// As it is called.
    pub fn name(&self) -> &'static str {
        match self {
            Workload::Queue(_) => crate::queue::NAME,
            Workload::OrderedKeys(_) => crate::ordered_keys::NAME,
            Workload::Group(_) => crate::group::NAME,
            Workload::Transactions(shape) if shape.rivals => crate::transactions::RIVALS,
            Workload::Transactions(_) => crate::transactions::NAME,
            Workload::ConsumeTransformProduce(_) => crate::consume_transform_produce::NAME,
            Workload::Sink(_) => crate::sink_load::NAME,
            Workload::Compacted(_) => crate::compacted::NAME,
            Workload::ListOffsets(_) => crate::list_offsets::NAME,
            Workload::Admin(_) => crate::admin::NAME,
            Workload::Bank(_) => crate::bank::NAME,
        }
    }

    /// What it says of itself.
    pub fn shape(&self) -> &dyn Shape {
        match self {
            Workload::Queue(shape) => shape,
            Workload::OrderedKeys(shape) => shape,
            Workload::Group(shape) => shape,
            Workload::Transactions(shape) => shape,
            Workload::ConsumeTransformProduce(shape) => shape,
            Workload::Sink(shape) => shape,
            Workload::Compacted(shape) => shape,
            Workload::ListOffsets(shape) => shape,
            Workload::Admin(shape) => shape,
            Workload::Bank(shape) => shape,
        }
    }
}

impl Default for Workload {
    fn default() -> Workload {
        Workload::Queue(Queue::default())
    }
}

/// How fast and how large a load is.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct Pace {
    /// Of all writers together.
    pub load: Load,
    /// Bytes of a payload.
    pub record_bytes: usize,
    /// How long a sampler waits from one log's turn to the next log's; 0 for no sampler.
    pub sample_ms: u64,
}

impl Pace {
    /// The load of one of so many writers: a rate is shared, anything else is each one's.
    pub fn share(&self, writers: u32) -> Load {
        match self.load {
            Load::OpenLoop { per_second } => Load::OpenLoop { per_second: per_second / f64::from(writers.max(1)) },
            other => other,
        }
    }
}

/// Where a workload is to run.
#[derive(Clone, PartialEq, Debug)]
pub struct Site {
    /// Run identity.
    pub run: u64,
    /// Seed of what clients draw.
    pub seed: u64,
    /// `host:port` of some brokers.
    pub bootstrap: Vec<String>,
    /// Every log.
    pub logs: Vec<LogPlace>,
    /// How fast and how large the load is.
    pub pace: Pace,
    /// Replicas of each log.
    pub replication: i16,
    /// The client library that applications use.
    pub library: Library,
    /// Where the Java client is, if they use that.
    pub java: Option<JavaPlace>,
    /// Whether the system promises more than Kafka does: that an answer about a stored position is never older than the question
    /// (a coordinator that was deposed and does not know it yet may answer from memory), and that the start of a log which it
    /// has told does not go back in a crash. Only then are they asked for while faults are under way.
    pub exact: bool,
    /// Where an observer writes how the cluster looks over time; nowhere without one.
    pub looks: Option<PathBuf>,
    /// Where journals go, one `NAME.sgj` a process.
    pub journals: PathBuf,
    /// How long a client may take to end.
    pub flush_ms_max: u64,
    /// librdkafka's properties for producers, already checked.
    pub producer: BTreeMap<String, String>,
    /// librdkafka's properties for consumers, already checked.
    pub consumer: BTreeMap<String, String>,
    /// The first process id that is free.
    pub first_process: ProcessId,
    /// The first writer id that is free.
    pub first_writer: WriterId,
}

/// Who does what.
#[derive(Clone, PartialEq, Debug)]
pub struct Plan {
    /// The client processes to be started.
    pub clients: Vec<ClientSpec>,
    /// The history's names of everybody planned, ids from [`Site::first_process`] on, the drain last.
    pub processes: Vec<ProcessName>,
    /// Who the final read is, in the history.
    pub drain: ProcessId,
    /// What is read after the load beside the logs.
    pub finals: Vec<Final>,
    /// What is journalled as a group's position and is none, by the group's number.
    pub registers: BTreeMap<u32, String>,
    /// The first writer id that is free.
    pub next_writer: WriterId,
    /// What it makes judgeable.
    pub claims: Vec<Claim>,
}

/// From one look at the cluster to the next.
const LOOK_MS: u64 = 250;

/// Hands out process and writer ids while a plan is made.
pub struct Crew<'a> {
    site: &'a Site,
    clients: Vec<ClientSpec>,
    processes: Vec<ProcessName>,
    finals: Vec<Final>,
    registers: BTreeMap<u32, String>,
    writers: u32,
}

impl<'a> Crew<'a> {
    /// Nobody yet.
    pub fn new(site: &'a Site) -> Crew<'a> {
        Crew {
            site,
            clients: Vec::new(),
            processes: Vec::new(),
            finals: Vec::new(),
            registers: BTreeMap::new(),
            writers: 0,
        }
    }

    /// A client process of one role, made by `role` from its ids; called after its name in the history. One that appends has
    /// writer ids of its own.
    pub fn client(&mut self, name: &str, role: Role, make: impl FnOnce(ProcessId, WriterId) -> RoleSpec) {
        let writer = WriterId(self.site.first_writer.0 + self.writers);
        let process = self.member(name, role, writer);
        let role = make(process, writer);
        self.writers += if role.writer().is_some() { WRITERS_PER_LIFE } else { 0 };
        self.clients.push(ClientSpec {
            name: name.to_owned(),
            run: self.site.run,
            journal: self.site.journals.join(format!("{name}.sgj")),
            bootstrap: self.site.bootstrap.clone(),
            logs: self.site.logs.clone(),
            seed: self.site.seed,
            flush_ms_max: self.site.flush_ms_max,
            library: self.site.library,
            java: self.site.java.clone(),
            records: true,
            after_death: AfterDeath::default(),
            roles: vec![role],
        });
    }

    /// So many producers of a load shared among them, each with the application around it.
    pub fn producers(&mut self, count: u32, spread: Spread, app: &ProducerApp) {
        for n in 1..=count {
            let (site, name) = (self.site, format!("producer-{n}"));
            let outbox = app.outbox.as_ref().map(|file| site.journals.join(format!("{name}.{}", file.display())));
            let app = ProducerApp { outbox, ..app.clone() };
            let load = if app.sync { Load::ClosedLoop { outstanding_max: 1 } } else { site.pace.share(count) };
            self.client(&name, Role::Producer, |process, writer| {
                let record_bytes = site.pace.record_bytes;
                let properties = site.producer.clone();
                RoleSpec::Producer(ProducerSpec { process, writer, load, record_bytes, spread, properties, app })
            });
        }
    }

    /// So many consumers, each of which reads every log.
    pub fn readers(&mut self, count: u32) {
        for n in 1..=count {
            let site = self.site;
            self.client(&format!("consumer-{n}"), Role::Consumer, |process, _| {
                let mode = ConsumerMode::Assign { logs: site.logs.iter().map(|l| l.id).collect() };
                let properties = site.consumer.clone();
                RoleSpec::Consumer(ConsumerSpec { process, mode, properties, app: Default::default() })
            });
        }
    }

    /// A sampler, where the load has one.
    pub fn sampler(&mut self, name: &str, also: Also) {
        let interval_ms = self.site.pace.sample_ms;
        if interval_ms > 0 {
            let make = |process, _| RoleSpec::Sampler(SamplerSpec { process, interval_ms, also });
            self.client(name, Role::Sampler, make);
        }
    }

    /// Something read after the load, by a process called `name`.
    pub fn last(&mut self, name: &str, make: impl FnOnce(ProcessId) -> Final) {
        let reader = self.member(name, Role::Consumer, self.site.first_writer);
        self.finals.push(make(reader));
    }

    /// Names what is journalled as the position of a group that there is not.
    pub fn register(&mut self, group: u32, name: String) {
        self.registers.insert(group, name);
    }

    /// The clients so far, to change what is not the usual.
    pub fn clients(&mut self) -> &mut [ClientSpec] {
        &mut self.clients
    }

    /// The whole crew, with a drain, and somebody who watches the cluster where that is wanted.
    pub fn plan(mut self, claims: Vec<Claim>) -> Plan {
        if let Some(path) = self.site.looks.clone() {
            let make = |process, _| RoleSpec::Observer(ObserverSpec { process, path, interval_ms: LOOK_MS });
            self.client("observer", Role::Sampler, make);
        }
        let drain = self.member("drain", Role::Drain, self.site.first_writer);
        let next_writer = WriterId(self.site.first_writer.0 + self.writers);
        Plan {
            clients: self.clients,
            processes: self.processes,
            drain,
            finals: self.finals,
            registers: self.registers,
            next_writer,
            claims,
        }
    }

    fn member(&mut self, name: &str, role: Role, writer: WriterId) -> ProcessId {
        let process = ProcessId(self.site.first_process.0 + self.processes.len() as u32);
        let writer = (role == Role::Producer).then_some(writer);
        self.processes.push(ProcessName { name: name.to_owned(), role, writer });
        process
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use history::LogId;

    /// Four logs on one replica.
    pub(crate) fn site() -> Site {
        Site {
            run: 1,
            seed: 2,
            bootstrap: vec!["127.0.0.1:1".into()],
            logs: (0..4).map(|n| LogPlace { id: LogId(n), topic: "t".into(), partition: n as i32 }).collect(),
            pace: Pace { load: Load::OpenLoop { per_second: 2000.0 }, record_bytes: 256, sample_ms: 25 },
            replication: 1,
            looks: None,
            library: Default::default(),
            exact: true,
            java: None,
            journals: "/nowhere".into(),
            flush_ms_max: 1000,
            producer: Default::default(),
            consumer: Default::default(),
            first_process: ProcessId(1),
            first_writer: WriterId(0),
        }
    }
}
