//! A run's folder: where each file of a run lies, and the `runs` folder around it.
//!
//! ```text
//! runs/latest -> SCENARIO/20261121T023114Z-51ab      the run begun last
//! runs/index.jsonl                                   one line a finished run
//! runs/SCENARIO/20261121T023114Z-51ab/               a run: `run.json` and the files named below
//! ```
//! **Invariants:** a run never writes into another run's folder; `latest` always points at a folder that exists.

use crate::file::{self, FileError, Place, Problem, unread, unwritten};
use crate::json::Appender;
use crate::wall::Wall;
use history::NodeId;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Longest scenario name.
pub const SCENARIO_BYTES_MAX: usize = 100;
/// Most runs of one scenario begun within one second with one seed.
pub const SAME_NAME_MAX: u32 = 1000;

/// A run's folder, which exists.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RunFolder {
    path: PathBuf,
}

/// Why no folder could be made.
#[derive(Debug, Error)]
pub enum CreateError {
    /// The scenario's name cannot be a folder's.
    #[error("`{0}` cannot be a folder's name: 1 to {SCENARIO_BYTES_MAX} of a-z A-Z 0-9 . _ -, not starting with a dot")]
    Name(String),
    /// The operating system would not make it.
    #[error(transparent)]
    File(#[from] FileError),
}

/// One line of `index.jsonl`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct IndexLine {
    /// The folder, relative to the index.
    pub folder: String,
    /// The scenario.
    pub scenario: String,
    /// As in the manifest.
    pub seed: String,
    /// When it began.
    pub began: String,
    /// `PASS`, `VIOLATION`, `INCONCLUSIVE` or `ERROR`.
    pub verdict: String,
    /// The exit code.
    pub exit: u8,
}

impl RunFolder {
    /// Makes `out/SCENARIO/TIMEZ-SEED/`, with a number added if that is taken, and points `out/latest` at it.
    pub fn create(out: &Path, scenario: &str, began: Wall, seed: u64) -> Result<RunFolder, CreateError> {
        if !is_folder_name(scenario) {
            return Err(CreateError::Name(scenario.to_owned()));
        }
        let parent = out.join(scenario);
        fs::create_dir_all(&parent).map_err(unwritten(&parent))?;
        let stem = format!("{}-{:04x}", began.compact(), seed & 0xFFFF);
        let name = create_unique(&parent, &stem)?;
        let folder = RunFolder { path: parent.join(&name) };
        for inner in [folder.journals(), folder.configs(), folder.brokers()] {
            fs::create_dir(&inner).map_err(unwritten(&inner))?;
        }
        point(&out.join("latest"), &Path::new(scenario).join(name))?;
        Ok(folder)
    }

    /// Opens an existing run: a folder, or a link to one such as `runs/latest`, that has a manifest.
    pub fn open(path: &Path) -> Result<RunFolder, FileError> {
        let path = fs::canonicalize(path).map_err(unread(path))?;
        if !path.is_dir() {
            return Err(FileError::new(&path, Place::Whole, Problem::Foreign("a file, not a run's folder".into())));
        }
        let folder = RunFolder { path };
        file::open(&folder.manifest())?;
        Ok(folder)
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// `SCENARIO/TIMEZ-SEED`, as in the index.
    pub fn name(&self) -> String {
        let part =
            |path: Option<&Path>| path.and_then(Path::file_name).unwrap_or_default().to_string_lossy().into_owned();
        format!("{}/{}", part(self.path.parent()), part(Some(&self.path)))
    }

    /// Appends this run's line to the index of the `runs` folder it lies in.
    pub fn enter_index(&self, line: &IndexLine) -> Result<(), FileError> {
        let out = self.path.ancestors().nth(2).unwrap_or(&self.path);
        Appender::open(&out.join("index.jsonl"))?.append(line)
    }
}

/// The files of a run.
impl RunFolder {
    fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// What was run and on what; see [`crate::manifest`].
    pub fn manifest(&self) -> PathBuf {
        self.file("run.json")
    }

    /// The schedule before the run.
    pub fn plan(&self) -> PathBuf {
        self.file("plan.json")
    }

    /// Verdict, claims, coverage: the one file tools should read.
    pub fn verdict(&self) -> PathBuf {
        self.file("verdict.json")
    }

    /// Every anomaly.
    pub fn anomalies(&self) -> PathBuf {
        self.file("anomalies.jsonl")
    }

    /// Every operation; see [`crate::arrow`].
    pub fn history(&self) -> PathBuf {
        self.file("history.arrow")
    }

    /// Every record on every replica's disk; see [`crate::replicas`].
    pub fn replicas(&self) -> PathBuf {
        self.file("replicas.arrow")
    }

    /// What nodes and controllers wrote down; see [`crate::autopsy`].
    pub fn evidence(&self) -> PathBuf {
        self.file("evidence.jsonl")
    }

