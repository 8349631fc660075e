//! Where an option comes from that was not typed: `STORMGLASS_*` in the environment, then `stormglass.toml` in this folder or the
//! nearest above it.
//!
//! Precedence: flag over environment over file over default. **Invariant:** what a layer says becomes the flag it stands for and
//! is read as that flag is, so that a value means the same wherever it is written; an unknown key of the file is refused with
//! its line and the nearest that exists. Deliberately not here: Kafka's own settings, which stay in `.properties` files.

use crate::cli::Cli;
use crate::commands::Failure;
use crate::suggest;
use clap::parser::ValueSource;
use clap::{ArgMatches, CommandFactory};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The file's name.
pub const FILE: &str = "stormglass.toml";
const FILE_BYTES_MAX: u64 = 1 << 20;

/// An option that a layer may give.
pub struct Row {
    /// As the command line knows it.
    pub id: &'static str,
    /// As typed.
    pub flag: &'static str,
    /// In the file: table and key.
    pub key: &'static str,
}

const fn row(id: &'static str, flag: &'static str, key: &'static str) -> Row {
    Row { id, flag, key }
}

/// Every option that a layer may give.
#[rustfmt::skip]
pub const TABLE: &[Row] = &[
    row("broker", "--broker", "subject.broker"),
    row("plant", "--plant", "subject.plant"),
    row("broker_config", "--broker-config", "subject.configs.broker"),
    row("topic_config", "--topic-config", "subject.configs.topic"),
    row("producer_config", "--producer-config", "subject.configs.producer"),
    row("consumer_config", "--consumer-config", "subject.configs.consumer"),
    row("brokers", "--brokers", "cluster.brokers"),
    row("controllers", "--controllers", "cluster.controllers"),
    row("rf", "--rf", "cluster.replication"),
    row("partitions", "--partitions", "cluster.partitions"),
    row("base_port", "--base-port", "cluster.base-port"),
    row("workload", "--workload", "load.workload"),
    row("client", "--client", "load.client"),
    row("rate", "--rate", "load.rate"),
    row("record", "--record", "load.record"),
    row("time", "--time", "load.duration"),
    row("faults", "--faults", "faults"),
    row("seed", "--seed", "seed"),
    row("out", "--out", "out"),
    row("keep", "--keep", "keep"),
];

impl Row {
    /// Its variable.
    pub fn variable(&self) -> String {
        format!("STORMGLASS_{}", self.id.to_uppercase())
    }
}

/// A value and where it was found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Given {
    /// The value, as it would be typed.
    pub value: String,
    /// `STORMGLASS_BROKERS`, `stormglass.toml:4`.
    pub origin: String,
}

/// What the layers below the command line give, by option.
pub type Layers = BTreeMap<&'static str, Given>;

/// Reads the layers below the command line.
pub fn read() -> Result<Layers, Failure> {
    let mut layers = match find(&std::env::current_dir().map_err(Failure::internal)?) {
        Some(path) => read_file(&path)?,
        None => Layers::new(),
    };
    for row in TABLE {
        if let Ok(value) = std::env::var(row.variable()) {
            layers.insert(row.id, Given { value, origin: row.variable() });
        }
    }
    Ok(layers)
}

/// The arguments with what the layers give added, where it was not typed.
pub fn complete(typed: Vec<OsString>, layers: &Layers) -> Vec<OsString> {
    let command = Cli::command();
    let Ok(matches) = command.clone().try_get_matches_from(&typed) else { return typed };
    let (mut deepest, mut taken) = (&matches, &command);
    while let Some((name, inner)) = deepest.subcommand() {
        let Some(next) = taken.find_subcommand(name) else { break };
        (deepest, taken) = (inner, next);
    }
    let mut complete = typed;
    for row in TABLE.iter().filter(|row| taken.get_arguments().any(|arg| arg.get_id() == row.id)) {
        let clashes = row.id == "workload" && is_typed(deepest, "scenario");
        if let Some(given) = layers.get(row.id).filter(|_| !is_typed(deepest, row.id) && !clashes) {
            complete.push(format!("{}={}", row.flag, given.value).into());
        }
    }
    complete
}

fn is_typed(matches: &ArgMatches, id: &str) -> bool {
    matches.try_contains_id(id).is_ok() && matches.value_source(id) == Some(ValueSource::CommandLine)
}

