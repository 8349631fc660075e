//! Apache Kafka's Java client on this machine: its jars and our program's classes in the cache, and the Java that runs them.
//!
//! **Invariants:** nothing of it is needed unless a scenario says `client = "java"`; what is missing then is said with the
//! reason, before anything starts. A release's folder is whole or not there: it appears by one rename. The program's classes
//! are those of its sources: a folder of its own for each digest of them and each Java.

mod fetch;

use crate::commands::Failure;
use crate::run::Processes;
use crate::systems::kafka::cache::{root, run};
use crate::systems::kafka::java::Java;
use crate::terminal;
use sha2::{Digest, Sha256};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;
use workloads::client::java::{FLAGS, MAIN, SOURCES};
use workloads::properties::{JavaNames, Side};
use workloads::spec::JavaPlace;

/// The release that is used where nobody says otherwise.
pub const RELEASE: &str = "4.1.0";

const COMPILE_DEADLINE: Duration = Duration::from_secs(120);
const ASK_DEADLINE: Duration = Duration::from_secs(30);
const DIGEST_BYTES: usize = 6;

/// A release of the client, ready to be used.
pub struct JavaClient {
    /// How a client process becomes it.
    pub place: JavaPlace,
    /// The properties it knows.
    pub names: JavaNames,
    folder: PathBuf,
}

/// Finds a release, bringing what is missing; why it cannot be used otherwise.
pub fn ready(release: &str) -> Result<JavaClient, String> {
    let wanted = Wanted::of(release)?;
    if !wanted.is_there() {
        let mut processes = Processes::start().map_err(|e| e.to_string())?;
        let brought = wanted.bring(&mut processes);
        let ended = processes.shutdown();
        brought.map_err(|failure| failure.text)?;
        ended.map_err(|e| e.to_string())?;
    }
    wanted.client()
}

/// The same where it was found before; nothing is brought.
pub fn found(release: &str) -> Result<JavaClient, String> {
    Wanted::of(release)?.client()
}

impl JavaClient {
    /// Which of these properties the client does not take, each with its own words.
    pub fn refuses(&self, side: Side, properties: &[(String, String)]) -> Result<Vec<(String, String)>, String> {
        if properties.is_empty() {
            return Ok(Vec::new());
        }
        let mut processes = Processes::start().map_err(|e| e.to_string())?;
        let said = self.ask(side, properties, &mut processes);
        let ended = processes.shutdown();
        let said = said.map_err(|failure| failure.text)?;
        ended.map_err(|e| e.to_string())?;
        let row = |line: &str| line.split_once('\t').map(|(name, why)| (name.to_owned(), why.to_owned()));
        let named = |row: &(String, String)| properties.iter().any(|(name, _)| *name == row.0);
        Ok(said.lines().filter_map(row).filter(named).collect())
    }

    fn ask(&self, side: Side, properties: &[(String, String)], processes: &mut Processes) -> Result<String, Failure> {
        let work = tempfile::tempdir_in(&self.folder).map_err(Failure::internal)?;
        let output = work.path().join("said");
        let side = if side == Side::Producer { "producer" } else { "consumer" };
        let asked = properties.iter().map(|(name, value)| format!("{name}={value}"));
        let words = ["check".to_owned(), side.to_owned()].into_iter().chain(asked);
        run(&argv(&self.place, words), &output, ASK_DEADLINE, processes)?;
        fs::read_to_string(output).map_err(Failure::internal)
    }
}

/// A release and where its parts belong.
struct Wanted {
    release: String,
    java: Java,
    folder: PathBuf,
    libs: PathBuf,
    classes: PathBuf,
}

