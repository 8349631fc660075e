//! How many appends a log has seen so far, followed from the clients' journals while they are being written.
//!
//! For conditions of a schedule only: what is judged is merged afterwards, whole.

use history::journal::{self, Anchor, Entry, HEADER_WORDS};
use history::{Kind, LogId, Outcome};
use nemesis::cluster::Appends;
use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use workloads::journal::segment_path;

const CHUNK_BYTES: usize = 64 << 10;
const WORD: usize = 8;

/// Follows the journals of some clients.
#[derive(Debug, Default)]
pub struct Tally {
    tails: Vec<Tail>,
    appends: BTreeMap<LogId, Appends>,
}

#[derive(Debug)]
struct Tail {
    journal: PathBuf,
    segment: u32,
    word: usize,
    anchor: Anchor,
}

impl Tally {
    /// Follows a journal from its beginning.
    pub fn also(&mut self, journal: PathBuf) {
        self.tails.push(Tail { journal, segment: 0, word: HEADER_WORDS, anchor: Anchor::default() });
    }

    /// Reads what has been written since.
    pub fn refresh(&mut self) {
        for tail in &mut self.tails {
            tail.advance(&mut |entry| count(&mut self.appends, entry));
        }
    }

    /// Appends to a log, as of the last refresh.
    pub fn appends(&self, log: LogId) -> Appends {
        self.appends.get(&log).copied().unwrap_or_default()
    }

    /// Appends to all logs, as of the last refresh.
    pub fn total(&self) -> Appends {
        let sum = |a: Appends, b: &Appends| Appends {
            invoked: a.invoked + b.invoked,
            acked: a.acked + b.acked,
            acked_at: a.acked_at.max(b.acked_at),
        };
        self.appends.values().fold(Appends::default(), sum)
    }
}

fn count(appends: &mut BTreeMap<LogId, Appends>, entry: Entry<'_>) {
    match entry {
        Entry::Invoke { kind: Kind::Append, log, .. } => appends.entry(log).or_default().invoked += 1,
        Entry::Return { kind: Kind::Append, log, outcome: Outcome::Ok, returned, .. } => {
            let appends = appends.entry(log).or_default();
            appends.acked += 1;
            appends.acked_at = appends.acked_at.max(returned);
        }
        _ => {}
    }
}

impl Tail {
    fn advance(&mut self, each: &mut impl FnMut(Entry<'_>)) {
        loop {
            let path = segment_path(&self.journal, self.segment);
            let Ok(file) = File::open(&path) else { return };
            self.follow_segment(&file, each);
            if !segment_path(&self.journal, self.segment + 1).exists() {
                return;
            }
            // The writer left this segment before it made the next one: what is in it now is all there will be.
            self.follow_segment(&file, each);
            self.segment += 1;
            (self.word, self.anchor) = (HEADER_WORDS, Anchor::default());
        }
    }

    fn follow_segment(&mut self, file: &File, each: &mut impl FnMut(Entry<'_>)) {
        let mut bytes = vec![0; CHUNK_BYTES];
        loop {
            let Ok(read) = file.read_at(&mut bytes, (self.word * WORD) as u64) else { return };
            let words: Vec<u64> = bytes[..read].chunks_exact(WORD).map(word).collect();
            let (end, _) = journal::decode_from(&words, 0, &mut self.anchor, &mut *each);
            self.word += end;
            if end == 0 && !grow(&mut bytes, &words, read) || end > 0 && words.get(end) == Some(&0) || words.is_empty()
            {
                return;
            }
        }
    }
}

/// An entry longer than the chunk needs a longer one; says whether that may help.
fn grow(bytes: &mut Vec<u8>, words: &[u64], read: usize) -> bool {
    let helps = words.first().is_some_and(|w| *w != 0) && read == bytes.len();
    if helps {
        bytes.resize(bytes.len() * 2, 0);
    }
    helps
}

fn word(bytes: &[u8]) -> u64 {
    u64::from_le_bytes(bytes.try_into().unwrap_or_default())
}

/// The journals of a run folder.
pub fn journals_in(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|e| e.path()).filter(|p| p.extension().is_some_and(|e| e == "sgj")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use history::{Offset, ProcessId};
    use workloads::journal::{Answer, Journal, Subject};

    fn append(journal: &Journal, detail: u64) {
        let subject = Subject { process: ProcessId(0), kind: Kind::Append, log: LogId(1), detail };
        let invoked = journal.invoke(subject, history::Nanos(1)).unwrap();
        assert!(invoked.0 > 0);
        journal.complete(subject, Answer::ok(Offset(1))).unwrap();
    }

    #[test]
    fn a_live_journal_is_followed_across_segments_and_nothing_is_counted_twice() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p.sgj");
        let journal = Journal::create(&path, 7).unwrap();
        let mut tally = Tally::default();
        tally.also(path);
        let mut written = 0;
        for burst in [0, 1, 5, 2_000, 70_000, 3] {
            (written..written + burst).for_each(|n| append(&journal, n));
            written += burst;
            tally.refresh();
            let seen = tally.appends(LogId(1));
            assert_eq!((seen.invoked, seen.acked), (written, written));
        }
        assert_eq!((tally.total().acked, tally.appends(LogId(0)).acked), (written, 0));
    }
}
