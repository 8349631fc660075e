//! What a client process is told: one JSON file, complete, so that a run can be repeated from it alone.
//!
//! **Invariant:** a specification decides everything but time. Names of properties in it are librdkafka's, already checked
//! (`crate::properties`); topics appear here and nowhere in a history.

mod consumer;
mod producer;
mod rebirth;
mod transactional;

pub use consumer::{Commit, ConsumerApp, ConsumerMode, ConsumerSpec, Falls, Group, Leaves, Point, SinkSpec, Wanders};
pub use producer::{AtExit, Dies, Ending, Large, Load, OnError, OnFull, ProducerApp, ProducerSpec, Spread, cycled};
pub use rebirth::WRITERS_PER_LIFE;
pub use transactional::{FallsBetween, Ids, Stall, TransactorSpec, TransformApp, TransformSpec, TransformStyle};

use crate::library::Library;
use history::{LogId, ProcessId};
use serde::{Deserialize, Serialize};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Largest id of a log; a delivery report carries it in 16 bits.
pub const LOG_ID_MAX: u32 = (1 << 16) - 1;
/// Largest specification read.
pub const SPEC_BYTES_MAX: u64 = 16 << 20;

/// One client process.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientSpec {
    /// As printed, and what its files are called.
    pub name: String,
    /// Run identity, carried by every payload.
    pub run: u64,
    /// First segment of its journal; must not exist.
    pub journal: PathBuf,
    /// `host:port` of some brokers.
    pub bootstrap: Vec<String>,
    /// Every log of the run.
    pub logs: Vec<LogPlace>,
    /// Seed of what it draws.
    pub seed: u64,
    /// How long it may take after SIGTERM to hear of what it has sent.
    pub flush_ms_max: u64,
    /// The client library that its application uses.
    #[serde(default)]
    pub library: Library,
    /// Where the Java client is, for applications on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub java: Option<JavaPlace>,
    /// Whether it records; false only to measure what recording costs.
    #[serde(default = "recording")]
    pub records: bool,
    /// What becomes of it once it has died, by a fault or by what it was told.
    #[serde(default)]
    pub after_death: AfterDeath,
    /// One thread each.
    pub roles: Vec<RoleSpec>,
}

/// Where the Java client is.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JavaPlace {
    /// The `java` program.
    pub program: PathBuf,
    /// Its class path: the client's jars and our program's classes.
    pub class_path: String,
}

fn recording() -> bool {
    true
}

/// What becomes of a client process once it has died.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AfterDeath {
    /// It is started again with an identity of its own; what it was told to die by, it dies by once.
    #[default]
    Rise,
    /// It stays away.
    Stay,
}

/// Where a log lies.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogPlace {
    /// Its identity in the history.
    pub id: LogId,
    /// Its topic.
    pub topic: String,
    /// Its partition.
    pub partition: i32,
}

/// What one thread of a client process does.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "role", rename_all = "kebab-case", deny_unknown_fields)]
pub enum RoleSpec {
    /// Appends through librdkafka.
    Producer(ProducerSpec),
    /// Reads through librdkafka.
    Consumer(ConsumerSpec),
    /// Appends in transactions through librdkafka.
    Transactor(TransactorSpec),
    /// Makes a record of each record, through librdkafka.
    Transform(TransformSpec),
    /// Changes topics through the wire client.
    Operator(OperatorSpec),
    /// Asks brokers for ends and windows through the wire client.
    Sampler(SamplerSpec),
    /// Writes down how the cluster looks, over time.
    Observer(ObserverSpec),
}

/// Somebody who changes topics while others work on them.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct OperatorSpec {
    /// Who it is in the history.
    pub process: ProcessId,
    /// The number of the registers it writes: see [`crate::admin`].
    pub group: u32,
    /// The topics it makes are called this and a number.
    pub prefix: String,
    /// Replicas of their partitions.
    pub replication: i16,
    /// From one change to the next.
    pub interval_ms: u64,
    /// How many of a log's newest records it leaves when it deletes the oldest, if it does.
    pub keeps_records: Option<u32>,
}

/// A sampler.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct SamplerSpec {
    /// Who it is in the history.
    pub process: ProcessId,
    /// From one log's turn to the next log's.
    pub interval_ms: u64,
    /// What it asks for beside ends and windows.
    #[serde(default)]
    pub also: Also,
}

