//! Power loss: what is seen becomes what was kept, and whatever of the un-synced changes the disk had got to.
//!
//! | mode | of the un-synced changes remain |
//! |---|---|
//! | all | none |
//! | prefix | those before a random moment, data and names alike |
//! | torn | the same, and of the next write its first sectors of 512 bytes |
//! | blocks | names before a random moment; of each file random blocks of 4 KiB and a random length in between |
//!
//! **Invariants:** every choice comes from the generator handed in. What was synced is never touched. Afterwards what is
//! seen is what is kept.

use crate::node::{Change, File, Ino, ROOT, What};
use crate::pages::{PAGE_BYTES, Pages};
use crate::tree::{Rename, Tree};
use nemesis::disk::{Damage, Loss};
use rand::Rng;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const SECTOR_BYTES: u64 = 512;
const WORST_MAX: usize = 5;

impl Tree {
    /// Loses what was not synced; says what was seen before and is not any more.
    pub fn lose_power(&mut self, loss: Loss, rng: &mut impl Rng) -> Damage {
        let (before, unsynced) = (self.contents(), self.unsynced());
        let names = self.forget_all_pending();
        match loss {
            Loss::All => (),
            Loss::Prefix | Loss::Torn => self.keep_prefix(&names, loss == Loss::Torn, rng),
            Loss::Blocks => self.keep_blocks(&names, rng),
        }
        self.see_what_is_kept();
        Damage { unsynced, ..damage(&before, &self.contents()) }
    }

    /// Changes that no sync has made durable.
    fn unsynced(&self) -> u64 {
        let files = self.nodes.values().filter_map(|node| match &node.what {
            What::File(file) => Some(file.pending.len()),
            _ => None,
        });
        (files.sum::<usize>() + self.pending_names.len()) as u64
    }

    /// Nothing is left at all.
    pub fn wipe(&mut self) -> Damage {
        let before = self.contents();
        self.forget_all_pending();
        if let Some(What::Folder(root)) = self.nodes.get_mut(&ROOT).map(|node| &mut node.what) {
            root.kept.clear();
        }
        self.see_what_is_kept();
        damage(&before, &self.contents())
    }

    fn files_mut(&mut self) -> Vec<&mut File> {
        let mut files: Vec<(&Ino, &mut File)> = self
            .nodes
            .iter_mut()
            .filter_map(|(ino, node)| match &mut node.what {
                What::File(file) => Some((ino, file)),
                _ => None,
            })
            .collect();
        // In the order of their numbers, or the same seed would choose differently.
        files.sort_unstable_by_key(|(ino, _)| **ino);
        files.into_iter().map(|(_, file)| file).collect()
    }

    fn keep_prefix(&mut self, names: &[(u64, Vec<Rename>)], torn: bool, rng: &mut impl Rng) {
        let data = self.files_mut().into_iter().flat_map(|file| file.pending.iter().map(|(seq, _)| *seq));
        let mut order: Vec<u64> = data.chain(names.iter().map(|(seq, _)| *seq)).collect();
        order.sort_unstable();
        let kept = rng.random_range(0..=order.len());
        let end = order.get(kept).copied().unwrap_or(u64::MAX);
        for file in self.files_mut() {
            for (_, change) in file.pending.iter().filter(|(seq, _)| *seq < end) {
                change.apply(&mut file.kept);
            }
            let next = file.pending.iter().find(|(seq, _)| *seq == end);
            if let (Some((_, Change::Write { at, data })), true) = (next, torn) {
                file.kept.write(*at, &data[..sectors(*at, data.len(), rng)]);
            }
        }
        for (_, renames) in names.iter().filter(|(seq, _)| *seq < end) {
            self.keep_names(renames);
        }
    }

    fn keep_blocks(&mut self, names: &[(u64, Vec<Rename>)], rng: &mut impl Rng) {
        for file in self.files_mut().into_iter().filter(|file| !file.pending.is_empty()) {
            file.kept = some_blocks(file, rng);
        }
        for (_, renames) in &names[..rng.random_range(0..=names.len())] {
            self.keep_names(renames);
        }
    }

    /// Every file by its path, as seen.
    pub fn contents(&self) -> BTreeMap<PathBuf, Pages> {
        let (mut contents, mut folders) = (BTreeMap::new(), vec![(PathBuf::new(), ROOT)]);
        while let Some((path, ino)) = folders.pop() {
            match self.nodes.get(&ino).map(|node| &node.what) {
                Some(What::File(file)) => _ = contents.insert(path, file.now.clone()),
                Some(What::Folder(folder)) => {
                    folders.extend(folder.now.iter().map(|(name, ino)| (path.join(name), *ino)));
                }
                _ => (),
            }
        }
        contents
    }
}

