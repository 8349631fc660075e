//! From our names of values, `writer.sequence`, back to the file's own, wherever they stand in a finding.

use crate::foreign::finding::ForeignFinding;
use history::{Value, WriterId};
use std::collections::{HashMap, HashSet};

/// The findings with the file's names in place of ours.
pub(super) fn renamed(
    mut found: Vec<ForeignFinding>,
    names: impl Fn(&HashSet<Value>) -> HashMap<String, String>,
) -> Vec<ForeignFinding> {
    let mut wanted = HashSet::new();
    for finding in &found {
        let texts = finding.evidence.iter().map(|evidence| &evidence.what).chain(&finding.values);
        for text in texts.chain([&finding.sentence]) {
            wanted.extend(text.split(' ').filter_map(|word| ours(bare(word))));
        }
    }
    let names = names(&wanted);
    for finding in &mut found {
        finding.sentence = renamed_text(&finding.sentence, &names);
        finding.values.iter_mut().for_each(|value| *value = renamed_text(value, &names));
        finding.evidence.iter_mut().for_each(|e| e.what = renamed_text(&e.what, &names));
    }
    found
}

/// A word without what stands around it in a sentence.
fn bare(word: &str) -> &str {
    word.trim_matches(|c: char| matches!(c, ',' | ';' | ':' | '(' | ')'))
}

/// Our name of a value, `writer.sequence`.
fn ours(word: &str) -> Option<Value> {
    let (writer, sequence) = word.split_once('.')?;
    let (writer, sequence) = (writer.parse().ok()?, sequence.parse().ok()?);
    (writer <= Value::WRITER_MAX && sequence <= Value::SEQUENCE_MAX).then(|| Value::new(WriterId(writer), sequence))
}

fn renamed_text(text: &str, names: &HashMap<String, String>) -> String {
    let word = |word: &str| match names.get(bare(word)) {
        Some(name) => word.replacen(bare(word), name, 1),
        None => word.to_owned(),
    };
    text.split(' ').map(word).collect::<Vec<_>>().join(" ")
}