    /// Faults: asked, installed, effective with evidence, recovered.
    pub fn faults(&self) -> PathBuf {
        self.file("faults.jsonl")
    }

    /// Samples of leaders, epochs, in-sync replicas; broker starts and exits.
    pub fn cluster(&self) -> PathBuf {
        self.file("cluster.jsonl")
    }

    /// The interval log; see [`crate::latency`].
    pub fn latency(&self) -> PathBuf {
        self.file("latency.hlog")
    }

    /// The one-screen summary.
    pub fn summary(&self) -> PathBuf {
        self.file("summary.md")
    }

    /// The report.
    pub fn report(&self) -> PathBuf {
        self.file("report.html")
    }

    /// Configuration given and read back.
    pub fn configs(&self) -> PathBuf {
        self.file("configs")
    }

    /// Journal segments of the client processes.
    pub fn journals(&self) -> PathBuf {
        self.file("journal")
    }

    /// A new journal segment's file.
    pub fn journal(&self, name: &str) -> PathBuf {
        self.journals().join(format!("{name}.sgj"))
    }

    /// All brokers' folders.
    pub fn brokers(&self) -> PathBuf {
        self.file("brokers")
    }

    /// One broker's folder: its output and what is kept of its data.
    pub fn broker(&self, node: NodeId) -> PathBuf {
        self.brokers().join(node.0.to_string())
    }

    /// What a broker printed.
    pub fn broker_output(&self, node: NodeId) -> PathBuf {
        self.broker(node).join("stdout.log")
    }
}

fn is_folder_name(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    (1..=SCENARIO_BYTES_MAX).contains(&name.len()) && !name.starts_with('.') && name.bytes().all(plain)
}

fn create_unique(parent: &Path, stem: &str) -> Result<String, FileError> {
    for n in 1..SAME_NAME_MAX {
        let name = if n == 1 { stem.to_owned() } else { format!("{stem}-{n}") };
        match fs::create_dir(parent.join(&name)) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            made => return made.map(|()| name).map_err(unwritten(parent)),
        }
    }
    Err(unwritten(parent)(io::Error::other(format!("{SAME_NAME_MAX} runs are called {stem}"))))
}

fn point(link: &Path, target: &Path) -> Result<(), FileError> {
    let beside = file::beside(link);
    std::os::unix::fs::symlink(target, &beside).map_err(unwritten(link))?;
    fs::rename(&beside, link).map_err(unwritten(link))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json;

    #[test]
    fn runs_begun_in_one_second_with_one_seed_have_folders_of_their_own() {
        let out = tempfile::tempdir().unwrap();
        let names = [(); 3].map(|()| RunFolder::create(out.path(), "queue", Wall(0), 0x9f3c_51ab).unwrap().name());
        let stem = "queue/19700101T000000Z-51ab";
        assert_eq!(names, [stem.to_owned(), format!("{stem}-2"), format!("{stem}-3")]);
    }

    #[test]
    fn latest_is_the_run_begun_last_once_it_has_a_manifest() {
        let out = tempfile::tempdir().unwrap();
        let latest = out.path().join("latest");
        assert!(matches!(RunFolder::open(&latest).unwrap_err().problem, Problem::Missing));
        for seed in 0..3 {
            let made = RunFolder::create(out.path(), "queue", Wall(0), seed).unwrap();
            let missing = RunFolder::open(&latest).unwrap_err();
            assert!(missing.to_string().ends_with("run.json: missing"), "{missing}");
            json::write(&made.manifest(), &seed).unwrap();
            assert_eq!(RunFolder::open(&latest).unwrap().name(), made.name());
        }
        assert!(fs::read_link(&latest).unwrap().is_relative(), "a moved runs folder keeps its latest");
    }

    #[test]
    fn a_name_that_would_leave_the_folder_is_refused() {
        let out = tempfile::tempdir().unwrap();
        for name in ["", ".", "..", "../x", "a/b", "a b", ".hidden", &"x".repeat(101)] {
            assert!(matches!(RunFolder::create(out.path(), name, Wall(0), 0), Err(CreateError::Name(_))), "{name}");
        }
        assert_eq!(fs::read_dir(out.path()).unwrap().count(), 0);
    }

    #[test]
    fn the_index_has_a_line_a_run() {
        let out = tempfile::tempdir().unwrap();
        let folder = RunFolder::create(out.path(), "queue", Wall(0), 1).unwrap();
        let line = IndexLine {
            folder: folder.name(),
            scenario: "queue".into(),
            seed: "0x1".into(),
            began: Wall(0).to_string(),
            verdict: "PASS".into(),
            exit: 0,
        };
        folder.enter_index(&line).unwrap();
        folder.enter_index(&line).unwrap();
        let lines = json::read_lines::<IndexLine>(&out.path().join("index.jsonl")).unwrap();
        assert_eq!(lines.items, [line.clone(), line]);
    }
}
