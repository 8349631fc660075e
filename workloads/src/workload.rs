//! A workload: which client processes load a run, and which claims they make judgeable. One workload a file.
//!
//! **Invariant:** planning is pure: the same workload on the same [`Site`] gives the same [`Plan`].

use crate::queue::Queue;
use crate::spec::{ClientSpec, LogPlace, RoleSpec};
use checker::claim::Claim;
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
}

impl Workload {
    /// Names and one line each, in the order of a list.
    pub const ALL: &'static [(&'static str, &'static str)] = &[(crate::queue::NAME, crate::queue::WHAT)];

    /// Who is to do what on `site`.
    pub fn plan(&self, site: &Site) -> Plan {
        match self {
            Workload::Queue(queue) => queue.plan(site),
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
    /// What it makes judgeable.
    pub claims: Vec<Claim>,
}

/// Hands out process and writer ids while a plan is made.
pub struct Crew<'a> {
    site: &'a Site,
    clients: Vec<ClientSpec>,
    processes: Vec<ProcessName>,
    writers: u32,
}

impl<'a> Crew<'a> {
    /// Nobody yet.
    pub fn new(site: &'a Site) -> Crew<'a> {
        Crew { site, clients: Vec::new(), processes: Vec::new(), writers: 0 }
    }

    /// A client process of one role, made by `role` from its ids; called after its name in the history.
    pub fn client(&mut self, name: &str, role: Role, make: impl FnOnce(ProcessId, WriterId) -> RoleSpec) {
        let writer = WriterId(self.site.first_writer.0 + self.writers);
        let process = self.member(name, role, writer);
        if role == Role::Producer {
            self.writers += 1;
        }
        self.clients.push(ClientSpec {
            name: name.to_owned(),
            run: self.site.run,
            journal: self.site.journals.join(format!("{name}.sgj")),
            bootstrap: self.site.bootstrap.clone(),
            logs: self.site.logs.clone(),
            seed: self.site.seed,
            flush_ms_max: self.site.flush_ms_max,
            roles: vec![make(process, writer)],
        });
    }

    /// The whole crew, with a drain.
    pub fn plan(mut self, claims: Vec<Claim>) -> Plan {
        let drain = self.member("drain", Role::Drain, self.site.first_writer);
        Plan { clients: self.clients, processes: self.processes, drain, claims }
    }

    fn member(&mut self, name: &str, role: Role, writer: WriterId) -> ProcessId {
        let process = ProcessId(self.site.first_process.0 + self.processes.len() as u32);
        let writer = (role == Role::Producer).then_some(writer);
        self.processes.push(ProcessName { name: name.to_owned(), role, writer });
        process
    }
}
