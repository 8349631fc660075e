//! Faults on the embedded cluster: each bites and says how it is known, a planted injector that does nothing is found out,
//! and a schedule that cannot be is refused before anything starts.

use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

fn stormglass(folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stormglass"));
    command.args(args).current_dir(folder).stdin(Stdio::null()).output().expect("the program was just built")
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn episodes(folder: &Path) -> Vec<Value> {
    let lines = std::fs::read_to_string(folder.join("runs/latest/faults.jsonl")).expect("faults.jsonl");
    lines.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect()
}

/// One fault of each way to be known.
const FAULTS: [(&str, &str); 6] = [
    ("throttle-leader", "throttled"),
    ("isolate-leader", "links"),
    ("isolate-producer", "spared"),
    ("reset-leader", "round-trips"),
    ("drop-response-produce", "frames"),
    ("clock-jump-producer", "clock-told"),
];

/// Workload, fault, and the duty that whoever was hit must have had.
const DUTIES: [(&str, &str, &str); 3] = [
    ("group", "kill-group-coordinator", "group-coordinator"),
    ("transactions", "pause-transaction-coordinator", "transaction-coordinator"),
    ("queue", "kill-controller", "controller"),
];

#[test]
fn a_duty_is_found_where_it_is_at_that_moment() {
    for (workload, fault, duty) in DUTIES {
        let folder = folder();
        let args = ["run", workload, "--time", "9s", "--seed", "1", "-q", "--controllers", "3", "--faults", fault];
        let run = stormglass(folder.path(), &args);
        assert_eq!(run.status.code(), Some(0), "{}", text(&run));
        let episodes = episodes(folder.path());
        let effective: Vec<&Value> = episodes.iter().filter(|e| e["effective"] == true).collect();
        let had = |e: &&Value| e["targets"][0]["duties"].as_array().is_some_and(|d| d.iter().any(|d| d == duty));
        assert!(!effective.is_empty() && effective.iter().all(had), "{fault}: {episodes:#?}");
    }
}

#[test]
fn what_cannot_be_proven_is_refused_before_anything_starts_or_left_out_as_a_hole() {
    let folder = folder();
    // No library reaches what is no program.
    let broker = ["run", "-q", "--broker", "cmd=/etc/passwd {id} {port} {dir}", "--has", "durable"];
    let args = [&broker[..], &["--faults", "clock-jump-leader,kill-leader"]].concat();
    let refused = stormglass(folder.path(), &args);
    assert_eq!(refused.status.code(), Some(77), "{}", text(&refused));
    for part in ["`clock-jump-leader` cannot be made and proven", "not a program", "--allow-unproven clock-jump-leader"]
    {
        assert!(text(&refused).contains(part), "{}", text(&refused));
    }
    assert!(!folder.path().join("runs").exists(), "nothing was started");
    let hole = stormglass(folder.path(), &[&args[..], &["--allow-unproven", "clock-jump-leader"]].concat());
    assert_eq!(hole.status.code(), Some(69), "it goes on, and this broker does not start: {}", text(&hole));
    let typo = stormglass(folder.path(), &["run", "--allow-unproven", "clock-jmp-leader"]);
    assert_eq!(typo.status.code(), Some(64), "{}", text(&typo));
    assert!(text(&typo).contains("did you mean `clock-jump-leader`"), "{}", text(&typo));
}

#[test]
fn a_fault_bites_with_its_evidence_and_an_injector_that_does_nothing_is_inconclusive() {
    for (fault, evidence) in FAULTS {
        let folder = folder();
        let args = ["run", "--time", "9s", "--seed", "1", "-q", "--faults", fault];
        let real = stormglass(folder.path(), &args);
        assert_eq!(real.status.code(), Some(0), "{}", text(&real));
        let effective: Vec<Value> = episodes(folder.path()).into_iter().filter(|e| e["effective"] == true).collect();
        let names = |e: &Value| e["evidence"].as_array().is_some_and(|all| all.iter().any(|x| x["what"] == evidence));
        assert!(!effective.is_empty() && effective.iter().all(names), "{fault}: {effective:#?}");
        let planted = [&args[..], &["--plant-injector", "noop"]].concat();
        let noop = stormglass(folder.path(), &planted);
        assert_eq!(noop.status.code(), Some(2), "{fault}: {}", text(&noop));
        assert!(text(&noop).contains("effective"), "{fault}: {}", text(&noop));
    }
}

/// Generations that members of the group were given logs in, each with its moment on the monotonic clock.
fn generations(folder: &Path) -> Vec<(u64, i64)> {
    let export = stormglass(folder, &["export", "runs/latest", "--format", "jsonl"]);
    let text = String::from_utf8_lossy(&export.stdout).into_owned();
    let assigns = text.lines().filter(|line| line.contains("\"assign\""));
    let lines = assigns.map(|line| serde_json::from_str::<Value>(line).expect("a line is JSON"));
    lines.filter_map(|op| Some((op["invoked_ns"].as_u64()?, op["generation"].as_i64()?))).collect()
}

#[test]
fn a_member_cut_off_beyond_its_session_loses_its_logs_to_others_and_nobody_is_accused() {
    let folder = folder();
    let step = "[[step]]\nkind = \"isolate-consumer\"\nwhen = \"acked>=100\"\nfor = \"8s\"\n";
    std::fs::write(folder.path().join("faults.toml"), step).expect("a file");
    let args = ["run", "group", "--time", "13s", "--seed", "1", "-q", "--schedule", "faults.toml"];
    let run = stormglass(folder.path(), &args);
    assert_eq!(run.status.code(), Some(0), "{}", text(&run));
    let episode = episodes(folder.path()).remove(0);
    let [injected, healed] = ["injected", "healed"].map(|at| episode[at].as_u64().expect("it was done"));
    let generations = generations(folder.path());
    let latest = |until: u64| generations.iter().filter(|(at, _)| *at < until).map(|(_, generation)| *generation).max();
    assert!(latest(injected) < latest(healed), "others were given its logs meanwhile: {generations:?}");
    assert!(latest(healed) < latest(u64::MAX), "and it came back: {generations:?}");
}

#[test]
fn steps_wait_for_conditions_and_a_floor_that_is_missed_is_inconclusive() {
    let folder = folder();
    let schedule = "[[step]]\nkind = \"pause-follower\"\nwhen = \"acked>=100 && whole\"\nfor = \"400ms\"\n\
                    [[step]]\nkind = \"kill-leader\"\nwhen = \"ack-within(200ms)\"\nfor = \"300ms\"\n\
                    [floors]\n\"kill-leader\" = 1\n";
    std::fs::write(folder.path().join("faults.toml"), schedule).expect("a file");
    let args = ["run", "--time", "10s", "--seed", "1", "-q", "--schedule", "faults.toml"];
    let run = stormglass(folder.path(), &args);
    assert_eq!(run.status.code(), Some(0), "{}", text(&run));
    let done: Vec<Value> = episodes(folder.path()).into_iter().map(|e| e["fault"].clone()).collect();
    assert_eq!(done, ["pause-follower", "kill-leader"]);
    let more = [&args[..], &["--floor", "kill-leader=2"]].concat();
    let short = stormglass(folder.path(), &more);
    assert_eq!(short.status.code(), Some(2), "{}", text(&short));
    assert!(text(&short).contains("1 effective episodes of `kill-leader`, the floor is 2"), "{}", text(&short));
}

#[test]
fn a_schedule_that_cannot_be_is_refused_before_anything_starts() {
    let folder = folder();
    let one = |line: &str| format!("[[fault]]\nkind = \"kill-leader\"\n{line}\n");
    for (schedule, why) in [
        ("[[fault]]\nkind = \"kill-leeder\"\n".to_owned(), "did you mean `kill-leader`"),
        ("[[fault]]\nkind = \"kill-group-coordinator\"\n".to_owned(), "no consumers of this workload share a group"),
        (one("every = \"-3s\""), "`-3s` is no duration"),
        (one("when = \"lag>=1\""), "is no condition"),
        (one("log = 7"), "log 7 of 4"),
        ("[floors]\n\"kill-leader\" = 1\n".to_owned(), "one of the three"),
    ] {
        std::fs::write(folder.path().join("faults.toml"), &schedule).expect("a file");
        let refused = stormglass(folder.path(), &["run", "--schedule", "faults.toml"]);
        assert_eq!(refused.status.code(), Some(64), "{schedule}: {}", text(&refused));
        assert!(text(&refused).contains(why), "{schedule}: {}", text(&refused));
        assert!(!folder.path().join("runs").exists(), "nothing was started");
    }
    let missing = stormglass(folder.path(), &["run", "--schedule", "nowhere.toml"]);
    assert_eq!(missing.status.code(), Some(65), "{}", text(&missing));
}
