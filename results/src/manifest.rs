//! `run.json`: what was run, on what, and the names of everything the history speaks of.
//!
//! Written before anything starts, so that a run that dies can be identified, judged and repeated; replaced when names
//! are added. **Invariant:** nothing secret is in it: the environment is not copied, and what looks like a secret in
//! properties and arguments is redacted before it gets here ([`Properties`], [`Argv`]).

use crate::file::{FileError, Place, Problem};
use crate::folder::RunFolder;
use crate::json;
use crate::wall::Wall;
use checker::{Contract, Promises};
use history::{Names, Nanos};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// The only layout of a run's folder there is so far.
pub const FORMAT: u32 = 1;
/// What stands in the place of a secret.
pub const REDACTED: &str = "<redacted>";
const SECRET_PARTS: [&str; 5] = ["password", "secret", "token", "jaas", "key"];

/// What was run and on what.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Manifest {
    /// [`FORMAT`]. Its absence tells a foreign file.
    pub stormglass: u32,
    /// The scenario's name.
    pub scenario: String,
    /// The system under test, e.g. `embedded`.
    pub system: String,
    /// Repeats what was tried.
    pub seed: Seed,
    /// The command as typed.
    pub argv: Argv,
    /// Of everything that has one: `stormglass`, `librdkafka`, the system.
    pub versions: BTreeMap<String, String>,
    /// SHA-256 of each file of the system under test, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub digests: BTreeMap<String, String>,
    /// Where it ran.
    pub machine: Machine,
    /// When it began.
    pub began: Began,
    /// Logs, processes, nodes, load start.
    pub names: Names,
    /// Settings by role: `topic`, `producer`, `consumer`, `broker`.
    pub properties: BTreeMap<String, Properties>,
    /// By what disks and clocks were made to go wrong: `memory` → `FUSE, mounted by root`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub backends: BTreeMap<String, String>,
    /// What must hold, as derived before the run.
    pub contract: Contract,
    /// What the judge was told of the set-up.
    pub promises: Promises,
}

impl Manifest {
    /// Reads a run's manifest.
    pub fn read(folder: &RunFolder) -> Result<Manifest, FileError> {
        #[derive(Deserialize)]
        struct Mark {
            stormglass: Option<u32>,
        }
        let path = folder.manifest();
        let foreign = |why: String| FileError::new(&path, Place::Whole, Problem::Foreign(why));
        match json::read::<Mark>(&path)?.stormglass {
            Some(FORMAT) => json::read(&path),
            Some(format) => Err(foreign(format!("format {format}, and this program reads format {FORMAT}"))),
            None => Err(foreign("no run's manifest".into())),
        }
    }

    /// Writes or replaces a run's manifest.
    pub fn write(&self, folder: &RunFolder) -> Result<(), FileError> {
        json::write(&folder.manifest(), self)
    }
}

/// A seed, as `0x` and hexadecimal digits: JSON's numbers cannot hold it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Seed(pub u64);

impl std::fmt::Display for Seed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

impl Serialize for Seed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Seed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Seed, D::Error> {
        let text = String::deserialize(deserializer)?;
        let digits = text.strip_prefix("0x").ok_or_else(|| serde::de::Error::custom("a seed begins with 0x"))?;
        u64::from_str_radix(digits, 16).map(Seed).map_err(serde::de::Error::custom)
    }
}

/// Where a run ran.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Machine {
    /// `uname -r`.
    pub kernel: String,
    /// E.g. `x86_64`.
    pub architecture: String,
    /// CPUs this process may use.
    pub cpus: usize,
    /// Physical memory, bytes.
    pub memory_bytes: u64,
}

impl Machine {
    /// This machine; empty and 0 where it does not tell.
    pub fn here() -> Machine {
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let kib = memory.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0);
        Machine {
            kernel: kernel.trim().to_owned(),
            architecture: std::env::consts::ARCH.to_owned(),
            cpus: std::thread::available_parallelism().map_or(0, usize::from),
            memory_bytes: kib * 1024,
        }
    }
}

/// One moment on both clocks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Began {
    /// The wall clock, ns since 1970.
    pub wall: Wall,
    /// CLOCK_MONOTONIC, ns.
    pub mono: Nanos,
}

impl Began {
    /// The wall clock at another moment of the same run.
    pub fn wall_at(&self, moment: Nanos) -> Wall {
        Wall(self.wall.0.saturating_add(moment.since(self.mono)).saturating_sub(self.mono.since(moment)))
    }
}

/// Settings without secrets.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Properties(BTreeMap<String, String>);

impl Properties {
    /// Every setting, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Properties {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(settings: I) -> Properties {
        let redact = |(name, value): (N, V)| {
            let name = name.into();
            let value = if is_secret(&name) { REDACTED.to_owned() } else { value.into() };
            (name, value)
        };
        Properties(settings.into_iter().map(redact).collect())
    }
}

