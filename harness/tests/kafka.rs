//! Real Kafka: a whole run with faults, and our reader of its logs against its own `DumpLogSegments`.
//!
//! Skipped with a word where there is no JVM or the release is not in the cache, unless STORMGLASS_REQUIRE_KAFKA is set, as CI
//! does once it has fetched it (`stormglass fetch kafka 4.1.0`).

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const RELEASE: &str = "4.1.0";

fn libs() -> Option<PathBuf> {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache")))?;
    let libs = cache.join("stormglass/kafka").join(RELEASE).join("libs");
    let java = Command::new("java").arg("-version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    (libs.is_dir() && java.is_ok_and(|status| status.success())).then_some(libs)
}

fn stormglass(args: &[&str], folder: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stormglass"));
    command.args(args).current_dir(folder).stdin(Stdio::null()).output().expect("the program was just built")
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// The lines about batches, in order.
fn batches(output: &Output) -> Vec<String> {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().filter(|line| line.starts_with("baseOffset: ")).map(|line| line.trim().to_owned()).collect()
}

fn segments(data: &Path) -> Vec<PathBuf> {
    let folders = std::fs::read_dir(data).expect("a data folder").flatten().map(|entry| entry.path());
    let folders = folders.filter(|path| path.is_dir());
    let files = folders.flat_map(|folder| std::fs::read_dir(folder).expect("a partition").flatten());
    let mut logs: Vec<PathBuf> = files.map(|file| file.path()).collect();
    logs.retain(|path| path.extension().is_some_and(|e| e == "log"));
    logs.sort();
    logs
}

#[test]
fn a_run_on_real_kafka_is_judged_and_its_logs_are_read_as_kafka_reads_them() {
    let Some(libs) = libs() else {
        assert!(std::env::var_os("STORMGLASS_REQUIRE_KAFKA").is_none(), "Kafka {RELEASE} or a JVM is missing");
        eprintln!("skipped: no JVM, or Kafka {RELEASE} is not in the cache (stormglass fetch kafka {RELEASE})");
        return;
    };
    let out = tempfile::tempdir().expect("a temporary folder");
    let broker = format!("kafka={RELEASE}");
    let args = ["run", "--broker", &broker, "--time", "8s", "--rate", "500/s", "-f", "kill-leader", "--seed", "1"];
    let run = stormglass(&[&args[..], &["--keep", "data", "--quiet"]].concat(), out.path());
    assert!(matches!(run.status.code(), Some(0 | 2)), "{}", text(&run));
    assert!(text(&run).contains(RELEASE) && text(&run).contains("jars, sha256 "), "{}", text(&run));
    assert!(text(&run).contains("min.insync.replicas=2"), "{}", text(&run));

    let manifest = std::fs::read_to_string(out.path().join("runs/latest/run.json")).expect("a manifest");
    assert!(manifest.contains(&format!("\"kafka_2.13-{RELEASE}.jar\": \"")), "each jar has its digest");

    let data = out.path().join("runs/latest/brokers/1/data");
    let ours = batches(&stormglass(&["logs", "dump", &data.to_string_lossy(), "--batches"], out.path()));
    let logs = segments(&data);
    let files: Vec<String> = logs.iter().map(|path| path.to_string_lossy().into_owned()).collect();
    let mut kafka = Command::new("java");
    kafka.args(["-Xmx128m", "-XX:+UseSerialGC", "-cp"]).arg(libs.join("*"));
    let kafka =
        kafka.args(["kafka.tools.DumpLogSegments", "--files", &files.join(",")]).output().expect("java is there");
    let (mut theirs, mut ours) = (batches(&kafka), ours);
    assert!(theirs.len() > 10, "{}", text(&kafka));
    theirs.sort();
    ours.sort();
    assert_eq!(ours, theirs, "batch by batch, the metadata log's among them");

    let diff = ["b1", "b2", "b3"].map(|name| format!("{name}=runs/latest/brokers/{}/data", &name[1..]));
    let diff = stormglass(&["logs", "diff", &diff[0], &diff[1], &diff[2], "-p", "stormglass-0"], out.path());
    assert_eq!(diff.status.code(), Some(0), "{}", text(&diff));
}
