//! Whole runs on the embedded cluster: sound, planted, killed, interrupted, refused. One at a time: each is a cluster.

use serde_json::Value;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tempfile::TempDir;

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// A folder of runs, and the right to use the machine.
struct Bench {
    out: TempDir,
    _turn: MutexGuard<'static, ()>,
}

impl Bench {
    fn new() -> Bench {
        let turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        Bench { out: tempfile::tempdir().expect("a temporary folder"), _turn: turn }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stormglass"));
        command.args(args).current_dir(self.out.path()).stdin(Stdio::null());
        command
    }

    fn stormglass(&self, args: &[&str]) -> Output {
        self.command(args).output().expect("the program was just built")
    }

    fn start(&self, args: &[&str]) -> Child {
        self.command(args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the program was just built")
    }

    fn latest(&self) -> PathBuf {
        self.out.path().join("runs/latest")
    }

    fn verdict(&self) -> Value {
        let text = std::fs::read_to_string(self.latest().join("verdict.json")).expect("a verdict was written");
        serde_json::from_str(&text).expect("a verdict is JSON")
    }

    /// Processes of any run below this folder.
    fn alive(&self) -> Vec<u32> {
        let folder = self.out.path().to_string_lossy().into_owned();
        let pids = std::fs::read_dir("/proc").expect("/proc").flatten();
        let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        pids.filter(|pid| std::fs::read_to_string(format!("/proc/{pid}/cmdline")).is_ok_and(|c| c.contains(&folder)))
            .collect()
    }

    /// Waits until the load of the newest run has begun.
    fn await_load(&self) {
        let journals = self.latest().join("journal");
        until("a producer's journal", || journals.join("producer-1.sgj").exists());
        until("the plan", || self.latest().join("plan.json").exists());
    }
}

fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !condition() {
        assert!(Instant::now() < deadline, "{what} did not come");
        std::thread::yield_now();
    }
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn exits(output: &Output, code: i32) {
    assert_eq!(output.status.code(), Some(code), "{}", text(output));
    assert!(!text(output).contains("panicked"), "{}", text(output));
}

#[test]
fn a_sound_run_passes_is_judged_the_same_again_and_leaves_nothing_behind() {
    let bench = Bench::new();
    let run = bench.stormglass(&["run", "--time", "10s", "--seed", "1", "-q"]);
    exits(&run, 0);
    let summary = String::from_utf8_lossy(&run.stdout);
    assert!(summary.lines().count() <= 40, "one screen: {summary}");
    for part in ["seed 0x1", "PASS", "produce→ack", "longest gap", "repeat", "kill-lagging-leader"] {
        assert!(summary.contains(part), "{part}: {summary}");
    }
    let verdict = bench.verdict();
    assert_eq!((&verdict["verdict"], &verdict["exit"]), (&Value::from("PASS"), &Value::from(0)));
    assert!(verdict["coverage"]["total"]["exposed"].as_u64() >= Some(1), "{verdict}");
    assert_eq!(verdict["counts"]["acked"], verdict["disks"]["acked"], "every acknowledged record is on a disk");
    for file in
        ["run.json", "plan.json", "scenario.json", "history.arrow", "replicas.arrow", "faults.jsonl", "latency.hlog"]
    {
        assert!(bench.latest().join(file).exists(), "{file}");
    }
    assert!(!bench.latest().join("brokers/1/data").exists(), "brokers' data are removed after a clean verdict");
    let again = bench.stormglass(&["check", "runs/latest"]);
    exits(&again, 0);
    let body = |text: &str| text.lines().filter(|l| !l.starts_with("folder")).collect::<Vec<_>>().join("\n");
    assert_eq!(body(&String::from_utf8_lossy(&again.stdout)), body(&summary));
    assert!(bench.alive().is_empty());
    cut_files_are_65(&bench);
}

fn cut_files_are_65(bench: &Bench) {
    for file in ["history.arrow", "replicas.arrow", "run.json", "scenario.json"] {
        let path = bench.latest().join(file);
        let whole = std::fs::read(&path).expect("a file of the run");
        for length in [0, whole.len() / 2, whole.len() - 2] {
            std::fs::write(&path, &whole[..length]).expect("it can be cut");
            let output = bench.stormglass(&["check", "runs/latest"]);
            exits(&output, 65);
            assert!(text(&output).contains(file), "{file} is named: {}", text(&output));
        }
        std::fs::write(&path, whole).expect("it can be mended");
    }
    exits(&bench.stormglass(&["check", "runs/latest"]), 0);
}

#[test]
fn a_planted_bug_ends_in_a_violation_that_names_the_lost_records() {
    let bench = Bench::new();
    let run = bench.stormglass(&["run", "--time", "10s", "--seed", "1", "--plant", "ack-before-replicate", "-q"]);
    exits(&run, 1);
    assert!(text(&run).contains("VIOLATION") && text(&run).contains("no-acked-loss broken"), "{}", text(&run));
    let lines = std::fs::read_to_string(bench.latest().join("anomalies.jsonl")).expect("anomalies were written");
    let lost: Vec<Value> = lines.lines().map(|l| serde_json::from_str(l).expect("a line is JSON")).collect();
    let lost: Vec<&Value> = lost.iter().filter(|a| a["claim"] == "no-acked-loss").collect();
    let values: usize = lost.iter().map(|a| a["values"].as_array().map_or(0, Vec::len)).sum();
    let verdict = bench.verdict();
    assert_eq!(Some(values as u64), verdict["counts"]["lost"].as_u64(), "every lost record is listed");
    let missing = verdict["counts"]["acked"].as_u64().zip(verdict["disks"]["acked"].as_u64()).map(|(a, d)| a - d);
    assert_eq!(missing, Some(values as u64), "lost is what no replica's log holds");
    assert!(bench.latest().join("brokers/1/data").exists(), "brokers' data are kept after a violation");
    exits(&bench.stormglass(&["check", "runs/latest"]), 1);
}

#[test]
fn both_sides_of_p07_show_what_they_promise() {
    let bench = Bench::new();
    let run = bench.stormglass(&["catalogue", "run", "p07", "--seed", "7", "-q"]);
    exits(&run, 0);
    assert!(text(&run).contains("P07 passed"), "{}", text(&run));
}

#[test]
fn a_group_that_commits_after_its_work_is_handed_everything_and_keeps_its_positions() {
    let bench = Bench::new();
    let run = ["run", "--workload", "group", "--time", "10s", "--seed", "1", "-q"];
    exits(&bench.stormglass(&run), 0);
    let verdict = bench.verdict();
    let claim = |name: &str| {
        let claims = verdict["claims"].as_array().expect("claims").clone();
        claims.into_iter().find(|c| c["claim"] == name).expect("the claim")["verdict"]["finding"].clone()
    };
    assert_eq!([claim("group-at-least-once"), claim("committed-offset-monotonic")], ["held", "held"]);
    assert!(bench.latest().join("cluster.jsonl").metadata().is_ok_and(|file| file.len() > 0));
}

#[test]
fn what_a_clients_application_does_shows_and_is_cured() {
    let bench = Bench::new();
    let run = bench.stormglass(&["catalogue", "run", "p04", "--seed", "7", "-q"]);
    exits(&run, 0);
    assert!(text(&run).contains("P04 passed") && text(&run).contains("given up"), "{}", text(&run));
}

#[test]
fn a_run_that_broke_nothing_is_inconclusive_and_says_which_floor_it_missed() {
    let bench = Bench::new();
    let run = bench.stormglass(&["run", "--time", "2s", "--faults", "none", "-q"]);
    exits(&run, 2);
    assert!(text(&run).contains("INCONCLUSIVE") && text(&run).contains("the floor is 1"), "{}", text(&run));
    exits(&bench.stormglass(&["check", "runs/latest"]), 2);
}

#[test]
fn nothing_outlives_a_killed_controller_and_its_folder_is_still_judged() {
    let bench = Bench::new();
    let mut controller = bench.start(&["run", "--time", "60s", "--seed", "5", "-q"]);
    bench.await_load();
    until("the first episode", || bench.latest().join("faults.jsonl").metadata().is_ok_and(|m| m.len() > 0));
    controller.kill().expect("the controller runs");
    controller.wait().expect("the controller is ours");
    let killed = Instant::now();
    until("the end of every process", || bench.alive().is_empty());
    assert!(killed.elapsed() < Duration::from_secs(1), "it took {:?}", killed.elapsed());
    let first = bench.stormglass(&["check", "runs/latest"]);
    assert!(text(&first).contains("controller was killed"), "{}", text(&first));
    exits(&first, 2);
    exits(&bench.stormglass(&["check", "runs/latest"]), 2);
}

#[test]
fn one_interrupt_heals_drains_and_judges() {
    let bench = Bench::new();
    let mut run = bench.start(&["run", "--time", "60s", "--seed", "6", "-q"]);
    bench.await_load();
    until("the first episode", || bench.latest().join("faults.jsonl").metadata().is_ok_and(|m| m.len() > 0));
    let status = Command::new("kill").args(["-INT", &run.id().to_string()]).status().expect("kill");
    assert!(status.success());
    assert_eq!(run.wait().expect("the run is ours").code(), Some(130));
    assert_eq!(bench.verdict()["exit"], 130);
    assert_eq!(bench.verdict()["counts"]["logs_drained"], 4, "it was drained");
    assert!(bench.alive().is_empty());
    exits(&bench.stormglass(&["check", "runs/latest"]), 130);
}

#[test]
fn a_port_in_use_is_69_with_the_nodes_last_words_and_the_folder_kept() {
    let bench = Bench::new();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = taken.local_addr().expect("it is bound").port();
    let run = bench.stormglass(&["run", "--time", "2s", "--base-port", &port.to_string(), "-q"]);
    exits(&run, 69);
    assert!(text(&run).contains("stdout.log") && text(&run).contains("kept in"), "{}", text(&run));
    assert!(has_manifest(&bench.latest()), "{}", text(&run));
    assert!(bench.alive().is_empty());
}

fn has_manifest(folder: &Path) -> bool {
    folder.join("run.json").exists()
}
