//! One process's page and what the harness writes to it.
#![allow(unsafe_code)]

use crate::LIBRARY;
use crate::page::{MAGIC, PAGE_BYTES, Page, UNLIMITED, count, fsync};
use memmap2::MmapMut;
use nemesis::disk::{DiskCounts, DiskFault};
use nemesis::skew::{ClockReading, Skew};
use nix::time::{ClockId, clock_gettime};
use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering::{AcqRel, Relaxed, Release};

const LIBRARY_FILE: &str = "shim.so";
const PAGE_FILE: &str = "shim.page";

/// A process cannot be given the library.
#[derive(Debug)]
pub enum PreloadError {
    /// `LD_PRELOAD` cannot name the path.
    Path(PathBuf),
    /// A file cannot be made.
    Io(PathBuf, io::Error),
}

impl std::fmt::Display for PreloadError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            PreloadError::Path(path) => {
                write!(
                    f,
                    "LD_PRELOAD cannot name {}: a space or colon is in the path; put runs elsewhere",
                    path.display()
                )
            }
            PreloadError::Io(path, error) => write!(f, "{}: {error}", path.display()),
        }
    }
}

impl std::error::Error for PreloadError {}

/// What a process is started with, and the page it shares with us.
#[derive(Debug)]
pub struct Preload {
    map: MmapMut,
    library: PathBuf,
    page: PathBuf,
    data: PathBuf,
}

impl Preload {
    /// Puts library and page into `folder`, for processes whose disk is what lies below `data`. `seed` chooses which reads and writes
    /// fail. Both paths absolute.
    pub fn create(folder: &Path, data: &Path, seed: u64) -> Result<Preload, PreloadError> {
        let (library, page) = (folder.join(LIBRARY_FILE), folder.join(PAGE_FILE));
        let text = library.to_string_lossy();
        if text.contains(|c: char| c.is_whitespace() || c == ':') {
            return Err(PreloadError::Path(library));
        }
        let io = |path: &Path| {
            let path = path.to_owned();
            move |error| PreloadError::Io(path, error)
        };
        fs::write(&library, LIBRARY).map_err(io(&library))?;
        let map = map_new(&page).map_err(io(&page))?;
        // The kernel tells the library a path without links.
        let data = fs::canonicalize(data).map_err(io(data))?;
        let preload = Preload { map, library, page, data };
        preload.page().space_left.store(UNLIMITED, Relaxed);
        preload.page().random.store(seed, Relaxed);
        preload.page().magic.store(MAGIC, Release);
        Ok(preload)
    }

    /// Variables a process is to be started with. Libraries that were preloaded anyway stay so.
    pub fn env(&self) -> Vec<(String, String)> {
        let text = |path: &Path| path.to_string_lossy().into_owned();
        let others = std::env::var("LD_PRELOAD").map_or(String::new(), |others| format!(":{others}"));
        vec![
            ("LD_PRELOAD".into(), text(&self.library) + &others),
            ("STORMGLASS_SHIM".into(), text(&self.page)),
            ("STORMGLASS_SHIM_DIR".into(), text(&self.data)),
        ]
    }

    /// The folder that library and page are in.
    pub fn folder(&self) -> Option<&Path> {
        self.page.parent()
    }

    /// Removes library and page; processes that have them keep them.
    pub fn remove(&self) {
        let _ = fs::remove_file(&self.library);
        let _ = fs::remove_file(&self.page);
    }

    fn page(&self) -> &Page {
        // SAFETY: the mapping is page-aligned, as long as PAGE_BYTES and lives as long as `self`; every word of Page is an atomic,
        // for which any bits are valid, and nobody holds a plain reference into it.
        unsafe { &*self.map.as_ptr().cast::<Page>() }
    }

    /// How many processes have loaded the library with this page.
    pub fn loaded(&self) -> u64 {
        self.page().counts[count::LOADED].load(Relaxed)
    }

    /// The disk goes wrong like this from now on, and no other way any more.
    pub fn break_disk(&self, fault: DiskFault) {
        self.mend_disk();
        let page = self.page();
        match fault {
            DiskFault::FsyncLies => page.fsync_mode.store(fsync::LIE, Relaxed),
            DiskFault::FsyncFails => page.fsync_mode.store(fsync::FAIL, Relaxed),
            DiskFault::FsyncHangs => page.fsync_mode.store(fsync::HANG, Relaxed),
            DiskFault::FsyncSlow { ms } => {
                page.fsync_us.store(ms.saturating_mul(1000), Relaxed);
                page.fsync_mode.store(fsync::SLOW, Relaxed);
            }
            DiskFault::ReadsFail { ppm } => page.reads_fail_ppm.store(ppm, Relaxed),
            DiskFault::WritesFail { ppm } => page.writes_fail_ppm.store(ppm, Relaxed),
            DiskFault::Slow { us } => page.slow_us.store(us, Relaxed),
            DiskFault::Full { bytes_left } => {
                page.space_left.store(i64::try_from(bytes_left).unwrap_or(UNLIMITED), Relaxed);
            }
        }
        page.disk_broken.store(1, Release);
    }

