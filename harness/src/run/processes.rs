//! The processes of a run, as the guard reports them: started, signalled, ended.
//!
//! **Invariant:** an end is told once by the guard and kept here for good; nobody else reads its events.

use crate::guard::{ChildId, ChildSpec, Event, Exited, Grouping, Guard, GuardError, Signal, Spawned};
use crate::systems::Launch;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// All processes of a run.
#[derive(Debug)]
pub struct Processes {
    guard: Guard,
    ended: BTreeMap<ChildId, Exited>,
    guard_gone: bool,
}

impl Processes {
    /// Starts the guard. To be called before the program has another thread.
    pub fn start() -> Result<Processes, GuardError> {
        let exe = std::env::current_exe().map_err(GuardError::Start)?;
        Ok(Processes { guard: Guard::start(&exe)?, ended: BTreeMap::new(), guard_gone: false })
    }

    /// Starts a process whose output, errors included, is appended to `output`.
    pub fn spawn(&mut self, argv: &[String], launch: &Launch, output: &Path) -> Result<Spawned, GuardError> {
        self.start_process(argv, launch, output, None)
    }

    fn start_process(
        &mut self,
        argv: &[String],
        launch: &Launch,
        output: &Path,
        serves: Option<PathBuf>,
    ) -> Result<Spawned, GuardError> {
        let mut words = launch.through.iter().chain(argv).cloned();
        self.guard.spawn(ChildSpec {
            program: PathBuf::from(words.next().unwrap_or_default()),
            args: words.collect(),
            env: launch.env.clone(),
            cwd: None,
            stdout: output.to_owned(),
            stderr: output.to_owned(),
            grouping: Grouping::Group,
            serves,
        })
    }

    /// Starts a process that serves a file system mounted at `at`; its standard input is the descriptor to serve.
    pub fn spawn_server(
        &mut self,
        argv: &[String],
        launch: &Launch,
        output: &Path,
        at: &Path,
    ) -> Result<Spawned, GuardError> {
        self.start_process(argv, launch, output, Some(at.to_owned()))
    }

    /// A temporary folder that goes when the guard does, whatever becomes of this process.
    pub fn make_folder(&mut self) -> Result<PathBuf, GuardError> {
        self.guard.make_folder()
    }

    /// Sends a signal; a process that has ended is not an error.
    pub fn signal(&mut self, child: ChildId, signal: Signal) -> Result<(), GuardError> {
        match self.guard.signal(child, signal) {
            Err(GuardError::NoSuchChild) => Ok(()),
            other => other,
        }
    }

    /// How the process ended, if it has.
    pub fn ended(&mut self, child: ChildId) -> Option<Exited> {
        self.take_events();
        self.ended.get(&child).copied()
    }

    /// Waits until the process has ended, at most `deadline`.
    pub fn wait_ended(&mut self, child: ChildId, deadline: Duration) -> Option<Exited> {
        let until = Instant::now() + deadline;
        loop {
            if let Some(exited) = self.ended(child) {
                return Some(exited);
            }
            let left = until.checked_duration_since(Instant::now()).filter(|_| !self.guard_gone)?;
            self.wait_event(left);
        }
    }

    /// Lets time pass until something ends, at most `deadline`.
    pub fn wait_event(&mut self, deadline: Duration) {
        if self.guard_gone {
            return crate::wait::pause(deadline);
        }
        if let Ok(event) = self.guard.events().recv_timeout(deadline) {
            self.take(event);
        }
    }

    /// Kills everything that is left and ends the guard.
    pub fn shutdown(self) -> Result<(), GuardError> {
        self.guard.shutdown().map(|_| ())
    }

    fn take_events(&mut self) {
        while let Ok(event) = self.guard.events().try_recv() {
            self.take(event);
        }
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Exited(exited) => {
                self.ended.insert(exited.child, exited);
            }
            Event::GuardGone => self.guard_gone = true,
        }
    }
}
