//! The mounted file system against a reference that is too simple to be wrong: random operations through the kernel, then a power loss,
//! then what is seen must be one of the states that the reference allows.
//!
//! `STORMGLASS_SEQUENCES` (200) says how many, `STORMGLASS_SEED` (1) where they begin. Without FUSE it says so and passes, unless
//! `STORMGLASS_REQUIRE_FUSE` is set.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    unsafe_code,
    reason = "a test that cannot go on fails, and says what it did"
)]

#[path = "model/reference.rs"]
mod reference;

use lazyfs::mount::Namespace;
use lazyfs::{Client, NameRule, Order, Start};
use nemesis::disk::Loss;
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork};
use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;
use reference::{Reference, View};
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const PATHS: [&str; 8] = ["a", "b", "c", "d/a", "d/b", "e/a", "e/b", "f"];
const FOLDERS: [&str; 2] = ["d", "e"];
const STEPS: std::ops::Range<usize> = 3..30;
const FAR_BYTES: u64 = 20_000;
const LONG_BYTES: usize = 9_000;

fn main() {
    let var = |name: &str, usual: u64| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual);
    let (count, first) = (var("STORMGLASS_SEQUENCES", 200), var("STORMGLASS_SEED", 1));
    let folder = tempfile::tempdir().unwrap();
    let (at, from) = (folder.path().join("mount"), folder.path().join("empty"));
    fs::create_dir(&at).unwrap();
    fs::create_dir(&from).unwrap();
    let mut namespace = Namespace::default();
    let (fd, mount) = match lazyfs::mount::at(&at, &mut namespace) {
        Ok(mounted) => mounted,
        Err(error) if std::env::var_os("STORMGLASS_REQUIRE_FUSE").is_none() => return println!("skipped: {error}"),
        Err(error) => panic!("{error}"),
    };
    let socket = folder.path().join("socket");
    let start = Start { socket: socket.clone(), from, rule: NameRule::Journal, seed: 1 };
    let server = serving(&start, fd);
    let mut client = connected(&socket);
    let began = Instant::now();
    for seed in first..first + count {
        sequence(&at, &mut client, seed);
    }
    client.order(&Order::End).unwrap();
    assert_eq!(waitpid(server, None).unwrap(), WaitStatus::Exited(server, 0));
    mount.detach();
    println!("{count} sequences from seed {first} in {:.1} s: no disagreement", began.elapsed().as_secs_f64());
}

/// The server, in a process of its own: in that of the mappings it could come to wait for a lock on their memory, which a page
/// fault holds while it waits for the server.
fn serving(start: &Start, fd: OwnedFd) -> Pid {
    // SAFETY: this process has one thread so far, so the child may do whatever it may.
    match unsafe { fork() }.unwrap() {
        ForkResult::Parent { child } => child,
        ForkResult::Child => {
            set_pdeathsig(Signal::SIGKILL).unwrap();
            std::process::exit(i32::from(lazyfs::serve(start, fd).is_err()));
        }
    }
}

fn connected(socket: &Path) -> Client {
    loop {
        if let Ok(client) = Client::connect(socket, Duration::from_secs(60)) {
            return client;
        }
        std::thread::yield_now();
    }
}

struct Run<'a> {
    root: &'a Path,
    rng: Pcg64Mcg,
    model: Reference,
    said: Vec<String>,
    /// Stores into mappings that are not synced reach the file system in an order of the kernel's own.
    unsynced_mappings: bool,
}

fn sequence(root: &Path, client: &mut Client, seed: u64) {
    let mut rng = Pcg64Mcg::seed_from_u64(seed);
    let loss = Loss::ALL[rng.random_range(0..Loss::ALL.len())];
    client.order(&Order::Wipe).unwrap();
    let model = Reference::default();
    let mut run = Run { root, rng, model, said: Vec::new(), unsynced_mappings: loss == Loss::All };
    // The second life begins with what the first power loss has left.
    for life in 0..2 {
        for _ in 0..run.rng.random_range(STEPS) {
            run.step();
        }
        assert_eq!(view(root), run.model.seen(), "seed {seed}, life {life}: {:#?}", run.said);
        client.lose(&Order::LosePower { loss, seed }).unwrap();
        let left = view(root);
        if let Err(why) = run.model.allows(&left, loss) {
            panic!("seed {seed}, life {life}, {loss:?}: {why}\n{:#?}", run.said);
        }
        run.model = Reference::of(left);
        run.said.push(format!("power loss: {loss:?}"));
    }
}

