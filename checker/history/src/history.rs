//! A history: the immutable operations of a run and the names of what they concern.

use crate::ids::{LogId, Nanos, NodeId, ProcessId, WriterId};
use crate::op::{Op, Record};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a process is for. Only [`Role::Drain`] reads are authoritative about what is *not* there.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Appends.
    Producer,
    /// Reads while the load runs.
    Consumer,
    /// Reads every log from its start to its end after everything was healed.
    Drain,
    /// Asks brokers for their offsets while the load runs.
    Sampler,
    /// Breaks things.
    Nemesis,
}

/// A process of the run.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ProcessName {
    /// As printed, e.g. `producer-1`.
    pub name: String,
    /// What it is for.
    pub role: Role,
    /// The writer whose values it appends, if it appends.
    pub writer: Option<WriterId>,
}

/// Names of logs and processes; ids are positions.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Names {
    /// Run identity carried by every payload.
    pub run: u64,
    /// As printed, e.g. `stormglass-3`.
    pub logs: Vec<String>,
    /// All processes.
    pub processes: Vec<ProcessName>,
    /// Brokers.
    pub nodes: Vec<NodeId>,
    /// Load start: the zero of every printed time.
    pub epoch: Nanos,
    /// What is journalled as a group's position and is none, by the group's number, e.g. `the partitions of topic-1`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub registers: BTreeMap<u32, String>,
}

impl Names {
    /// The log's name, or its number where it has none.
    pub fn log(&self, log: LogId) -> String {
        self.logs.get(log.0 as usize).cloned().unwrap_or_else(|| format!("log {}", log.0))
    }

    /// What a commit of `group` in `log` writes: the group's position, unless the group stands for a register.
    pub fn position(&self, group: u32, log: LogId) -> String {
        let of_group = || format!("group {group}'s position in {}", self.log(log));
        self.registers.get(&group).cloned().unwrap_or_else(of_group)
    }

    /// The process's name, or its number where it has none.
    pub fn process(&self, process: ProcessId) -> String {
        self.processes.get(process.0 as usize).map_or_else(|| format!("process {}", process.0), |p| p.name.clone())
    }

    /// The process's role; an unnamed process is taken for a consumer.
    pub fn role(&self, process: ProcessId) -> Role {
        self.processes.get(process.0 as usize).map_or(Role::Consumer, |p| p.role)
    }
}

/// All operations of a run. Order is free: nothing that judges may depend on it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct History {
    /// Names.
    pub names: Names,
    /// Operations.
    pub ops: Vec<Op>,
    /// Records of all reads, addressed by [`Op::records`].
    pub records: Vec<Record>,
}

impl History {
    /// The records an operation read; empty if its range does not lie within the table.
    #[inline]
    pub fn records_of(&self, op: &Op) -> &[Record] {
        self.records.get(op.records()).unwrap_or(&[])
    }

    /// Appends a read and its records.
    pub fn push_read(&mut self, op: Op, records: &[Record]) {
        let start = self.records.len();
        self.records.extend_from_slice(records);
        self.ops.push(op.with_records(start, records.len()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_register_is_called_by_its_name_and_a_group_by_its_number() {
        let registers = BTreeMap::from([(103, "the number of partitions of t".to_owned())]);
        let names = Names { logs: vec!["q-0".into()], registers, ..Names::default() };
        assert_eq!(names.position(103, LogId(0)), "the number of partitions of t");
        assert_eq!(names.position(3, LogId(0)), "group 3's position in q-0");
    }
}