/// An observer.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ObserverSpec {
    /// Who it is; it does nothing that a history holds.
    pub process: ProcessId,
    /// Where it writes.
    pub path: PathBuf,
    /// From one look to the next.
    pub interval_ms: u64,
}

/// What a sampler asks for beside ends and windows.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Also {
    /// Nothing.
    #[default]
    Nothing,
    /// The stable end, the log's start and the leader's epoch.
    Offsets,
    /// The position that a group has stored.
    Positions {
        /// Its number in the history.
        group: u32,
        /// Its `group.id`.
        id: String,
    },
}

/// Why a specification could not be used.
#[derive(Debug, thiserror::Error)]
pub enum SpecError {
    /// The file system refused, or the file is too large.
    #[error("client specification {path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What it answered.
        source: io::Error,
    },
    /// It is not one.
    #[error("client specification {path}: {source}")]
    Json {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: serde_json::Error,
    },
    /// It contradicts itself.
    #[error("client specification {path}: {why}")]
    Meaning {
        /// The file.
        path: PathBuf,
        /// How.
        why: String,
    },
}

impl ClientSpec {
    /// Reads and checks a specification.
    pub fn load(path: &Path) -> Result<ClientSpec, SpecError> {
        let failed = |source| SpecError::Io { path: path.to_owned(), source };
        if fs::metadata(path).map_err(failed)?.len() > SPEC_BYTES_MAX {
            return Err(failed(io::Error::other(format!("larger than {SPEC_BYTES_MAX} bytes"))));
        }
        let text = fs::read(path).map_err(failed)?;
        let spec: ClientSpec =
            serde_json::from_slice(&text).map_err(|source| SpecError::Json { path: path.to_owned(), source })?;
        spec.check().map_err(|why| SpecError::Meaning { path: path.to_owned(), why })?;
        Ok(spec)
    }

    /// Writes it, for [`ClientSpec::load`].
    pub fn save(&self, path: &Path) -> Result<(), SpecError> {
        let text =
            serde_json::to_vec_pretty(self).map_err(|source| SpecError::Json { path: path.to_owned(), source })?;
        fs::write(path, text).map_err(|source| SpecError::Io { path: path.to_owned(), source })
    }

    /// Where the process writes its [`crate::client::status::Status`] before it ends: next to the journal.
    pub fn status_path(&self) -> PathBuf {
        self.journal.with_extension("status.json")
    }

