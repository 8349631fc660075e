//! Every reader against bytes that nobody wrote: foreign histories, columnar files, changed at random (journals: the crate `history`).
//!
//! An answer is a history or an error that names its place; never a panic, never more memory than a small multiple of the
//! file. `STORMGLASS_HISTORIES` says how many to try of each file.

use checker::synth::{Shape, correct};
use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;
use results::arrow::history::write_source;
use results::foreign::{self, Format};
use std::path::Path;

fn tries(few: u64) -> u64 {
    std::env::var("STORMGLASS_HISTORIES").ok().and_then(|n| n.parse().ok()).unwrap_or(few)
}

/// The bytes with some changed, moved, doubled or cut off; parts of it in the middle of others.
fn garble(dice: &mut Pcg64Mcg, bytes: &[u8]) -> Vec<u8> {
    let mut garbled = bytes.to_vec();
    for _ in 0..dice.random_range(1..6) {
        let at = dice.random_range(0..garbled.len().max(1));
        let to = (at + dice.random_range(0..40)).min(garbled.len());
        match dice.random_range(0..6) {
            0 if at < garbled.len() => garbled[at] = dice.random(),
            1 if at < garbled.len() => garbled[at] = b" \n{}[]:\"\\-.9e#;,"[dice.random_range(0..16)],
            2 => drop(garbled.drain(at..to)),
            3 => {
                let part = garbled[at..to].to_vec();
                let into = dice.random_range(0..=garbled.len());
                garbled.splice(into..into, part);
            }
            4 => garbled.truncate(at),
            _ => drop(garbled.splice(at..at, *b"999999999999999999999")),
        }
    }
    garbled
}

fn files(folder: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut paths: Vec<_> =
        std::fs::read_dir(folder).expect("a folder of histories").flatten().map(|entry| entry.path()).collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).expect("a file of the folder")).collect()
}

#[test]
fn a_garbled_foreign_history_is_an_answer_in_every_format() {
    let mut dice = Pcg64Mcg::seed_from_u64(1);
    let (mut read, mut refused) = (0, 0);
    for bytes in files("tests/data/foreign").iter().chain(&files("../checker/src/search/samples")) {
        let Some(format) = foreign::detect(bytes) else { continue };
        for _ in 0..tries(60) {
            let garbled = garble(&mut dice, &bytes[..bytes.len().min(4096)]);
            match foreign::import(&garbled[..], format) {
                Ok(imported) if read % 8 == 0 => {
                    drop(foreign::judge(imported, format).text("garbled"));
                    read += 1;
                }
                Ok(_) => read += 1,
                Err(error) => {
                    assert!(!error.to_string().is_empty());
                    refused += 1;
                }
            }
        }
    }
    assert!(read > 100 && refused > 100, "{read} read, {refused} refused");
}

#[test]
fn a_garbled_columnar_file_is_judged_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.arrow");
    write_source(&path, &correct(Shape::small(1)).history).unwrap();
    let (bytes, mut dice) = (std::fs::read(&path).unwrap(), Pcg64Mcg::seed_from_u64(2));
    for _ in 0..tries(1500) {
        std::fs::write(&path, garble(&mut dice, &bytes)).unwrap();
        if let Err(error) = foreign::check(&path, Some(Format::Arrow)) {
            assert_eq!(error.exit().code(), 65, "{error}");
        }
    }
}
