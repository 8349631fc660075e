//! Harm done to the files of a node that is down: flipped bits, lost ends, an empty disk.
//!
//! A log's segments are the `*.log` files of one folder; the last by name is the open one. A system that has none is taken at its
//! files: the one changed last is open. **Invariant:** the seed decides where there is a choice.

use nemesis::disk::{Damage, Segment, Wreck};
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// Says whose folder it is: a disk that takes another's place is prepared that far.
const IDENTITY: &str = "meta.properties";
const FLIPS_MAX: usize = 3;
const CUT_BYTES_MAX: u64 = 4096;
const FILES_MAX: usize = 100_000;

/// Does it; how much was harmed.
pub fn wreck(data: &Path, wreck: Wreck, seed: u64) -> io::Result<Damage> {
    let mut rng = Pcg64Mcg::seed_from_u64(seed);
    match wreck {
        Wreck::BitRot { segment } => rot(&pick(data, segment, &mut rng)?, &mut rng),
        Wreck::Truncate { segment } => cut(&pick(data, segment, &mut rng)?, &mut rng),
        Wreck::Wipe => wipe(data),
        Wreck::PowerLoss { .. } => Err(io::Error::other("files cannot tell what was synced")),
    }
}

fn files(data: &Path) -> io::Result<Vec<PathBuf>> {
    let (mut found, mut folders) = (Vec::new(), vec![data.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() && found.len() < FILES_MAX {
                found.push(entry.path());
            }
        }
    }
    found.sort();
    Ok(found)
}

fn pick(data: &Path, segment: Segment, rng: &mut impl Rng) -> io::Result<PathBuf> {
    let filled = |path: &PathBuf| fs::metadata(path).is_ok_and(|stat| stat.len() > 0);
    let all: Vec<PathBuf> = files(data)?.into_iter().filter(filled).collect();
    let is_log = |path: &&PathBuf| path.extension().is_some_and(|extension| extension == "log");
    let mut logs: BTreeMap<PathBuf, Vec<PathBuf>> = BTreeMap::new();
    for path in all.iter().filter(is_log) {
        logs.entry(path.parent().unwrap_or(data).to_owned()).or_default().push(path.clone());
    }
    let candidates: Vec<PathBuf> = match (segment, logs.is_empty()) {
        (Segment::Open, false) => logs.into_values().filter_map(|mut of_one| of_one.pop()).collect(),
        (Segment::Closed, false) => logs
            .into_values()
            .flat_map(|mut of_one| {
                of_one.pop();
                of_one
            })
            .collect(),
        (Segment::Open, true) => all.into_iter().max_by_key(|path| changed(path)).into_iter().collect(),
        (Segment::Closed, true) => {
            let last = all.iter().max_by_key(|path| changed(path)).cloned();
            all.into_iter().filter(|path| Some(path) != last.as_ref()).collect()
        }
    };
    candidates.choose(rng).cloned().ok_or_else(|| io::Error::other(format!("there is no {segment:?} segment to harm")))
}

fn changed(path: &Path) -> Option<std::time::SystemTime> {
    fs::metadata(path).and_then(|stat| stat.modified()).ok()
}

fn harmed(path: &Path, bytes: u64) -> Damage {
    Damage { bytes, files: 1, worst: vec![path.display().to_string()], ..Damage::default() }
}

fn rot(path: &Path, rng: &mut impl Rng) -> io::Result<Damage> {
    let file = OpenOptions::new().read(true).write(true).open(path)?;
    let len = file.metadata()?.len();
    let mut places: Vec<u64> = (0..rng.random_range(1..=FLIPS_MAX)).map(|_| rng.random_range(0..len)).collect();
    places.sort_unstable();
    places.dedup();
    for at in &places {
        let mut byte = [0];
        file.read_exact_at(&mut byte, *at)?;
        byte[0] ^= 1 << rng.random_range(0..8);
        file.write_all_at(&byte, *at)?;
    }
    file.sync_all()?;
    Ok(harmed(path, places.len() as u64))
}

fn cut(path: &Path, rng: &mut impl Rng) -> io::Result<Damage> {
    let file = OpenOptions::new().write(true).open(path)?;
    let len = file.metadata()?.len();
    let bytes = rng.random_range(1..=len.min(CUT_BYTES_MAX));
    file.set_len(len - bytes)?;
    file.sync_all()?;
    Ok(harmed(path, bytes))
}

fn wipe(data: &Path) -> io::Result<Damage> {
    let mut damage = Damage::default();
    for path in files(data)?.into_iter().filter(|path| *path != data.join(IDENTITY)) {
        damage.bytes += fs::metadata(&path)?.len();
        damage.files += 1;
        damage.names += 1;
    }
    for entry in fs::read_dir(data)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path())?;
        } else if entry.file_name() != IDENTITY {
            fs::remove_file(entry.path())?;
        }
    }
    File::open(data)?.sync_all()?;
    Ok(damage)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("t-0")).unwrap();
        for (name, len) in [("t-0/000.log", 1000), ("t-0/100.log", 2000), ("t-0/000.index", 10), (IDENTITY, 20)] {
            fs::write(folder.path().join(name), vec![7; len]).unwrap();
        }
        folder
    }

    fn content(folder: &Path, name: &str) -> Vec<u8> {
        fs::read(folder.join(name)).unwrap()
    }

    #[test]
    fn rot_changes_bits_of_the_segment_that_was_meant_and_of_no_other() {
        for (segment, hit, spared) in
            [(Segment::Open, "t-0/100.log", "t-0/000.log"), (Segment::Closed, "t-0/000.log", "t-0/100.log")]
        {
            let folder = folder();
            let damage = wreck(folder.path(), Wreck::BitRot { segment }, 3).unwrap();
            let changed = content(folder.path(), hit).iter().filter(|byte| **byte != 7).count() as u64;
            assert!(changed == damage.bytes && changed > 0);
            assert!(content(folder.path(), spared).iter().all(|byte| *byte == 7));
        }
    }

    #[test]
    fn a_cut_takes_the_end() {
        let folder = folder();
        let damage = wreck(folder.path(), Wreck::Truncate { segment: Segment::Open }, 3).unwrap();
        assert_eq!(content(folder.path(), "t-0/100.log").len() as u64, 2000 - damage.bytes);
    }

    #[test]
    fn an_empty_disk_still_says_whose_it_is() {
        let folder = folder();
        let damage = wreck(folder.path(), Wreck::Wipe, 3).unwrap();
        let left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!((left.len(), damage.bytes, damage.files), (1, 3010, 3));
        assert_eq!(left[0], IDENTITY);
    }

    #[test]
    fn the_same_seed_does_the_same_harm() {
        let (one, other) = (folder(), folder());
        for folder in [&one, &other] {
            wreck(folder.path(), Wreck::BitRot { segment: Segment::Open }, 9).unwrap();
        }
        assert_eq!(content(one.path(), "t-0/100.log"), content(other.path(), "t-0/100.log"));
    }

    #[test]
    fn nothing_to_harm_is_said() {
        let empty = tempfile::tempdir().unwrap();
        assert!(wreck(empty.path(), Wreck::Truncate { segment: Segment::Closed }, 1).is_err());
    }
}
