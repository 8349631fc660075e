//! A scenario's file: a workload in a shape of one's own, and the client library its applications use.
//!
//! ```toml
//! client = "java"                 # librdkafka, java, java=RELEASE, wire
//! workload = "group"              # then the workload's own fields, each with its usual value where it is not said
//! members = 3
//! [app]
//! commit = "before"
//! workers = 4
//! ```
//! **Invariant:** an unknown key is refused with the nearest that exists. Deliberately not here: settings of Kafka's, which stay in
//! `.properties` files, and faults, which have schedules.

use crate::commands::Failure;
use crate::suggest;
use std::path::Path;
use workloads::workload::Workload;

const FILE_BYTES_MAX: u64 = 1 << 20;

/// What a file says.
#[derive(Clone, PartialEq, Debug)]
pub struct Told {
    /// Who does what.
    pub workload: Workload,
    /// On which library, as typed.
    pub client: Option<String>,
}

/// Whether a scenario's name is that of a file.
pub fn is_file(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|e| e == "toml")
}

/// Reads a file.
pub fn read(path: &Path) -> Result<Told, Failure> {
    let failed = |why: String| Failure::unreadable(format!("{}: {why}", path.display()));
    if std::fs::metadata(path).map_err(|e| failed(e.to_string()))?.len() > FILE_BYTES_MAX {
        return Err(failed(format!("larger than {FILE_BYTES_MAX} bytes")));
    }
    let text = std::fs::read_to_string(path).map_err(|e| failed(e.to_string()))?;
    parse(&text).map_err(failed)
}

fn parse(text: &str) -> Result<Told, String> {
    let mut table: toml::Table = text.parse().map_err(|e: toml::de::Error| e.to_string().trim_end().to_owned())?;
    let client = match table.remove("client") {
        None => None,
        Some(toml::Value::String(client)) => Some(client),
        Some(_) => return Err("client is a text: librdkafka, java, wire".into()),
    };
    if !table.contains_key("workload") {
        return Err("it names no workload: write e.g. workload = \"group\"".into());
    }
    let workload = in_full(table)?.try_into().map_err(|e: toml::de::Error| explained(e.message()))?;
    Ok(Told { workload, client })
}

/// With what the file does not say as it usually is. A name that nobody knows is left to be refused.
fn in_full(told: toml::Table) -> Result<toml::Table, String> {
    let named = told.get("workload").and_then(toml::Value::as_str);
    let Some(row) = Workload::ALL.iter().find(|row| Some(row.name) == named) else { return Ok(told) };
    let mut full = toml::Table::try_from((row.usual)()).map_err(|e| e.to_string())?;
    full.extend(told.into_iter().filter(|(key, _)| key != "workload"));
    Ok(full)
}

/// What serde says of an unknown name, with the nearest that it lists.
fn explained(message: &str) -> String {
    let message = message.trim();
    let Some((what, rest)) = message.strip_prefix("unknown ").and_then(|rest| rest.split_once(" `")) else {
        return message.to_owned();
    };
    let Some((name, listed)) = rest.split_once('`') else { return message.to_owned() };
    let listed: Vec<&str> = listed.split('`').skip(1).step_by(2).collect();
    let what = if what == "field" { "key" } else { "value" };
    suggest::unknown(what, name, listed.into_iter(), None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Scenario;
    use workloads::group::GroupLoad;
    use workloads::library::Library;
    use workloads::spec::{Commit, ConsumerApp};

    #[test]
    fn a_file_says_a_workload_in_its_own_shape_and_a_client() {
        let told = parse("client = \"java\"\nworkload = \"group\"\nmembers = 5\n[app]\ncommit = \"before\"\n").unwrap();
        let app = ConsumerApp { commit: Commit::Before, ..ConsumerApp::default() };
        let group = GroupLoad { members: 5, app, ..GroupLoad::default() };
        assert_eq!(told, Told { workload: Workload::Group(group), client: Some("java".into()) });
        assert_eq!(parse("workload = \"queue\"").unwrap().workload, Workload::default());
    }

    #[test]
    fn every_workload_can_be_named_alone() {
        for row in Workload::ALL {
            assert_eq!(parse(&format!("workload = \"{}\"", row.name)).unwrap().workload, (row.usual)(), "{}", row.name);
        }
    }

    #[test]
    fn every_example_is_one_that_its_client_plays() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../workloads/examples/scenarios");
        let examples: Vec<_> = std::fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path()).collect();
        assert!(examples.len() > 10 && examples.iter().all(|path| is_file(&path.to_string_lossy())));
        for path in examples {
            let told = read(&path).unwrap_or_else(|failure| panic!("{}", failure.text));
            let library: Library = told.client.as_deref().unwrap_or("librdkafka").parse().unwrap();
            let scenario = Scenario { workload: told.workload, client: library, ..Scenario::new("example", 1) };
            assert_eq!(scenario.client_refuses(), None, "{}", path.display());
        }
    }

    #[test]
    fn an_unknown_key_or_value_is_refused_with_the_nearest() {
        for (text, nearest) in [
            ("workload = \"group\"\nmemebers = 3\n", "`members`"),
            ("workload = \"grup\"\n", "`group`"),
            ("workload = \"group\"\n[app]\ncomit = \"before\"\n", "`commit`"),
            ("workload = \"group\"\n[app]\ncommit = \"befor\"\n", "`before`"),
        ] {
            let refused = parse(text).unwrap_err();
            assert!(refused.contains(&format!("did you mean {nearest}")), "{refused}");
        }
        for text in ["members = 3", "client = 3\nworkload = \"queue\"", "workload = ", "workload = \"queue\"\nx = 1"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