/// How much of a torn write remains: up to a random border of sectors inside it.
fn sectors(at: u64, len: usize, rng: &mut impl Rng) -> usize {
    let end = at + len as u64;
    let borders = end.div_ceil(SECTOR_BYTES).saturating_sub(at / SECTOR_BYTES + 1);
    let border = (at / SECTOR_BYTES + rng.random_range(0..=borders)) * SECTOR_BYTES;
    border.saturating_sub(at).min(len as u64) as usize
}

fn some_blocks(file: &File, rng: &mut impl Rng) -> Pages {
    let (short, long) = (file.now.len().min(file.kept.len()), file.now.len().max(file.kept.len()));
    let mut mixed = file.kept.clone();
    let mut touched: Vec<u64> = file.now.numbers().chain(file.kept.numbers()).collect();
    touched.sort_unstable();
    touched.dedup();
    for page in touched {
        let differs = file.now.read(page * PAGE_BYTES, PAGE_BYTES as usize)
            != file.kept.read(page * PAGE_BYTES, PAGE_BYTES as usize);
        if differs && rng.random_bool(0.5) {
            mixed.share_page(&file.now, page);
        }
    }
    let len = rng.random_range(short..=long);
    // Pages taken over may reach beyond the old end; the length comes last and clears what is beyond it.
    mixed.set_len(long);
    mixed.set_len(len);
    mixed
}