/// Every file with its content, every folder.
fn view(root: &Path) -> View {
    let (mut view, mut folders) = (View::default(), vec![PathBuf::new()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(root.join(&folder)).unwrap() {
            let entry = entry.unwrap();
            let path = folder.join(entry.file_name());
            let name = path.to_string_lossy().into_owned();
            if entry.file_type().unwrap().is_dir() {
                view.folders.insert(name);
                folders.push(path);
            } else {
                view.files.insert(name, fs::read(root.join(&path)).unwrap());
            }
        }
    }
    view
}

impl Run<'_> {
    fn path(&mut self) -> &'static str {
        PATHS[self.rng.random_range(0..PATHS.len())]
    }

    fn bytes(&mut self) -> Vec<u8> {
        let (len, byte): (usize, u8) = (self.rng.random_range(1..=LONG_BYTES), self.rng.random());
        (0..len).map(|at| byte ^ (at / 97) as u8).collect()
    }

    /// Both sides must agree on whether it can be done at all.
    fn agree(&mut self, what: String, real: std::io::Result<()>, model: Result<(), ()>) {
        assert_eq!(real.is_ok(), model.is_ok(), "{what}: {real:?}, after {:#?}", self.said);
        self.said.push(what);
    }

    fn step(&mut self) {
        match self.rng.random_range(0..100) {
            0..38 => self.write(),
            38..46 => self.truncate(),
            46..54 => self.map(),
            54..64 => self.rename(),
            64..70 => self.unlink(),
            70..78 => self.folder(),
            _ => self.sync(),
        }
    }

    fn write(&mut self) {
        let (path, data, at) = (self.path(), self.bytes(), self.rng.random_range(0..FAR_BYTES));
        let synced = self.rng.random_bool(0.15);
        let append = self.rng.random_bool(0.5);
        let real = || -> std::io::Result<()> {
            let mut options = OpenOptions::new();
            options.write(true).create(true).append(append);
            if synced {
                options.custom_flags(if data[0] % 2 == 0 { nix::libc::O_SYNC } else { nix::libc::O_DSYNC });
            }
            let mut file = options.open(self.root.join(path))?;
            if append { file.write_all(&data) } else { file.write_all_at(&data, at) }
        };
        let real = real();
        let at = if append { None } else { Some(at) };
        let model = self.model.write(path, at, &data);
        let model = if synced { model.and_then(|()| self.model.sync(path)) } else { model };
        self.agree(format!("write {path} at {at:?}, {} bytes, synced: {synced}", data.len()), real, model);
    }

    fn truncate(&mut self) {
        let (path, len) = (self.path(), self.rng.random_range(0..FAR_BYTES));
        let real = OpenOptions::new().write(true).open(self.root.join(path)).and_then(|file| file.set_len(len));
        let model = self.model.set_len(path, len as usize);
        self.agree(format!("truncate {path} to {len}"), real, model);
    }

    /// Stores into a shared mapping, synced by msync or, if the loss is total, perhaps not.
    fn map(&mut self) {
        let path = self.path();
        let Ok(file) = OpenOptions::new().read(true).write(true).open(self.root.join(path)) else { return };
        let len = file.metadata().unwrap().len() as usize;
        if len == 0 {
            return;
        }
        let (at, byte): (usize, u8) = (self.rng.random_range(0..len), self.rng.random());
        let count = self.rng.random_range(1..=(len - at).min(5000));
        let synced = !self.unsynced_mappings || self.rng.random_bool(0.5);
        // SAFETY: nobody else has the file, and it is not cut while it is mapped.
        let mut map = unsafe { memmap2::MmapMut::map_mut(&file) }.unwrap();
        map[at..at + count].fill(byte);
        if synced {
            map.flush().unwrap();
        }
        drop(map);
        self.model.write(path, Some(at as u64), &vec![byte; count]).unwrap();
        if synced {
            self.model.sync(path).unwrap();
        }
        self.said.push(format!("map {path}: {count} bytes at {at}, synced: {synced}"));
    }

    fn rename(&mut self) {
        let (from, to) = (self.path(), self.path());
        let real = fs::rename(self.root.join(from), self.root.join(to));
        let model = self.model.rename(from, to);
        self.agree(format!("rename {from} to {to}"), real, model);
    }

    fn unlink(&mut self) {
        let path = self.path();
        let (real, model) = (fs::remove_file(self.root.join(path)), self.model.unlink(path));
        self.agree(format!("unlink {path}"), real, model);
    }

    fn folder(&mut self) {
        let folder = FOLDERS[self.rng.random_range(0..FOLDERS.len())];
        if self.rng.random_bool(0.7) {
            let (real, model) = (fs::create_dir(self.root.join(folder)), self.model.create_folder(folder));
            self.agree(format!("mkdir {folder}"), real, model);
        } else {
            let (real, model) = (fs::remove_dir(self.root.join(folder)), self.model.remove_folder(folder));
            self.agree(format!("rmdir {folder}"), real, model);
        }
    }

    fn sync(&mut self) {
        if self.rng.random_bool(0.2) {
            let folder = ["", "d", "e"][self.rng.random_range(0..3)];
            let real = File::open(self.root.join(folder)).and_then(|file| file.sync_all());
            let model = self.model.sync_folder(folder);
            return self.agree(format!("fsync folder `{folder}`"), real, model);
        }
        let (path, data_only) = (self.path(), self.rng.random_bool(0.5));
        let real = File::open(self.root.join(path))
            .and_then(|file| if data_only { file.sync_data() } else { file.sync_all() });
        let model = self.model.sync(path);
        self.agree(format!("fsync {path}, data only: {data_only}"), real, model);
    }
}
