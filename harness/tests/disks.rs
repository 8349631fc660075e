//! What a power loss costs the embedded broker is what its settings say: nothing, the un-synced suffix, or what a lying disk lost.
//! Where no file system can be mounted it is said, and passes.

#![allow(clippy::print_stdout, reason = "what cannot be done here is said")]

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tempfile::TempDir;

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
const NO_RIGHTS: i32 = 77;

struct Bench {
    out: TempDir,
    _turn: MutexGuard<'static, ()>,
}

impl Bench {
    fn new() -> Bench {
        let turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        Bench { out: tempfile::tempdir().expect("a temporary folder"), _turn: turn }
    }

    fn stormglass(&self, args: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stormglass"));
        command
            .args(args)
            .current_dir(self.out.path())
            .stdin(Stdio::null())
            .output()
            .expect("the program was just built")
    }

    /// A run in which these faults took effect; `None` where they cannot be done here.
    fn run(&self, faults: &str, more: &[&str]) -> Option<Value> {
        let args = ["run", "--time", "6s", "--seed", "1", "-q", "--faults", faults];
        let output = self.stormglass(&[&args[..], more].concat());
        if output.status.code() == Some(NO_RIGHTS) {
            println!("skipped: {}", String::from_utf8_lossy(&output.stderr));
            return None;
        }
        assert_eq!(output.status.code(), Some(0), "{faults} {more:?}: {}", text(&output));
        let verdict = std::fs::read_to_string(self.latest().join("verdict.json")).expect("a verdict was written");
        let verdict: Value = serde_json::from_str(&verdict).expect("a verdict is JSON");
        assert!(verdict["coverage"]["total"]["effective"].as_u64() > Some(0), "{faults}: {verdict:#}");
        self.is_clean();
        Some(verdict)
    }

    fn latest(&self) -> PathBuf {
        self.out.path().join("runs/latest")
    }

    /// No mount, no half-written folder, no socket.
    fn is_clean(&self) {
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").expect("/proc");
        assert!(!mounts.contains(&*self.out.path().to_string_lossy()), "{mounts}");
        let of_brokers = files(&self.latest().join("brokers"));
        let stray = |path: &&PathBuf| path.extension().is_some_and(|e| e == "sock" || e == "disk" || e == "so");
        assert_eq!(of_brokers.iter().find(stray), None);
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    entries
        .flat_map(|path| [vec![path.clone()], if path.is_dir() { files(&path) } else { Vec::new() }].concat())
        .collect()
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// One broker, one replica: nobody else has what its disk loses.
const ALONE: [&str; 8] = ["--brokers", "1", "--rf", "1", "-X", "topic:min.insync.replicas=1", "--partitions", "2"];

/// The power of a disk that has synced everything is cut as surely as that of one that has not, and costs nothing: the other rows
/// are the control.
#[test]
fn one_broker_alone_loses_what_its_disk_loses_and_nothing_else() {
    let synced = [&ALONE[..], &["-X", "topic:flush.messages=1"]].concat();
    for (faults, settings, loses) in [
        ("kill-leader", &ALONE[..], false),
        ("power-loss-leader", &ALONE[..], true),
        ("power-loss-leader", &synced[..], false),
        ("fsync-lies-leader", &synced[..], true),
    ] {
        let bench = Bench::new();
        let Some(verdict) = bench.run(faults, settings) else { return };
        let lost = verdict["counts"]["lost"].as_u64().unwrap_or(0);
        assert_eq!(lost > 0, loses, "{faults} {settings:?}: {lost} lost: {verdict:#}");
    }
}

#[test]
fn three_brokers_lose_nothing_by_the_power_loss_of_one() {
    let bench = Bench::new();
    if let Some(verdict) = bench.run("power-loss-leader,power-loss-follower", &[]) {
        assert_eq!(verdict["counts"]["lost"], 0, "{verdict:#}");
    }
}

#[test]
fn a_wrong_clock_and_a_slow_disk_are_felt_and_cost_nothing() {
    let bench = Bench::new();
    if let Some(verdict) = bench.run("clock-jump-leader,disk-slow-leader", &[]) {
        assert_eq!(verdict["counts"]["lost"], 0, "{verdict:#}");
    }
}

#[test]
fn the_doctor_says_of_every_family_by_what_it_is_done_or_why_it_is_not() {
    let bench = Bench::new();
    let output = bench.stormglass(&["doctor", "--json"]);
    assert!(matches!(output.status.code(), Some(0 | NO_RIGHTS)), "{}", text(&output));
    let rows: Value = serde_json::from_slice(&output.stdout).expect("the doctor writes JSON");
    let rows = rows.as_array().expect("a list of rows");
    assert!(rows.iter().all(|row| row["found"]["works"].is_object() || row["found"]["fails"]["why"].is_string()));
    let library = rows.iter().find(|row| row["backend"] == "LD_PRELOAD library").expect("a row for the library");
    assert!(library["found"]["works"].is_object(), "{library}");
    let go = bench.stormglass(&["doctor", "--broker-binary", "/etc/passwd"]);
    assert!(text(&go).contains("not a program"), "{}", text(&go));
}