/// A command line without secrets.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Argv(Vec<String>);

impl Argv {
    /// The command as one line for a shell.
    pub fn shell(&self) -> String {
        self.0.iter().map(|arg| quote(arg)).collect::<Vec<_>>().join(" ")
    }
}

/// `name=value` loses its value, and `--name` the argument after it, where the name is a secret's.
impl<S: AsRef<str>> FromIterator<S> for Argv {
    fn from_iter<I: IntoIterator<Item = S>>(args: I) -> Argv {
        let mut after_secret = false;
        let redact = |arg: S| {
            let arg = arg.as_ref();
            if std::mem::take(&mut after_secret) {
                return REDACTED.to_owned();
            }
            match arg.split_once('=') {
                Some((name, _)) if is_secret(name) => format!("{name}={REDACTED}"),
                None if arg.starts_with("--") && is_secret(arg) => {
                    after_secret = true;
                    arg.to_owned()
                }
                _ => arg.to_owned(),
            }
        };
        Argv(args.into_iter().map(redact).collect())
    }
}

/// True for the name of a setting whose value nobody should see. Rather one too many: `key.serializer` is one.
pub fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SECRET_PARTS.iter().any(|part| name.contains(part))
}

fn quote(arg: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_=./:,@%+".contains(&b);
    if !arg.is_empty() && arg.bytes().all(plain) {
        return arg.to_owned();
    }
    format!("'{}'", arg.replace('\'', r"'\''"))
}

/// The file name of the program that runs, for commands to repeat.
pub fn program(argv0: &str) -> String {
    Path::new(argv0).file_name().map_or_else(|| argv0.to_owned(), |name| name.to_string_lossy().into_owned())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn manifest() -> Manifest {
        Manifest {
            stormglass: FORMAT,
            scenario: "queue".into(),
            system: "embedded".into(),
            seed: Seed(u64::MAX),
            argv: ["stormglass", "run"].iter().collect(),
            versions: [("stormglass".to_owned(), "0.1.0".to_owned())].into(),
            digests: BTreeMap::new(),
            machine: Machine::here(),
            began: Began { wall: Wall(5_000), mono: Nanos(1_000) },
            names: Names { run: u64::MAX, epoch: Nanos(7), ..Names::default() },
            properties: [("topic".to_owned(), Properties::from_iter([("min.insync.replicas", "2")]))].into(),
            backends: [("memory".to_owned(), "FUSE, mounted by root".to_owned())].into(),
            contract: Contract::durable(),
            promises: Promises::durable(),
        }
    }

    fn folder() -> (tempfile::TempDir, RunFolder) {
        let out = tempfile::tempdir().unwrap();
        let folder = RunFolder::create(out.path(), "queue", Wall(0), 1).unwrap();
        (out, folder)
    }

    #[test]
    fn a_manifest_is_read_as_it_was_written() {
        let (_out, folder) = folder();
        manifest().write(&folder).unwrap();
        assert_eq!(Manifest::read(&folder).unwrap(), manifest());
    }

    #[test]
    fn a_foreign_file_and_a_later_format_are_refused_by_name() {
        let (_out, folder) = folder();
        for (text, why) in [("{}", "no run's manifest"), ("{\"stormglass\":2}", "format 2"), ("[]", "malformed")] {
            fs::write(folder.manifest(), text).unwrap();
            let error = Manifest::read(&folder).unwrap_err().to_string();
            assert!(error.contains("run.json") && error.contains(why), "{error}");
        }
    }

    #[test]
    fn secrets_are_redacted_and_their_neighbours_are_not() {
        let settings = [
            ("sasl.jaas.config", "user"),
            ("ssl.KEY.location", "/etc/x"),
            ("sasl.password", "hunter2"),
            ("oauth.Token", "t"),
            ("client.secret", "s"),
            ("acks", "all"),
        ];
        let properties = Properties::from_iter(settings);
        let kept: Vec<_> = properties.iter().filter(|(_, value)| *value != REDACTED).collect();
        assert_eq!(kept, [("acks", "all")]);
    }

    #[test]
    fn arguments_lose_their_secrets_wherever_they_stand() {
        let argv = ["run", "-X", "producer:sasl.password=x=y", "--token", "abc", "--seed", "0x1", "it's"];
        let argv: Argv = argv.iter().collect();
        let safe = "run -X 'producer:sasl.password=<redacted>' --token '<redacted>' --seed 0x1 'it'\\''s'";
        assert_eq!(argv.shell(), safe);
    }

    #[test]
    fn the_wall_clock_is_known_before_and_after_the_beginning() {
        let began = manifest().began;
        assert_eq!([0, 1_000, 1_500].map(|at| began.wall_at(Nanos(at)).0), [4_000, 5_000, 5_500]);
    }
}
