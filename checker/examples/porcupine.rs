//! Judges the test histories of a checkout of Porcupine and compares with the verdicts its own tests expect.
//!
//! ```text
//! cargo run --release -p stormglass-checker --example porcupine -- path/to/porcupine
//! ```
//! Reads `test_data/jepsen/etcd_*.log` (verdicts from `porcupine_test.go`) and `test_data/kv/*.txt` (verdicts from their
//! names); prints the time of judging alone, the best of several rounds, and exits with 1 if any verdict differs.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

use checker::search::models::{cas_register::CasRegister, key_value::KeyValue};
use checker::search::{Budget, Model, Operation, Verdict, check, text};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

const ROUNDS: usize = 10;

fn main() -> ExitCode {
    let folder = PathBuf::from(std::env::args().nth(1).unwrap_or_else(|| ".".into()));
    let tests = std::fs::read_to_string(folder.join("porcupine_test.go")).unwrap_or_default();
    let etcd = files(&folder.join("test_data/jepsen"), |path, text| {
        let number: u32 = path.file_stem()?.to_str()?.strip_prefix("etcd_")?.parse().ok()?;
        let expected = tests.contains(&format!("checkJepsen(t, {number}, true)"));
        Some(compare(path, &CasRegister::default(), &text::cas_register(text).unwrap(), expected))
    });
    let kv = files(&folder.join("test_data/kv"), |path, text| {
        let expected = path.file_stem()?.to_str()?.ends_with("-ok");
        let judged = compare(path, &KeyValue, &text::key_value(text).unwrap(), expected);
        println!("{}: {:?}, {} nodes", path.display(), judged.time, judged.nodes);
        Some(judged)
    });
    let wrong = etcd.iter().chain(&kv).filter(|j| !j.right).count();
    for (name, judged) in [("etcd", &etcd), ("kv", &kv)] {
        let time: Duration = judged.iter().map(|j| j.time).sum();
        let nodes: u64 = judged.iter().map(|j| j.nodes).sum();
        println!("{name}: {} histories, {nodes} nodes, {time:?}", judged.len());
    }
    println!("{wrong} verdicts differ");
    ExitCode::from(u8::from(wrong > 0))
}

struct Judged {
    right: bool,
    nodes: u64,
    time: Duration,
}

fn files(folder: &Path, judge: impl Fn(&Path, &str) -> Option<Judged>) -> Vec<Judged> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    let texts = paths.iter().map(|path| (path, std::fs::read_to_string(path).unwrap()));
    texts.filter(|(_, text)| !text.is_empty()).filter_map(|(path, text)| judge(path, &text)).collect()
}

fn compare<M: Model>(path: &Path, model: &M, ops: &[Operation<M::Input, M::Output>], expected: bool) -> Judged {
    let mut judged = Judged { right: true, nodes: 0, time: Duration::MAX };
    for _ in 0..ROUNDS {
        let start = Instant::now();
        let outcome = check(model, ops, &Budget::default());
        judged.time = judged.time.min(start.elapsed());
        judged.nodes = outcome.nodes;
        judged.right = match outcome.verdict {
            Verdict::Linearizable => expected,
            Verdict::NotLinearizable { .. } => !expected,
            Verdict::Undecided => false,
        };
    }
    if !judged.right {
        println!("{}: expected {expected}, {} operations, {} nodes", path.display(), ops.len(), judged.nodes);
    }
    judged
}
