//! The test histories of a checkout of Porcupine, judged by the general search; its own tests say which verdicts are right.
//!
//! ```text
//! test_data/jepsen/etcd_*.log    registers with compare-and-set; verdicts from porcupine_test.go
//! test_data/kv/*.txt             a store of strings; verdicts from the files' names
//! ```

use super::cost::{Cost, best};
use crate::commands::Failure;
use checker::search::models::{cas_register::CasRegister, key_value::KeyValue};
use checker::search::{Budget, Model, Operation, Verdict, check, text};
use std::path::{Path, PathBuf};

const ROUNDS: usize = 10;

/// Histories of one kind.
pub struct Judged {
    /// How many.
    pub histories: usize,
    /// Operations of all of them.
    pub operations: usize,
    /// Of judging alone, all of them one after the other.
    pub cost: Cost,
    /// Those with another verdict than Porcupine's tests expect.
    pub wrong: Vec<String>,
}

struct History<I, O> {
    name: String,
    expected: bool,
    operations: Vec<Operation<I, O>>,
}

/// The etcd histories.
pub fn etcd(folder: &Path) -> Result<Judged, Failure> {
    let tests = std::fs::read_to_string(folder.join("porcupine_test.go")).map_err(Failure::unreadable)?;
    let mut histories = Vec::new();
    for (name, text) in files(&folder.join("test_data/jepsen"))?.into_iter().filter(|(_, text)| !text.is_empty()) {
        let Some(number) = name.strip_prefix("etcd_").and_then(|n| n.parse::<u32>().ok()) else { continue };
        let expected = tests.contains(&format!("checkJepsen(t, {number}, true)"));
        let operations = text::cas_register(&text).map_err(Failure::unreadable)?;
        histories.push(History { name, expected, operations });
    }
    judge(&CasRegister::default(), &histories)
}

/// The key-value histories.
pub fn stores(folder: &Path) -> Result<Judged, Failure> {
    let mut histories = Vec::new();
    for (name, text) in files(&folder.join("test_data/kv"))? {
        let (expected, operations) = (name.ends_with("-ok"), text::key_value(&text).map_err(Failure::unreadable)?);
        histories.push(History { name, expected, operations });
    }
    judge(&KeyValue, &histories)
}

/// Names without extension, and texts.
fn files(folder: &Path) -> Result<Vec<(String, String)>, Failure> {
    let entries = std::fs::read_dir(folder).map_err(|e| Failure::unreadable(format!("{}: {e}", folder.display())))?;
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    let name = |path: &PathBuf| path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let texts = paths.iter().map(|path| Ok((name(path), std::fs::read_to_string(path).map_err(Failure::unreadable)?)));
    texts.collect()
}

fn judge<M: Model>(model: &M, histories: &[History<M::Input, M::Output>]) -> Result<Judged, Failure> {
    let right =
        |history: &&History<M::Input, M::Output>| match check(model, &history.operations, &Budget::default()).verdict {
            Verdict::Linearizable => history.expected,
            Verdict::NotLinearizable { .. } => !history.expected,
            Verdict::Undecided => false,
        };
    let wrong: Vec<String> = histories.iter().filter(|h| !right(h)).map(|h| h.name.clone()).collect();
    let (histories_len, expected) = (histories.len(), histories.len() - wrong.len());
    let cost = best(ROUNDS, || histories.iter().filter(right).count() == expected)?;
    let operations = histories.iter().map(|h| h.operations.len()).sum();
    Ok(Judged { histories: histories_len, operations, cost, wrong })
}
