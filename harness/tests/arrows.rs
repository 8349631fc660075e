//! The arrows between rooms run one way. Adding one is a decision: change the table and ARCHITECTURE.md together.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

/// Room → the rooms it may use.
const ARROWS: &[(&str, &[&str])] = &[
    ("stormglass", &["broker", "checker", "history", "lazyfs", "nemesis", "results", "shim", "workloads"]),
    ("stormglass-workloads", &["checker", "history"]),
    ("stormglass-nemesis", &["history"]),
    ("stormglass-lazyfs", &["nemesis"]),
    ("stormglass-shim", &["nemesis"]),
    ("stormglass-results", &["checker", "history"]),
    ("stormglass-checker", &["history"]),
    ("stormglass-history", &[]),
    ("stormglass-broker", &[]),
];

/// Crates that do I/O, know a clock or speak a broker's protocol: not for these rooms.
const PURE: &[&str] = &["stormglass-checker", "stormglass-history"];
const IMPURE: &[&str] = &["tokio", "kafka-protocol", "rdkafka", "nix", "memmap2", "tempfile"];

fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml");
    let output = Command::new(cargo)
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1", "--manifest-path", manifest])
        .output()
        .expect("cargo runs this test, so cargo can be run");
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).expect("cargo metadata prints JSON");
    let packages = metadata["packages"].as_array().expect("a list of packages");
    packages.iter().map(|p| (text(&p["name"]), ordinary(p))).collect()
}

fn ordinary(package: &serde_json::Value) -> BTreeSet<String> {
    let all = package["dependencies"].as_array().expect("a list of dependencies");
    all.iter().filter(|d| d["kind"].is_null()).map(|d| text(&d["name"])).collect()
}

fn text(value: &serde_json::Value) -> String {
    value.as_str().expect("a string").to_owned()
}

#[test]
fn rooms_use_only_the_rooms_below_them() {
    let rooms = dependencies();
    let named: BTreeSet<&str> = ARROWS.iter().map(|(room, _)| *room).collect();
    assert_eq!(rooms.keys().map(String::as_str).collect::<BTreeSet<_>>(), named, "the table names every room");
    for (room, below) in ARROWS {
        let allowed: BTreeSet<String> = below.iter().map(|b| format!("stormglass-{b}")).collect();
        let used: BTreeSet<String> = rooms[*room].iter().filter(|d| d.starts_with("stormglass")).cloned().collect();
        assert!(used.is_subset(&allowed), "{room} uses {used:?}, may use {allowed:?}");
    }
}

#[test]
fn judgement_does_no_io_and_speaks_no_protocol() {
    let rooms = dependencies();
    for room in PURE {
        let found: Vec<_> = IMPURE.iter().filter(|d| rooms[*room].contains(**d)).collect();
        assert!(found.is_empty(), "{room} depends on {found:?}");
    }
}