    /// The disk is sound again; what hangs goes on.
    pub fn mend_disk(&self) {
        let page = self.page();
        page.disk_broken.store(0, Release);
        page.fsync_mode.store(fsync::REAL, Relaxed);
        page.reads_fail_ppm.store(0, Relaxed);
        page.writes_fail_ppm.store(0, Relaxed);
        page.slow_us.store(0, Relaxed);
        page.space_left.store(UNLIMITED, Relaxed);
    }

    /// What the disk has counted. Reads and writes count only while it is broken.
    pub fn counts(&self) -> DiskCounts {
        let count = |what: usize| self.page().counts[what].load(Relaxed);
        DiskCounts {
            reads: count(count::READS),
            writes: count(count::WRITES),
            fsyncs: count(count::FSYNCS),
            fsyncs_lied: count(count::FSYNCS_LIED),
            fsyncs_failed: count(count::FSYNCS_FAILED),
            fsyncs_slowed: count(count::FSYNCS_SLOWED),
            reads_failed: count(count::READS_FAILED),
            writes_failed: count(count::WRITES_FAILED),
            slowed: count(count::SLOWED),
            writes_full: count(count::WRITES_FULL),
        }
    }

    /// The wall clock goes wrong like this from now on, or is right again. Readings begin anew.
    pub fn skew(&self, skew: Option<Skew>) {
        const MILLION: i64 = 1_000_000;
        let page = self.page();
        let (offset, drift, strobe, every) = match skew {
            None => (0, 0, 0, 0),
            Some(Skew::Jump { ms }) => (ms.saturating_mul(MILLION), 0, 0, 0),
            Some(Skew::Drift { ppm }) => (0, ppm.saturating_mul(1000), 0, 0),
            Some(Skew::Strobe { ms, every_ms }) => {
                let every = i64::try_from(every_ms).unwrap_or(i64::MAX).max(1).saturating_mul(MILLION);
                (0, 0, ms.saturating_mul(MILLION), every)
            }
        };
        page.clock_seq.fetch_add(1, AcqRel);
        page.offset_ns.store(offset, Relaxed);
        page.since_ns.store(monotonic_ns(), Relaxed);
        page.drift_ppb.store(drift, Relaxed);
        page.strobe_ns.store(strobe, Relaxed);
        page.strobe_every_ns.store(every, Relaxed);
        page.clock_seq.fetch_add(1, AcqRel);
        page.counts[count::CLOCK_SKEWED].store(0, Relaxed);
        page.ahead_ns.store(0, Relaxed);
        page.behind_ns.store(0, Relaxed);
        page.clock_wrong.store(u32::from(skew.is_some()), Release);
    }

    /// What was told of the time since the last change.
    pub fn reading(&self) -> ClockReading {
        let ms = |ns: i64| ns / 1_000_000;
        let page = self.page();
        ClockReading {
            skewed: page.counts[count::CLOCK_SKEWED].load(Relaxed),
            ahead_ms: ms(page.ahead_ns.load(Relaxed)),
            behind_ms: ms(page.behind_ns.load(Relaxed)),
        }
    }

    /// Absolute waits whose end was put right.
    pub fn waits_corrected(&self) -> u64 {
        self.page().counts[count::WAITS_CORRECTED].load(Relaxed)
    }
}

fn map_new(path: &Path) -> io::Result<MmapMut> {
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(path)?;
    file.set_len(PAGE_BYTES as u64)?;
    // SAFETY: whoever shares the file changes it through atomics only, and nobody shortens it.
    unsafe { MmapMut::map_mut(&file) }
}

fn monotonic_ns() -> i64 {
    let time = clock_gettime(ClockId::CLOCK_MONOTONIC).expect("CLOCK_MONOTONIC exists on every Linux");
    time.tv_sec() * 1_000_000_000 + time.tv_nsec()
}

const _: () = assert!(size_of::<Page>() <= PAGE_BYTES);