impl Wanted {
    fn of(release: &str) -> Result<Wanted, String> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
        if release.is_empty() || !release.chars().all(plain) {
            return Err(format!("`{release}` is not a release of the Java client"));
        }
        let java = Java::find()?;
        let folder = root()?.join("kafka-clients").join(release);
        let mut digest = Sha256::new();
        SOURCES.iter().for_each(|(name, text)| digest.update([name.as_bytes(), text.as_bytes()].concat()));
        let digest: String = digest.finalize().iter().take(DIGEST_BYTES).map(|byte| format!("{byte:02x}")).collect();
        let classes = folder.join(format!("classes-{digest}-{}", java.version));
        Ok(Wanted { release: release.to_owned(), java, libs: folder.join("libs"), folder, classes })
    }

    fn names(&self) -> PathBuf {
        self.classes.join("names")
    }

    fn is_there(&self) -> bool {
        self.names().is_file()
    }

    fn place(&self) -> JavaPlace {
        let class_path = format!("{}:{}", self.classes.display(), self.libs.join("*").display());
        JavaPlace { program: self.java.program.clone(), class_path }
    }

    /// The jars one by one: the compiler, started as a module, expands no `*`.
    fn jars(&self) -> std::io::Result<String> {
        let mut jars: Vec<PathBuf> = fs::read_dir(&self.libs)?.flatten().map(|entry| entry.path()).collect();
        jars.retain(|path| path.extension().is_some_and(|e| e == "jar"));
        jars.sort();
        let jars: Vec<String> = jars.iter().map(|path| path.to_string_lossy().into_owned()).collect();
        Ok(jars.join(":"))
    }

    fn client(self) -> Result<JavaClient, String> {
        let text = fs::read_to_string(self.names()).map_err(|e| format!("{}: {e}", self.names().display()))?;
        let names = JavaNames::parse(&text);
        match names.is_empty() {
            true => Err(format!("{} names no properties", self.names().display())),
            false => Ok(JavaClient { place: self.place(), names, folder: self.folder }),
        }
    }

    fn bring(&self, processes: &mut Processes) -> Result<(), Failure> {
        fs::create_dir_all(&self.folder).map_err(Failure::internal)?;
        let lock = fs::File::create(self.folder.join("lock")).map_err(Failure::internal)?;
        lock.lock().map_err(Failure::internal)?;
        if !self.libs.is_dir() {
            terminal::progress(&format!("fetching the Java client {} into {}", self.release, self.folder.display()));
            fetch::bring(&self.release, &self.folder, &self.libs, processes)?;
        }
        if self.is_there() {
            return Ok(());
        }
        terminal::progress("compiling the program on the Java client, once");
        self.compile(processes)
    }

    /// Compiles the sources and asks the client for its properties.
    fn compile(&self, processes: &mut Processes) -> Result<(), Failure> {
        let work = tempfile::tempdir_in(&self.folder).map_err(Failure::internal)?;
        let (sources, classes) = (work.path().join("sources"), work.path().join("classes"));
        fs::create_dir(&sources).and_then(|()| fs::create_dir(&classes)).map_err(Failure::internal)?;
        let text = |path: &Path| path.to_string_lossy().into_owned();
        let mut argv_of_compiler = vec![text(&self.java.program)];
        let compiler = ["-m", "jdk.compiler/com.sun.tools.javac.Main", "-nowarn", "-XDignore.symbol.file", "-cp"];
        argv_of_compiler.extend(compiler.map(String::from));
        argv_of_compiler.extend([self.jars().map_err(Failure::internal)?, "-d".into(), text(&classes)]);
        for (name, source) in SOURCES {
            let path = sources.join(name);
            fs::write(&path, source).map_err(Failure::internal)?;
            argv_of_compiler.push(text(&path));
        }
        run(&argv_of_compiler, &work.path().join("compiler.log"), COMPILE_DEADLINE, processes)?;
        let class_path = format!("{}:{}", classes.display(), self.libs.join("*").display());
        let place = JavaPlace { program: self.java.program.clone(), class_path };
        run(&argv(&place, ["names".to_owned()]), &classes.join("names"), ASK_DEADLINE, processes)?;
        let _ = fs::remove_dir_all(&self.classes);
        fs::rename(classes, &self.classes).map_err(Failure::internal)
    }
}

fn argv(place: &JavaPlace, words: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut argv = vec![place.program.to_string_lossy().into_owned()];
    argv.extend(FLAGS.iter().map(|flag| (*flag).to_owned()));
    argv.extend(["-cp".to_owned(), place.class_path.clone(), MAIN.to_owned()]);
    argv.extend(words);
    argv
}
