//! A node's data folder as a file system in memory, served by a process of its own (`stormglass lazyfs`) under the guard.
//!
//! ```text
//! brokers/1/data         what the node sees, a mount while it lasts
//! brokers/1/data.disk    what was there before; at the end what the node has written, and then `data` again
//! ```
//! **Invariant:** as long as `data.disk` is there, `data` is not what the node has written.

use crate::guard::Spawned;
use crate::run::Processes;
use crate::systems::Launch;
use crate::wait;
use lazyfs::mount::Mounted;
use lazyfs::{Client, Order};
use nemesis::cluster::Refusal;
use nemesis::disk::{Damage, DiskCounts, DiskFault, Loss};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

const SERVES_WITHIN: Duration = Duration::from_secs(20);
const PATIENCE: Duration = Duration::from_secs(30);
const ENDS_WITHIN: Duration = Duration::from_secs(10);

/// What it needs, added to why it is not to be had.
pub const HELP: &str = "; to have it: a readable and writable /dev/fuse and either root, unprivileged user namespaces, or \
                        fusermount3 (package fuse3)";

/// Where the content of a data folder is while the folder is in memory.
fn disk_of(data: &Path) -> PathBuf {
    data.with_extension("disk")
}

/// True if a data folder does not hold what its node has written: that was in memory, and never came back.
pub fn is_incomplete(data: &Path) -> bool {
    disk_of(data).exists()
}

fn said(error: impl std::fmt::Display) -> Refusal {
    Refusal(error.to_string())
}

/// One node's file system in memory.
#[derive(Debug)]
pub struct Memory {
    data: PathBuf,
    life: Spawned,
    client: Client,
}

impl Memory {
    /// Starts it over a data folder, whose content it takes in as durable; what it needs itself is put into `folder`.
    pub fn start(folder: &Path, data: &Path, seed: u64, processes: &mut Processes) -> Result<Memory, Refusal> {
        let (data, disk) = (data.to_owned(), disk_of(data));
        fs::rename(&data, &disk).and_then(|()| fs::create_dir(&data)).map_err(said)?;
        let socket = folder.join("lazyfs.sock");
        let exe = std::env::current_exe().map_err(said)?;
        let text = |path: &Path| path.to_string_lossy().into_owned();
        let argv = [
            vec![text(&exe), "lazyfs".into(), "--socket".into(), text(&socket)],
            vec!["--from".into(), text(&disk), "--seed".into(), format!("{seed:x}")],
        ]
        .concat();
        let log = folder.join("lazyfs.log");
        let put_back = |error: Refusal| {
            let _ = fs::remove_dir(&data).and_then(|()| fs::rename(&disk, &data));
            error
        };
        let life = processes.spawn_server(&argv, &Launch::default(), &log, &data).map_err(said).map_err(put_back)?;
        let connected = wait::until(SERVES_WITHIN, || match Client::connect(&socket, PATIENCE) {
            Ok(client) => Some(Some(client)),
            Err(_) => processes.ended(life.child).map(|_| None),
        });
        let not = || Refusal(format!("no file system in memory serves {}: see {}", data.display(), log.display()));
        let client = connected.flatten().ok_or_else(not).map_err(put_back)?;
        Ok(Memory { data, life, client })
    }

    /// How it was mounted, in words.
    pub fn how(&self) -> &'static str {
        match self.life.mounted {
            Some(Mounted::ByRoot) => "FUSE, mounted by root",
            Some(Mounted::InUserNamespace) => "FUSE, mounted in a user namespace",
            Some(Mounted::ByHelper) => "FUSE, mounted by fusermount3",
            None => "not mounted",
        }
    }

    /// Where this program sees the files, whoever else does.
    pub fn files(&self) -> PathBuf {
        let inside = self.data.strip_prefix("/").unwrap_or(&self.data);
        Path::new("/proc").join(self.life.pid.to_string()).join("root").join(inside)
    }

    fn order(&mut self, order: &Order) -> Result<(), Refusal> {
        self.client.order(order).map(drop).map_err(said)
    }

    /// Everything is durable as it is.
    pub fn checkpoint(&mut self) -> Result<(), Refusal> {
        self.order(&Order::Checkpoint)
    }

    /// Goes wrong like this.
    pub fn break_disk(&mut self, fault: DiskFault) -> Result<(), Refusal> {
        self.order(&Order::Break { fault })
    }

    /// Goes wrong no more.
    pub fn mend(&mut self) -> Result<(), Refusal> {
        self.order(&Order::Mend)
    }

    /// Loses what was not synced.
    pub fn lose_power(&mut self, loss: Loss, seed: u64) -> Result<Damage, Refusal> {
        self.client.lose(&Order::LosePower { loss, seed }).map_err(said)
    }

    /// What was counted.
    pub fn counts(&mut self) -> Result<DiskCounts, Refusal> {
        self.client.counts().map_err(said)
    }

    /// Writes everything into the folder, and ends.
    pub fn end(mut self, processes: &mut Processes) -> Result<(), Refusal> {
        let disk = disk_of(&self.data);
        self.order(&Order::Mend)?;
        self.order(&Order::WriteOut { to: disk.clone() })?;
        self.order(&Order::End)?;
        processes
            .wait_ended(self.life.child, ENDS_WITHIN)
            .ok_or_else(|| Refusal("the file system in memory does not end".into()))?;
        fs::remove_dir(&self.data).and_then(|()| fs::rename(&disk, &self.data)).map_err(said)
    }
}