/// The nearest file, from `folder` upwards.
fn find(folder: &Path) -> Option<PathBuf> {
    folder.ancestors().map(|folder| folder.join(FILE)).find(|path| path.is_file())
}

fn read_file(path: &Path) -> Result<Layers, Failure> {
    let failed = |why: String| Failure::unreadable(format!("{}: {why}", path.display()));
    if std::fs::metadata(path).map_err(|e| failed(e.to_string()))?.len() > FILE_BYTES_MAX {
        return Err(failed(format!("larger than {FILE_BYTES_MAX} bytes")));
    }
    let text = std::fs::read_to_string(path).map_err(|e| failed(e.to_string()))?;
    parse(&text, &path.display().to_string()).map_err(Failure::unreadable)
}

/// The content of a file called `name`.
fn parse(text: &str, name: &str) -> Result<Layers, String> {
    let file = DeTable::parse(text).map_err(|e| format!("{name}: {}", e.to_string().trim_end()))?;
    let mut layers = Layers::new();
    let mut open = vec![(String::new(), file.into_inner())];
    while let Some((prefix, table)) = open.pop() {
        for (key, value) in table {
            let line = 1 + text[..key.span().start].matches('\n').count();
            let key = format!("{prefix}{}", key.get_ref());
            let inner = TABLE.iter().any(|row| row.key.starts_with(&format!("{key}.")));
            match (TABLE.iter().find(|row| row.key == key), value.into_inner()) {
                (None, DeValue::Table(table)) if inner => open.push((format!("{key}."), table)),
                (Some(row), value) => {
                    let value =
                        typed(&value).ok_or_else(|| format!("{name}:{line}: {key} is a text, a number or a list"))?;
                    layers.insert(row.id, Given { value, origin: format!("{name}:{line}") });
                }
                _ => {
                    let known = TABLE.iter().map(|row| row.key);
                    return Err(format!("{name}:{line}: {}", suggest::unknown("key", &key, known, None)));
                }
            }
        }
    }
    Ok(layers)
}

/// A value as it would be typed: a list with commas.
fn typed(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) => Some(number.to_string()),
        DeValue::Float(number) => Some(number.to_string()),
        DeValue::Array(items) => {
            let items: Option<Vec<String>> = items.iter().map(Spanned::get_ref).map(typed).collect();
            items.map(|items| items.join(","))
        }
        DeValue::Boolean(_) | DeValue::Datetime(_) | DeValue::Table(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "seed = \"2a\"\n\n[cluster]\nbrokers = 5\n[load]\nrate = \"500/s\"\n[subject]\nconfigs = { producer = \"p.properties\" }\n";

    fn arguments(typed: &[&str]) -> Vec<String> {
        let layers = parse(TEXT, FILE).unwrap();
        let typed = typed.iter().map(OsString::from).collect();
        complete(typed, &layers).into_iter().map(|arg| arg.to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn a_file_gives_what_was_not_typed_with_its_line() {
        let layers = parse(TEXT, FILE).unwrap();
        assert_eq!(layers["brokers"], Given { value: "5".into(), origin: "stormglass.toml:4".into() });
        assert_eq!(layers["producer_config"].value, "p.properties");
        let added = ["--producer-config=p.properties", "--brokers=5", "--rate=500/s", "--seed=2a"];
        assert_eq!(arguments(&["stormglass", "run"])[2..], added);
        assert_eq!(arguments(&["stormglass", "run", "--brokers", "3", "--seed=1"])[5..], [added[0], added[2]]);
    }

    #[test]
    fn a_command_is_given_only_what_it_takes() {
        assert_eq!(arguments(&["stormglass", "list", "faults"]).len(), 3);
        assert!(arguments(&["stormglass", "cluster"]).iter().all(|arg| !arg.starts_with("--rate")));
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_line_and_the_nearest() {
        for (text, line, nearest) in [
            ("[cluster]\nbroker = 3\n", 2, "cluster.brokers"),
            ("\nsede = \"1\"\n", 2, "seed"),
            ("[lood]\nrate = 1\n", 1, ""),
            ("[load]\nrate = true\n", 2, "text"),
        ] {
            let refused = parse(text, FILE).unwrap_err();
            assert!(refused.contains(&format!("stormglass.toml:{line}:")) && refused.contains(nearest), "{refused}");
        }
        assert!(parse("[cluster", FILE).is_err());
    }
}
