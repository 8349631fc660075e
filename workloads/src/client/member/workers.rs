//! Hand-off: the polling thread passes records on and goes on polling; others do the work.
//!
//! A log's records all go to the same worker, in order. What was passed on counts as done for the application's commits: that
//! is the damage (C03), for whatever waits in a worker's queue dies with the process.

use super::{ClientError, Commit, Member, Point, Taken};
use crate::client::{Context, die};
use crate::clock::{self, Deadline};
use crate::journal::Subject;
use history::{Kind, Nanos};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, channel};

/// Polls and hands on until the process is asked to stop, then waits for the workers.
pub(super) fn hand_on(member: &mut Member<'_>, count: u32) -> Result<(), ClientError> {
    let (context, app, process) =
        (member.context, member.app, member.membership.subject(Kind::Poll, history::LogId(0)).process);
    let worked = AtomicU64::new(0);
    let worker = Worker { context, process, work_us: app.work_us, falls: app.falls, worked: &worked };
    std::thread::scope(|scope| {
        let (queues, threads): (Vec<_>, Vec<_>) = (0..count.max(1))
            .map(|_| {
                let (sender, receiver) = channel::<Taken>();
                let worker = &worker;
                (sender, scope.spawn(move || worker.work(&receiver)))
            })
            .unzip();
        while !context.stop.asked() {
            let taken = member.fill()?;
            for one in &taken {
                // A worker that is gone has failed, and says so when it is joined.
                let _ = queues[one.log.0 as usize % queues.len()].send(*one);
            }
            member.mark(&taken);
            if !matches!(app.commit, Commit::Never | Commit::Library | Commit::Stored) {
                member.membership.commit(&member.library, &member.membership.owned())?;
            }
        }
        drop(queues);
        threads.into_iter().try_for_each(|thread| thread.join().unwrap_or(Err(ClientError::Panicked)))
    })
}

struct Worker<'a> {
    context: &'a Context,
    process: history::ProcessId,
    work_us: u64,
    falls: Option<crate::spec::Falls>,
    worked: &'a AtomicU64,
}

impl Worker<'_> {
    fn work(&self, queue: &Receiver<Taken>) -> Result<(), ClientError> {
        for one in queue {
            let invoked = clock::now();
            self.context.stop.wait(Deadline(Nanos(invoked.0 + self.work_us * super::NS_PER_US)));
            let worked = self.worked.fetch_add(1, Ordering::Relaxed);
            if self.falls.is_some_and(|falls| falls.at == Point::Working && falls.after == worked) {
                die();
            }
            let detail = one.record.offset.0 as u64;
            let subject = Subject { process: self.process, kind: Kind::Poll, log: one.log, detail };
            self.context.journal.read(subject, invoked, &[one.record])?;
        }
        Ok(())
    }
}
