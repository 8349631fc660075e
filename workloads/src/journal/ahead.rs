//! The successor of a segment, made by a thread of its own while the segment is still written: making one takes milliseconds
//! (blocks, mapping, pages), and whoever appends would spend them with the journal locked.
//!
//! What was made and never needed has no name and is gone with the process. Deliberately absent: more than one ahead, and
//! errors: who finds no successor makes one, and meets what is wrong there.

use super::segment::{Segment, folder_of};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

/// One segment ahead, once it was asked for; its thread begins with the first question.
#[derive(Debug)]
pub(super) struct Ahead {
    folder: PathBuf,
    run: u64,
    thread: Option<Thread>,
    asked: bool,
}

#[derive(Debug)]
struct Thread {
    work: Sender<Work>,
    made: Receiver<Option<Segment>>,
}

#[derive(Debug)]
enum Work {
    Make,
    Unmap(Segment),
}

impl Ahead {
    /// For the journal at `path`.
    pub(super) fn new(path: &Path, run: u64) -> Ahead {
        Ahead { folder: folder_of(path).to_owned(), run, thread: None, asked: false }
    }

    /// Asks for a segment, unless one is under way.
    pub(super) fn ask(&mut self) {
        if self.asked {
            return;
        }
        if self.thread.is_none() {
            self.thread = start(self.folder.clone(), self.run);
        }
        self.asked = self.thread.as_ref().is_some_and(|thread| thread.work.send(Work::Make).is_ok());
    }

    /// What was asked for, waiting for it; `None` if nothing was or it could not be made.
    pub(super) fn take(&mut self) -> Option<Segment> {
        let thread = self.thread.as_ref().filter(|_| self.asked)?;
        self.asked = false;
        thread.made.recv().ok().flatten()
    }

    /// Unmaps a segment that is full, elsewhere if possible.
    pub(super) fn retire(&self, segment: Segment) {
        if let Some(thread) = &self.thread {
            // A thread that is gone gives it back, and it is unmapped here.
            let _ = thread.work.send(Work::Unmap(segment));
        }
    }
}

fn start(folder: PathBuf, run: u64) -> Option<Thread> {
    let ((work, todo), (sender, made)) = (channel(), channel());
    let body = move || {
        for work in todo {
            match work {
                Work::Make if sender.send(Segment::unnamed(&folder, run).ok()).is_err() => return,
                Work::Make => {}
                Work::Unmap(segment) => drop(segment),
            }
        }
    };
    thread::Builder::new().name("journal-ahead".into()).spawn(body).ok()?;
    Some(Thread { work, made })
}
