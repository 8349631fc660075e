//! The command line as a newcomer uses it, typos included: what is answered, and with which exit code.

use std::process::{Command, Output};

fn stormglass(args: &[&str]) -> Output {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut command = Command::new(env!("CARGO_BIN_EXE_stormglass"));
    command.args(args).current_dir(folder.path()).output().expect("the program was just built")
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Arguments, exit code, and what the answer must contain.
const TABLE: &[(&[&str], i32, &[&str])] = &[
    (&[], 0, &["stormglass run", "stormglass check runs/latest", "Exit codes:"]),
    (&["--version"], 0, &["stormglass 0."]),
    (&["run", "--help"], 0, &["--seed", "--faults", "EXIT CODES"]),
    (&["rum"], 64, &["'run'"]),
    (&["run", "--sede", "1"], 64, &["--seed"]),
    (&["run", "--seed", "xyz"], 64, &["hexadecimal"]),
    (&["run", "--time", "10"], 64, &["not a duration"]),
    (&["run", "--rate", "fast"], 64, &["not a rate"]),
    (&["run", "--faults", "kill-leeder"], 64, &["did you mean `kill-leader`?", "list faults"]),
    (&["run", "--plant", "ack-before-replicat"], 64, &["did you mean `ack-before-replicate`?", "list bugs"]),
    (&["run", "--broker", "embeded"], 64, &["did you mean `embedded`?"]),
    (&["run", "qeue"], 64, &["did you mean `queue`?"]),
    (&["run", "-X", "acks=1"], 64, &["ROLE:NAME=VALUE"]),
    (&["run", "-X", "producr:acks=1"], 64, &["did you mean `producer`?"]),
    (&["run", "-X", "producer:ackss=1"], 64, &["did you mean `acks`?"]),
    (&["run", "-X", "broker:replica.lag.time.ms=1"], 64, &["did you mean `replica.lag.time.max.ms`?"]),
    (&["run", "-X", "topic:min.insync.replica=1"], 64, &["did you mean `min.insync.replicas`?"]),
    (&["run", "-X", "topic:min.insync.replicas=two"], 64, &["whole number"]),
    (&["run", "--rf", "4"], 64, &["3 brokers"]),
    (&["run", "--controllers", "2"], 64, &["1 or 3"]),
    (&["run", "--producer-config", "nosuch.properties"], 65, &["nosuch.properties"]),
    (&["catalogue", "run", "P7"], 64, &["did you mean `P07`?"]),
    (&["check", "nowhere"], 65, &["nowhere"]),
    (&["check", "/dev/null", "--format", "end"], 64, &["no format is called"]),
    (&["check", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")], 65, &["no history that is known"]),
    (
        &["check", concat!(env!("CARGO_MANIFEST_DIR"), "/../results/tests/data/foreign/phantom.edn")],
        1,
        &["VIOLATION", "phantom", "99"],
    ),
    (
        &["check", concat!(env!("CARGO_MANIFEST_DIR"), "/../results/tests/data/foreign/never-read.edn")],
        2,
        &["INCONCLUSIVE", "unseen"],
    ),
    (&["check", concat!(env!("CARGO_MANIFEST_DIR"), "/../results/tests/data/foreign/drained.jsonl")], 0, &["PASS"]),
    (&["export", "nowhere", "--format", "edn"], 65, &["nowhere"]),
    (&["export", "nowhere", "--format", "end"], 64, &["edn"]),
    (&["list", "faults"], 0, &["kill-leader", "pause-follower"]),
    (
        &["list", "claims"],
        0,
        &["no-acked-loss", "[Jepsen: lost-write]", "  lost-prefix", "(Adya 1999; Elle, VLDB 2020)"],
    ),
    (&["list", "anomalies"], 0, &["torn-transaction", "breaks atomic-txn (KIP-98)", "w1 commit 1 [4 5]"]),
    (&["list", "claims", "--json"], 0, &["\"int-send-skip\""]),
    (&["schema", "history"], 0, &["\"$schema\"", "invoked_ns"]),
    (&["schema", "histroy"], 64, &["history"]),
    (&["list", "bugs"], 0, &["ack-before-replicate"]),
    (&["list", "workloads"], 0, &["queue"]),
    (&["list", "brokers"], 0, &["embedded"]),
    (&["list", "scenarios"], 0, &["P07"]),
    (&["list", "fault"], 64, &["faults"]),
    (&["list", "workloads"], 0, &["consume-transform-produce", "bank", "compacted"]),
    (&["list", "scenarios"], 0, &["P01", "C16", "T03"]),
    (&["config", "show", "--origin"], 0, &["cluster.partitions", "default", "producer:acks", "the durable preset"]),
    (
        &["config", "show", "--origin", "-X", "producer:acks=1", "--partitions", "2"],
        0,
        &["-X producer:acks=1", "--partitions"],
    ),
    (&["run", "--workload", "grup"], 64, &["did you mean `group`?"]),
    (&["run", "--client", "librdkafk"], 64, &["did you mean `librdkafka`?"]),
    (&["run", "--workload", "group", "--client", "wire"], 64, &["joins no groups"]),
];

#[test]
fn every_command_line_is_answered_with_its_exit_code_and_never_a_panic() {
    for (args, code, contained) in TABLE {
        let output = stormglass(args);
        let text = text(&output);
        assert_eq!(output.status.code(), Some(*code), "{args:?}: {text}");
        assert!(!text.contains("panicked"), "{args:?}: {text}");
        for part in *contained {
            assert!(text.contains(part), "{args:?} does not say {part}: {text}");
        }
    }
}

#[test]
fn a_file_gives_options_the_environment_wins_over_it_and_a_flag_over_both() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("stormglass.toml"), "[cluster]\nbrokers = 5\npartitions = 7\n").expect("a file");
    let shown = |variable: Option<&str>, flags: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stormglass"));
        command.args(["config", "show", "--origin"]).args(flags).current_dir(folder.path());
        variable.map(|value| command.env("STORMGLASS_PARTITIONS", value));
        let text = text(&command.output().expect("the program was just built"));
        let line = text.lines().find(|line| line.starts_with("cluster.partitions")).map(str::to_owned);
        line.unwrap_or(text).split_whitespace().skip(1).collect::<Vec<_>>().join(" ")
    };
    assert!(shown(None, &[]).starts_with("7 ") && shown(None, &[]).ends_with("stormglass.toml:3"));
    assert_eq!(shown(Some("8"), &[]), "8 STORMGLASS_PARTITIONS");
    assert_eq!(shown(Some("8"), &["--partitions", "9"]), "9 --partitions");
    std::fs::write(folder.path().join("stormglass.toml"), "[cluster]\nbroker = 5\n").expect("a file");
    let mut command = Command::new(env!("CARGO_BIN_EXE_stormglass"));
    let refused = command.args(["run"]).current_dir(folder.path()).output().expect("the program was just built");
    assert_eq!(refused.status.code(), Some(65), "{}", text(&refused));
    assert!(text(&refused).contains("stormglass.toml:2") && text(&refused).contains("did you mean `cluster.brokers`?"));
}

#[test]
fn the_welcome_fits_a_small_window() {
    assert!(text(&stormglass(&[])).lines().all(|line| line.len() <= 120));
}

#[test]
fn a_file_that_is_no_run_is_65_and_named() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("run.json");
    for content in ["", "{", "{\"a\": 1}", "[]"] {
        std::fs::write(&path, content).expect("a file can be written");
        let output = stormglass(&["check", &folder.path().to_string_lossy()]);
        assert_eq!(output.status.code(), Some(65), "{content}: {}", text(&output));
        assert!(text(&output).contains("run.json"), "{content}");
    }
}