fn damage(before: &BTreeMap<PathBuf, Pages>, after: &BTreeMap<PathBuf, Pages>) -> Damage {
    let nothing = Pages::default();
    let mut hit: Vec<(u64, &Path)> = before
        .iter()
        .map(|(path, pages)| (pages.differing(after.get(path).unwrap_or(&nothing)), path.as_path()))
        .filter(|(bytes, _)| *bytes > 0)
        .collect();
    hit.sort_unstable_by(|a, b| b.cmp(a));
    let gone = before.keys().filter(|path| !after.contains_key(*path)).count();
    let back = after.keys().filter(|path| !before.contains_key(*path)).count();
    Damage {
        bytes: hit.iter().map(|(bytes, _)| bytes).sum(),
        files: hit.len() as u64,
        names: (gone + back) as u64,
        worst: hit.iter().take(WORST_MAX).map(|(_, path)| path.display().to_string()).collect(),
        ..Damage::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::{Ino, Meta};
    use crate::tree::{How, NameRule};
    use rand::SeedableRng;
    use rand_pcg::Pcg64Mcg;
    use std::ffi::OsStr;
    use std::time::SystemTime;

    const NOW: SystemTime = SystemTime::UNIX_EPOCH;

    fn meta() -> Meta {
        Meta::new(0o644, (1, 1), NOW)
    }

    fn tree(rule: NameRule) -> Tree {
        Tree::new(rule, meta())
    }

    fn file(tree: &mut Tree, name: &str, data: &[u8]) -> Ino {
        let ino = tree.create((ROOT, OsStr::new(name)), meta()).unwrap();
        tree.write(ino, 0, data, NOW).unwrap();
        ino
    }

    fn seen(tree: &Tree, name: &str) -> Option<Vec<u8>> {
        let ino = tree.look_up(ROOT, OsStr::new(name)).ok()?;
        tree.read(ino, 0, 1 << 20).ok()
    }

    fn lose(tree: &mut Tree, loss: Loss, seed: u64) -> Damage {
        tree.lose_power(loss, &mut Pcg64Mcg::seed_from_u64(seed))
    }

    #[test]
    fn what_was_synced_stays_and_what_was_not_goes() {
        let mut tree = tree(NameRule::Journal);
        let ino = file(&mut tree, "log", b"synced");
        tree.sync(ino).unwrap();
        tree.write(ino, 6, b", not synced", NOW).unwrap();
        file(&mut tree, "new", b"gone");
        let damage = lose(&mut tree, Loss::All, 1);
        assert_eq!((seen(&tree, "log"), seen(&tree, "new")), (Some(b"synced".to_vec()), None));
        assert_eq!((damage.bytes, damage.files, damage.names, damage.unsynced), (16, 2, 1, 3));
        let again = lose(&mut tree, Loss::All, 1);
        assert!(again.is_none() && again.unsynced == 0, "what a power loss left is durable");
    }

    #[test]
    fn a_name_is_durable_by_any_sync_or_only_by_its_folders() {
        for (rule, survives) in [(NameRule::Journal, true), (NameRule::Strict, false)] {
            let mut tree = tree(rule);
            let ino = file(&mut tree, "log", b"data");
            tree.sync(ino).unwrap();
            lose(&mut tree, Loss::All, 1);
            assert_eq!(seen(&tree, "log").is_some(), survives, "{rule:?}");
        }
        let mut tree = tree(NameRule::Strict);
        let ino = file(&mut tree, "log", b"data");
        tree.sync(ino).unwrap();
        tree.sync_folder(ROOT).unwrap();
        lose(&mut tree, Loss::All, 1);
        assert_eq!(seen(&tree, "log"), Some(b"data".to_vec()));
    }

    #[test]
    fn a_rename_that_was_not_synced_is_undone_and_the_replaced_file_is_back() {
        let mut tree = tree(NameRule::Journal);
        for (name, data) in [("a", b"old"), ("a.tmp", b"new")] {
            let ino = file(&mut tree, name, data);
            tree.sync(ino).unwrap();
        }
        let name = |n| (ROOT, OsStr::new(n));
        tree.rename(name("a.tmp"), name("a"), How::Replace, NOW).unwrap();
        assert_eq!((seen(&tree, "a"), seen(&tree, "a.tmp")), (Some(b"new".to_vec()), None));
        lose(&mut tree, Loss::All, 1);
        assert_eq!((seen(&tree, "a"), seen(&tree, "a.tmp")), (Some(b"old".to_vec()), Some(b"new".to_vec())));
    }

    #[test]
    fn a_prefix_keeps_the_writes_of_all_files_up_to_one_moment() {
        let mut states = std::collections::BTreeSet::new();
        for seed in 0..200 {
            let mut tree = tree(NameRule::Journal);
            let (a, b) = (file(&mut tree, "a", b""), file(&mut tree, "b", b""));
            tree.checkpoint();
            for n in 0..3 {
                tree.write(a, n, b"x", NOW).unwrap();
                tree.write(b, n, b"y", NOW).unwrap();
            }
            lose(&mut tree, Loss::Prefix, seed);
            let len = |name| seen(&tree, name).unwrap().len();
            assert!(len("a") == len("b") || len("a") == len("b") + 1);
            states.insert((len("a"), len("b")));
        }
        assert_eq!(states.len(), 7, "every moment is met");
    }

    #[test]
    fn a_torn_write_ends_at_a_border_of_sectors() {
        let mut lengths = std::collections::BTreeSet::new();
        for seed in 0..300 {
            let mut tree = tree(NameRule::Journal);
            let ino = file(&mut tree, "a", &[1; 100]);
            tree.checkpoint();
            tree.write(ino, 100, &[2; 1500], NOW).unwrap();
            lose(&mut tree, Loss::Torn, seed);
            lengths.insert(seen(&tree, "a").unwrap().len());
        }
        assert_eq!(lengths.into_iter().collect::<Vec<_>>(), [100, 512, 1024, 1536, 1600]);
    }

    #[test]
    fn random_blocks_are_old_or_new_and_nothing_else() {
        let mut mixed = false;
        for seed in 0..100 {
            let mut tree = tree(NameRule::Journal);
            let ino = file(&mut tree, "a", &[1; 5 * 4096]);
            tree.checkpoint();
            tree.write(ino, 0, &[2; 5 * 4096], NOW).unwrap();
            lose(&mut tree, Loss::Blocks, seed);
            let read = seen(&tree, "a").unwrap();
            assert!(read.chunks(4096).all(|block| block.iter().all(|b| *b == block[0]) && [1, 2].contains(&block[0])));
            mixed |= read.contains(&1) && read.contains(&2);
        }
        assert!(mixed);
    }

    #[test]
    fn after_a_failed_sync_a_second_one_that_succeeds_makes_nothing_durable() {
        let mut tree = tree(NameRule::Journal);
        let ino = file(&mut tree, "a", b"");
        tree.checkpoint();
        tree.write(ino, 0, b"lost for good", NOW).unwrap();
        tree.fail_sync(ino).unwrap();
        tree.sync(ino).unwrap();
        assert_eq!(seen(&tree, "a"), Some(b"lost for good".to_vec()), "it is still seen");
        lose(&mut tree, Loss::All, 1);
        assert_ne!(seen(&tree, "a"), Some(b"lost for good".to_vec()), "and it was never on disk");
    }
}
