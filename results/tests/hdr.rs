//! The latency log opens in the Java and in the Rust HdrHistogram readers, and both read the same quantiles from it.
//!
//! The Java side runs where there is a JVM and HdrHistogram's jar (`STORMGLASS_HDR_JAR`, or Maven's local repository); where
//! there is none, the test says so and compares nothing. STORMGLASS_HLOG names a run's own `latency.hlog` to compare as well.

use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;
use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};
use history::{Kind, LogId, Nanos, Offset, Op, Outcome, ProcessId, Value, WriterId};
use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;
use results::latency::Latency;
use results::manifest::Began;
use results::merge::Recording;
use results::phase::{Phases, Window};
use results::wall::Wall;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

const QUANTILES: [f64; 5] = [50.0, 90.0, 99.0, 99.9, 100.0];
const MS: u64 = 1_000_000;

const PROGRAM: &str = r#"
import org.HdrHistogram.*;
import java.io.File;
import java.util.*;

class Quantiles {
    public static void main(String[] args) throws Exception {
        HistogramLogReader reader = new HistogramLogReader(new File(args[0]));
        Map<String, Histogram> tags = new TreeMap<>();
        EncodableHistogram next;
        while ((next = reader.nextIntervalHistogram()) != null) {
            Histogram interval = (Histogram) next;
            tags.computeIfAbsent(interval.getTag(), tag -> new Histogram(interval)).add(interval);
        }
        for (Map.Entry<String, Histogram> tag : tags.entrySet()) {
            Histogram all = tag.getValue();
            StringBuilder line = new StringBuilder(tag.getKey() + " " + all.getTotalCount());
            for (double quantile : new double[] {50.0, 90.0, 99.0, 99.9, 100.0}) {
                line.append(' ').append(all.getValueAtPercentile(quantile));
            }
            System.out.println(line);
        }
    }
}
"#;

/// Appends, positions stored and transactions with latencies over five orders of magnitude, one fault in the middle.
fn recording() -> Recording {
    let mut dice = Pcg64Mcg::seed_from_u64(7);
    let mut recording = Recording::default();
    for n in 0..20_000u64 {
        let (kind, detail) = match n % 50 {
            0 => (Kind::Commit, 1 << 32),
            _ => (Kind::Append, Value::new(WriterId(1), n).0),
        };
        let (from, took) = (Nanos(n * MS), 1 << dice.random_range(10..31u32));
        let op = Op::invoke(kind, ProcessId(0), LogId(0), from);
        let op = op.complete(Outcome::Ok, Nanos(from.0 + took + dice.random_range(0..took)), Offset(n as i64));
        recording.history.ops.push(op.with_detail(detail));
        recording.intended.push(from);
    }
    recording
}

fn written(folder: &Path) -> PathBuf {
    let window = Window { name: "kill-leader".into(), from: Nanos(5_000 * MS), to: Nanos(9_000 * MS) };
    let path = folder.join("latency.hlog");
    let began = Began { wall: Wall(1_000_000_000_000), mono: Nanos(0) };
    Latency::measure(&recording(), &Phases::new(vec![window])).write_log(&path, &began).expect("the log is written");
    path
}

/// `tag count quantile…`, a line a tag.
fn read_by_rust(path: &Path) -> String {
    let text = std::fs::read(path).expect("the log was written");
    let mut tags: BTreeMap<String, Histogram<u64>> = BTreeMap::new();
    for entry in IntervalLogIterator::new(&text) {
        let LogEntry::Interval(interval) = entry.expect("an entry") else { continue };
        let bytes = base64(interval.encoded_histogram());
        let histogram: Histogram<u64> = Deserializer::new().deserialize(&mut &bytes[..]).expect("a histogram");
        let tag = interval.tag().expect("a tag").as_str().to_owned();
        match tags.get_mut(&tag) {
            Some(all) => all.add(&histogram).expect("the same bounds"),
            None => _ = tags.insert(tag, histogram),
        }
    }
    let line = |(tag, all): (&String, &Histogram<u64>)| {
        let quantiles: Vec<String> = QUANTILES.iter().map(|q| all.value_at_percentile(*q).to_string()).collect();
        format!("{tag} {} {}", all.len(), quantiles.join(" "))
    };
    tags.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn base64(text: &str) -> Vec<u8> {
    let digits = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bits, mut out) = (0u32, Vec::new());
    for (at, c) in text.bytes().filter(|c| *c != b'=').enumerate() {
        bits = bits << 6 | digits.iter().position(|d| *d == c).expect("a digit") as u32;
        if at % 4 > 0 {
            out.push((bits >> (6 - 2 * (at % 4))) as u8);
        }
    }
    out
}

fn jar() -> Option<PathBuf> {
    if let Some(jar) = std::env::var_os("STORMGLASS_HDR_JAR") {
        return Some(jar.into());
    }
    let home = PathBuf::from(std::env::var_os("HOME")?).join(".m2/repository/org/hdrhistogram/HdrHistogram");
    let versions = std::fs::read_dir(home).ok()?.flatten().map(|version| version.path());
    let jars = versions.flat_map(|version| std::fs::read_dir(version).into_iter().flatten().flatten());
    let mut jars: Vec<PathBuf> = jars.map(|f| f.path()).filter(|p| p.extension().is_some_and(|e| e == "jar")).collect();
    jars.sort();
    jars.pop()
}

#[test]
fn the_log_is_read_by_rust_with_every_tag_and_every_sample() {
    let folder = tempfile::tempdir().expect("a folder");
    let read = read_by_rust(&written(folder.path()));
    let tags: Vec<&str> = read.lines().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(tags, ["commit.kill-leader", "commit.quiet", "produce.kill-leader", "produce.quiet"]);
    let count = |line: &str| line.split(' ').nth(1).and_then(|n| n.parse::<u64>().ok()).unwrap_or(0);
    assert_eq!(read.lines().map(count).sum::<u64>(), 20_000);
}

#[test]
fn java_reads_the_same_quantiles_from_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let given = std::env::var_os("STORMGLASS_HLOG").map(PathBuf::from);
    let logs: Vec<PathBuf> = given.into_iter().chain([written(folder.path())]).collect();
    let program = folder.path().join("Quantiles.java");
    std::fs::write(&program, PROGRAM).expect("the program is written");
    let Some(jar) = jar() else { return skipped("HdrHistogram's jar is not there") };
    for log in logs {
        let ran = Command::new("java").arg("-cp").arg(&jar).arg(&program).arg(&log).output();
        let Ok(ran) = ran else { return skipped("there is no JVM") };
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        let (theirs, ours) = (String::from_utf8_lossy(&ran.stdout).trim().to_owned(), read_by_rust(&log));
        assert!(!ours.is_empty() && theirs == ours, "{}:\n{theirs}\nand\n{ours}", log.display());
    }
}

#[allow(clippy::print_stderr)] // the only way a test says that it did not test
fn skipped(why: &str) {
    eprintln!("skipped: {why}");
}
