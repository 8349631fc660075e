//! Client processes on each library, killed and stopped while they work on the embedded cluster: after it everything that is in
//! the brokers' logs was invoked in a journal, and everything that was acknowledged is in the logs.
//!
//! The Java client is skipped with a word where it is not in the cache (`stormglass fetch java-client 4.1.0`), unless
//! STORMGLASS_REQUIRE_KAFKA is set.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Mutex, PoisonError};

const RELEASE: &str = "4.1.0";
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn stormglass(args: &[&str], folder: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stormglass"));
    command.args(args).current_dir(folder).stdin(Stdio::null()).output().expect("the program was just built")
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn has_java() -> bool {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache")));
    let libs = cache.map(|cache| cache.join("stormglass/kafka-clients").join(RELEASE).join("libs"));
    let java = Command::new("java").arg("-version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    libs.is_some_and(|libs| libs.is_dir()) && java.is_ok_and(|status| status.success())
}

/// What a history says of each value: handed over, acknowledged, in a log at the end.
#[derive(Default)]
struct Account {
    invoked: BTreeSet<(u64, u64)>,
    acknowledged: BTreeSet<(u64, u64)>,
    drained: BTreeSet<(u64, u64)>,
    /// Who appended, by name.
    writers: BTreeMap<String, u64>,
}

fn account(folder: &Path) -> Account {
    let export = stormglass(&["export", "runs/latest", "--format", "jsonl"], folder);
    assert!(export.status.success(), "{}", text(&export));
    let mut account = Account::default();
    for line in String::from_utf8_lossy(&export.stdout).lines() {
        let op: Value = serde_json::from_str(line).expect("a line is JSON");
        let process = op["process"].as_str().unwrap_or_default().to_owned();
        match op["op"].as_str() {
            Some("append") => {
                let value = op["writer"].as_u64().zip(op["sequence"].as_u64()).expect("an append says of what");
                account.invoked.insert(value);
                *account.writers.entry(process).or_default() += 1;
                if op["outcome"] == "ok" {
                    account.acknowledged.insert(value);
                }
            }
            Some("fetch") if process == "drain" => {
                let records = op["records"].as_array().cloned().unwrap_or_default();
                account.drained.extend(records.iter().filter_map(|record| record[1].as_u64().zip(record[2].as_u64())));
            }
            _ => {}
        }
    }
    account
}

fn survives(client: &str) {
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let faults = "kill-producer,pause-producer,kill-consumer";
    let args = ["run", "--client", client, "--time", "20s", "--rate", "500/s", "-f", faults, "--seed", "1", "-q"];
    let run = stormglass(&args, folder.path());
    // A machine that is busy with other things may keep a fault from its effect; nothing may be lost or made up for that.
    assert!(matches!(run.status.code(), Some(0 | 2)), "{client}: {}", text(&run));
    let told = account(folder.path());
    let lives = told.writers.keys().filter(|name| name.contains("-life-")).count();
    assert!(lives > 0, "{client}: no producer was killed and came back: {}", text(&run));
    assert!(told.acknowledged.len() > 100, "{client}: {}", text(&run));
    let made_up: Vec<_> = told.drained.difference(&told.invoked).take(3).collect();
    assert!(made_up.is_empty(), "{client}: in a log and in no journal: {made_up:?}");
    let lost: Vec<_> = told.acknowledged.difference(&told.drained).take(3).collect();
    assert!(lost.is_empty(), "{client}: acknowledged and in no log: {lost:?}");
}

#[test]
fn what_killed_clients_on_librdkafka_did_is_in_their_journals() {
    survives("librdkafka");
}

#[test]
fn what_killed_clients_on_the_wire_did_is_in_their_journals() {
    survives("wire");
}

#[test]
fn what_killed_clients_on_the_java_client_did_is_in_their_journals() {
    if !has_java() {
        assert!(std::env::var_os("STORMGLASS_REQUIRE_KAFKA").is_none(), "the Java client or a JVM is missing");
        eprintln!("skipped: no JVM, or the client is not in the cache (stormglass fetch java-client {RELEASE})");
        return;
    }
    survives("java");
}

#[test]
fn a_misspelt_property_is_refused_by_each_client_with_the_nearest_that_it_has() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let clients = ["librdkafka", "wire", "java"].into_iter().filter(|client| *client != "java" || has_java());
    for client in clients {
        std::fs::write(folder.path().join("p.properties"), "# mine\nakcs = 1\n").expect("a file");
        let args = ["config", "show", "--origin", "--client", client, "--producer-config", "p.properties"];
        let refused = stormglass(&args, folder.path());
        assert_eq!(refused.status.code(), Some(64), "{client}: {}", text(&refused));
        for part in ["did you mean `acks`?", "p.properties:2"] {
            assert!(text(&refused).contains(part), "{client}: {}", text(&refused));
        }
        std::fs::write(folder.path().join("p.properties"), "acks = 1\n").expect("a file");
        let shown = stormglass(&args, folder.path());
        let line = text(&shown).lines().find(|line| line.starts_with("producer:acks ")).map(str::to_owned);
        let line = line.unwrap_or_else(|| panic!("{client}: {}", text(&shown)));
        assert!(line.contains(" 1 ") && line.contains("p.properties:1"), "{client}: {line}");
    }
}