    fn check(&self) -> Result<(), String> {
        let refuse = |bad: bool, why: &str| if bad { Err(why.to_owned()) } else { Ok(()) };
        refuse(self.logs.is_empty(), "no logs")?;
        refuse(self.roles.is_empty(), "no roles")?;
        refuse(self.bootstrap.is_empty(), "no bootstrap addresses")?;
        let logs: std::collections::BTreeSet<LogId> = self.logs.iter().map(|l| l.id).collect();
        refuse(logs.len() != self.logs.len(), "a log appears twice")?;
        refuse(logs.last().is_some_and(|id| id.0 > LOG_ID_MAX), "a log's id is too large")?;
        for role in &self.roles {
            match role {
                RoleSpec::Producer(p) => refuse(!p.is_possible(), "a producer without rate, keys or a valid writer")?,
                RoleSpec::Consumer(c) => {
                    let exist = |wanted: &[LogId]| wanted.iter().all(|id| logs.contains(id));
                    let assigned = matches!(&c.mode, ConsumerMode::Assign { logs } if !exist(logs));
                    refuse(assigned, "a consumer of a log that does not exist")?;
                    refuse(!c.is_possible(), "a consumer without batches, or of a group without number or topics")?
                }
                RoleSpec::Transactor(t) => refuse(!t.is_possible(), "a transactor without rate or transactional.id")?,
                RoleSpec::Transform(t) => refuse(!t.is_possible(), "a transform without batches or group")?,
                RoleSpec::Operator(o) => refuse(o.interval_ms == 0, "an operator without interval")?,
                RoleSpec::Observer(o) => refuse(o.interval_ms == 0, "an observer without interval")?,
                RoleSpec::Sampler(s) => refuse(s.interval_ms == 0, "a sampler without interval")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use history::WriterId;
    use std::collections::BTreeMap;

    fn spec(roles: Vec<RoleSpec>) -> ClientSpec {
        let log = |n| LogPlace { id: LogId(n), topic: "t".into(), partition: n as i32 };
        ClientSpec {
            name: "c".into(),
            run: 1,
            journal: "c.sgj".into(),
            bootstrap: vec!["127.0.0.1:1".into()],
            logs: vec![log(0), log(1)],
            seed: 0,
            flush_ms_max: 1,
            library: Library::default(),
            java: None,
            records: true,
            after_death: AfterDeath::Rise,
            roles,
        }
    }

    fn producer(load: Load, spread: Spread, writer: u32) -> RoleSpec {
        let (process, writer, properties) = (ProcessId(0), WriterId(writer), BTreeMap::new());
        let app = ProducerApp::default();
        RoleSpec::Producer(ProducerSpec { process, writer, load, record_bytes: 0, spread, properties, app })
    }

    fn consumer(log: u32) -> RoleSpec {
        let mode = ConsumerMode::Assign { logs: vec![LogId(log)] };
        let (process, properties, app) = (ProcessId(0), BTreeMap::new(), ConsumerApp::default());
        RoleSpec::Consumer(ConsumerSpec { process, mode, properties, app })
    }

    #[test]
    fn what_is_possible_is_accepted() {
        let wave = Load::Wave { records: 0, wait_ms_max: 0 };
        for role in [producer(wave, Spread::RoundRobin, history::Value::WRITER_MAX), consumer(1)] {
            assert_eq!(spec(vec![role]).check(), Ok(()));
        }
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        let paced = Load::OpenLoop { per_second: 1.0 };
        let refused = [
            producer(Load::OpenLoop { per_second: 0.0 }, Spread::RoundRobin, 0),
            producer(Load::OpenLoop { per_second: f64::NAN }, Spread::RoundRobin, 0),
            producer(Load::ClosedLoop { outstanding_max: 0 }, Spread::RoundRobin, 0),
            producer(paced, Spread::Keyed { keys: 0 }, 0),
            producer(paced, Spread::RoundRobin, history::Value::WRITER_MAX + 1),
            consumer(2),
            RoleSpec::Sampler(SamplerSpec { process: ProcessId(0), interval_ms: 0, also: Also::Nothing }),
        ];
        for role in refused {
            assert!(spec(vec![role.clone()]).check().is_err(), "{role:?}");
        }
        assert!(spec(vec![]).check().is_err());
        let mut twice = spec(vec![consumer(1)]);
        twice.logs[0].id = LogId(1);
        assert!(twice.check().is_err());
    }

    #[test]
    fn a_new_life_has_names_of_its_own_and_is_not_told_to_die_again() {
        let RoleSpec::Producer(mut dying) = producer(Load::ClosedLoop { outstanding_max: 1 }, Spread::RoundRobin, 0)
        else {
            unreachable!()
        };
        dying.app.dies = Some(Dies { after: 3, by: Ending::Kill });
        let first = spec(vec![RoleSpec::Producer(dying)]);
        let (second, names) = first.reborn(2, ProcessId(9), WriterId(70));
        let (third, _) = second.reborn(3, ProcessId(10), WriterId(80));
        assert_eq!((second.name.as_str(), third.name.as_str()), ("c-life-2", "c-life-3"));
        assert_eq!((names[0].name.as_str(), names[0].writer), ("c-life-2", Some(WriterId(70))));
        let RoleSpec::Producer(next) = &second.roles[0] else { panic!("the same role") };
        assert_eq!((next.process, next.writer, next.app.dies), (ProcessId(9), WriterId(70), None));
        assert_ne!((&second.journal, second.status_path()), (&first.journal, first.status_path()));
    }

    #[test]
    fn an_unknown_field_is_refused_with_its_name_and_place() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("c.json");
        let text = serde_json::to_string(&spec(vec![consumer(1)])).unwrap();
        std::fs::write(&path, text.replace("\"seed\"", "\"sead\"")).unwrap();
        let refused = ClientSpec::load(&path).unwrap_err().to_string();
        assert!(refused.contains("sead") && refused.contains("line 1"), "{refused}");
    }
}
