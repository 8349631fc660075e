//! Where a release lies: in the cache, or in a folder of the user's, whose derived files then lie in the cache too.

use super::release::Release;
use crate::commands::Failure;
use crate::guard::{Ended, Signal};
use crate::run::{Processes, last_lines};
use crate::systems::Launch;
use crate::systems::choice::KafkaSource;
use results::Exit;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A release's folders.
pub struct Home {
    /// Its own, in the cache.
    pub folder: PathBuf,
    /// Its jars.
    pub libs: PathBuf,
    /// The version to fetch, if it is not the user's own folder.
    pub version: Option<String>,
}

/// Held by whoever changes a release's folder.
pub const LOCK: &str = "lock";
const READ_BYTES: usize = 1 << 16;
const NAME_DIGITS: usize = 12;

impl Home {
    /// The folders of a source.
    pub fn of(source: &KafkaSource) -> Result<Home, String> {
        let all = root()?.join("kafka");
        match source {
            KafkaSource::Release(version) => {
                let folder = all.join(version);
                Ok(Home { libs: folder.join("libs"), folder, version: Some(version.clone()) })
            }
            KafkaSource::Folder(given) => {
                let given = fs::canonicalize(given).map_err(|e| {
                    let help = "a folder of jars, or a release in full, e.g. kafka=4.1.0";
                    format!("kafka={}: {e}\n  help: {help}", given.display())
                })?;
                let libs = Some(given.join("libs")).filter(|libs| libs.is_dir()).unwrap_or_else(|| given.clone());
                let name = hex(&Sha256::digest(given.to_string_lossy().as_bytes()));
                Ok(Home { folder: all.join(format!("folder-{}", &name[..NAME_DIGITS])), libs, version: None })
            }
        }
    }

    /// The release, by the name of its server's jar.
    pub fn release(&self) -> Release {
        let by_jar = self.server_jar().map(|version| Release::parse(&version));
        by_jar.or_else(|| self.version.as_deref().map(Release::parse)).unwrap_or_default()
    }

    /// The version in the name of the server's jar, if it is there.
    pub fn server_jar(&self) -> Option<String> {
        let names = self.jars().ok()?.into_iter();
        let mut names = names.filter_map(|jar| Some(jar.file_name()?.to_str()?.to_owned()));
        names.find_map(|name| Some(name.strip_prefix("kafka_2.13-")?.strip_suffix(".jar")?.to_owned()))
    }

    /// Its jars, by name.
    pub fn jars(&self) -> io::Result<Vec<PathBuf>> {
        let mut jars: Vec<PathBuf> = fs::read_dir(&self.libs)?.flatten().map(|entry| entry.path()).collect();
        jars.retain(|path| path.extension().is_some_and(|e| e == "jar"));
        jars.sort();
        Ok(jars)
    }

    /// Each jar's SHA-256, by name.
    pub fn digests(&self) -> io::Result<BTreeMap<String, String>> {
        let name = |jar: &Path| jar.file_name().unwrap_or_default().to_string_lossy().into_owned();
        self.jars()?.iter().map(|jar| Ok((name(jar), sha256(jar)?))).collect()
    }

    /// `46 jars, sha256 …`: the digest of the list of names and digests, as `sha256sum *.jar | sha256sum` tells it.
    pub fn digest(&self) -> io::Result<String> {
        let digests = self.digests()?;
        let list: String = digests.iter().map(|(name, digest)| format!("{digest}  {name}\n")).collect();
        Ok(format!("{} jars, sha256 {}", digests.len(), hex(&Sha256::digest(list.as_bytes()))))
    }

    /// Waits until nobody else changes this release's folder.
    pub fn lock(&self) -> Result<File, Failure> {
        fs::create_dir_all(&self.folder).map_err(Failure::internal)?;
        let file = File::create(self.folder.join(LOCK)).map_err(Failure::internal)?;
        file.lock().map_err(Failure::internal)?;
        Ok(file)
    }
}

/// `$XDG_CACHE_HOME/stormglass` or `~/.cache/stormglass`.
pub fn root() -> Result<PathBuf, String> {
    let set = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache")));
    base.map(|base| base.join("stormglass"))
        .ok_or_else(|| "there is no cache folder: set HOME or XDG_CACHE_HOME".into())
}

/// A file's SHA-256, hexadecimal.
pub fn sha256(path: &Path) -> io::Result<String> {
    digest_of::<Sha256>(path)
}

/// A file's digest, hexadecimal.
pub fn digest_of<D: Digest>(path: &Path) -> io::Result<String> {
    let (mut file, mut digest, mut buffer) = (File::open(path)?, D::new(), vec![0; READ_BYTES]);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hex(&digest.finalize())),
            n => digest.update(&buffer[..n]),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Runs a program to its end; what it printed is in `output`, and shown if it fails.
pub fn run(argv: &[String], output: &Path, deadline: Duration, processes: &mut Processes) -> Result<(), Failure> {
    let program = argv.first().map_or("", String::as_str);
    let failed = |how: String| no_start(format!("`{program}` {how}{}", last_lines(output)));
    let life = processes.spawn(argv, &Launch::default(), output).map_err(|e| failed(format!("does not start: {e}")))?;
    match processes.wait_ended(life.child, deadline).map(|exited| exited.ended) {
        Some(Ended::Code(0)) => Ok(()),
        Some(ended) => Err(failed(format!("failed ({ended:?})"))),
        None => {
            let _ = processes.signal(life.child, Signal::Kill);
            Err(failed(format!("did not end within {deadline:?}")))
        }
    }
}

/// Kafka cannot be started: exit 69.
pub fn no_start(text: impl std::fmt::Display) -> Failure {
    Failure { exit: Exit::NoBroker, text: text.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_distribution_and_a_bare_folder_of_jars_are_both_a_release() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("libs")).unwrap();
        fs::write(folder.path().join("libs/kafka_2.13-4.1.0.jar"), b"x").unwrap();
        for given in [folder.path().to_owned(), folder.path().join("libs")] {
            let home = Home::of(&KafkaSource::Folder(given)).unwrap();
            assert_eq!((home.release().to_string(), home.version), ("4.1.0".into(), None));
        }
    }

    #[test]
    fn the_digest_is_what_sha256sum_tells() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a.jar"), b"abc").unwrap();
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let list = hex(&Sha256::digest(format!("{abc}  a.jar\n")));
        let home = Home::of(&KafkaSource::Folder(folder.path().to_owned())).unwrap();
        assert_eq!(home.digest().unwrap(), format!("1 jars, sha256 {list}"));
    }
}
