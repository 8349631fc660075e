//! Bringing a release into the cache: through Maven where there is `mvn`, else as the release's own archive by `curl`.
//!
//! ```text
//! mvn -C dependency:copy-dependencies     jars by name; -C refuses what fails its repository's checksum
//! curl …/kafka_2.13-4.1.0.tgz{,.sha512}   the archive and its digest; tar takes libs/ out of it
//! ```
//! **Invariant:** `libs/` appears by one rename, whole and checked, or not at all.

use super::cache::{self, Home, digest_of, no_start};
use super::release::Release;
use crate::commands::Failure;
use crate::run::Processes;
use crate::terminal;
use sha2::Sha512;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where archives of releases lie; `STORMGLASS_KAFKA_MIRROR` names another place.
const MIRROR: &str = "https://archive.apache.org/dist/kafka";
const MIRROR_VARIABLE: &str = "STORMGLASS_KAFKA_MIRROR";
const DOWNLOAD_DEADLINE: Duration = Duration::from_secs(900);
const SHA512_DIGITS: usize = 128;
/// Version of the bridge from slf4j 1.7 to the logging that a release has.
const LOG4J2: &str = "2.24.3";
const SLF4J: &str = "1.7.36";

/// How a release is brought.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Way {
    Maven,
    Archive,
}

/// Fetches the release if it is not in the cache.
pub fn bring(home: &Home, processes: &mut Processes) -> Result<(), Failure> {
    let Some(version) = &home.version else {
        return match home.server_jar() {
            Some(_) => Ok(()),
            None => Err(no_start(format!("there is no kafka_2.13-VERSION.jar in {}", home.libs.display()))),
        };
    };
    if home.server_jar().is_some() {
        return Ok(());
    }
    let _turn = home.lock()?;
    if home.server_jar().is_some() {
        return Ok(());
    }
    terminal::progress(&format!("fetching Apache Kafka {version} into {}", home.folder.display()));
    let fetched = into(home, version, processes);
    if fetched.is_err() {
        // A folder with nothing but a lock in it would look like a release.
        let _ = fs::remove_file(home.folder.join(cache::LOCK)).and_then(|()| fs::remove_dir(&home.folder));
    }
    fetched
}

fn into(home: &Home, version: &str, processes: &mut Processes) -> Result<(), Failure> {
    let work = tempfile::tempdir_in(&home.folder).map_err(Failure::internal)?;
    let libs = match way(&std::env::var_os("PATH").unwrap_or_default()).ok_or_else(nothing_to_fetch_with)? {
        Way::Maven => by_maven(version, work.path(), processes)?,
        Way::Archive => by_archive(version, &mirror(), work.path(), processes)?,
    };
    fs::rename(libs, &home.libs).map_err(Failure::internal)?;
    match home.server_jar() {
        Some(_) => Ok(()),
        None => Err(no_start(format!("what was fetched of Kafka {version} has no server in it"))),
    }
}

fn mirror() -> String {
    std::env::var(MIRROR_VARIABLE).unwrap_or_else(|_| MIRROR.into())
}

/// How a release is brought with what is on this path.
fn way(path: &OsStr) -> Option<Way> {
    let has = |name: &str| std::env::split_paths(path).any(|folder| folder.join(name).is_file());
    match (has("mvn"), has("curl") && has("tar")) {
        (true, _) => Some(Way::Maven),
        (false, true) => Some(Way::Archive),
        (false, false) => None,
    }
}

fn nothing_to_fetch_with() -> Failure {
    no_start(
        "fetching Apache Kafka needs `mvn`, or `curl` and `tar`\n  help: apt-get install maven, or unpack a release and say \
         --broker kafka=DIR",
    )
}

fn by_maven(version: &str, work: &Path, processes: &mut Processes) -> Result<PathBuf, Failure> {
    let (pom, libs) = (work.join("pom.xml"), work.join("libs"));
    fs::write(&pom, project(version)).map_err(Failure::internal)?;
    let argv = ["mvn", "-B", "-C", "-f", &text(&pom), "dependency:copy-dependencies", "-DincludeScope=runtime"];
    let argv: Vec<String> =
        argv.into_iter().map(String::from).chain([format!("-DoutputDirectory={}", text(&libs))]).collect();
    match run(&argv, work, processes) {
        Ok(()) => Ok(libs),
        Err(_) if UNKNOWN_TO_MAVEN.iter().any(|what| says(work, "mvn", &what.replace('*', version))) => {
            Err(no_such_release(version))
        }
        Err(failure) => Err(failure),
    }
}

/// What Maven says of a server that no repository has, the first time and when it remembers; `*` is the version.
const UNKNOWN_TO_MAVEN: [&str; 2] =
    ["Could not find artifact org.apache.kafka:kafka_2.13:jar:*", "org.apache.kafka:kafka_2.13:jar:* was not found in"];
/// What curl says of a file that is not there.
const UNKNOWN_TO_CURL: &str = "error: 404";

/// True if a program printed this.
fn says(work: &Path, program: &str, what: &str) -> bool {
    fs::read_to_string(log_of(work, program)).is_ok_and(|log| log.contains(what))
}

fn no_such_release(version: &str) -> Failure {
    no_start(format!(
        "there is no Apache Kafka {version}\n  help: releases are written in full, e.g. kafka=4.1.0 or kafka=3.9.1"
    ))
}

/// The project that depends on the server of a release and on the logging that it expects.
fn project(version: &str) -> String {
    let logging = match Release::parse(version).is_4() {
        true => ("org.apache.logging.log4j", "log4j-slf4j-impl", LOG4J2),
        false => ("org.slf4j", "slf4j-reload4j", SLF4J),
    };
    let dependency = |(group, artifact, version): (&str, &str, &str)| {
        format!(
            "    <dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId><version>{version}</version></dependency>\n"
        )
    };
    format!(
        "<project xmlns=\"http://maven.apache.org/POM/4.0.0\">\n  <modelVersion>4.0.0</modelVersion>\n  \
         <groupId>stormglass</groupId><artifactId>kafka</artifactId><version>{version}</version>\n  <dependencies>\n{}{}  \
         </dependencies>\n</project>\n",
        dependency(("org.apache.kafka", "kafka_2.13", version)),
        dependency(logging),
    )
}

fn by_archive(version: &str, mirror: &str, work: &Path, processes: &mut Processes) -> Result<PathBuf, Failure> {
    let name = format!("kafka_2.13-{version}.tgz");
    let (archive, digest) = (work.join(&name), work.join("sha512"));
    for (end, to) in [("", &archive), (".sha512", &digest)] {
        let url = format!("{mirror}/{version}/{name}{end}");
        let argv = ["curl", "--fail", "--silent", "--show-error", "--location", "--output", &text(to), &url];
        match run(&argv.map(String::from), work, processes) {
            Err(_) if says(work, "curl", UNKNOWN_TO_CURL) => return Err(no_such_release(version)),
            done => done?,
        }
    }
    let told = fs::read_to_string(&digest).map_err(Failure::internal)?;
    let is = digest_of::<Sha512>(&archive).map_err(Failure::internal)?;
    if told_digest(&told) != Some(is.clone()) {
        return Err(no_start(format!("{name} is not what its digest says: its SHA-512 is {is}")));
    }
    run(&["tar", "-xzf", &text(&archive), "-C", &text(work)].map(String::from), work, processes)?;
    Ok(work.join(format!("kafka_2.13-{version}")).join("libs"))
}

/// The digest of a `.sha512` file: `NAME: AB12 CD34 …` over several lines, or `ab12cd34…  NAME`.
fn told_digest(text: &str) -> Option<String> {
    let after_name = text.split_once(':').map_or(text, |(_, rest)| rest);
    let mut digits = String::new();
    for word in after_name.split_whitespace().take_while(|word| word.chars().all(|c| c.is_ascii_hexdigit())) {
        digits += &word.to_ascii_lowercase();
    }
    (digits.len() == SHA512_DIGITS).then_some(digits)
}

/// Runs a program to its end; what it printed is shown if it fails.
fn run(argv: &[String], work: &Path, processes: &mut Processes) -> Result<(), Failure> {
    cache::run(argv, &log_of(work, &argv[0]), DOWNLOAD_DEADLINE, processes)
}

fn log_of(work: &Path, program: &str) -> PathBuf {
    work.join(format!("{program}.log"))
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_shapes_of_a_digest_file_are_read_and_others_are_not() {
        let digits = "0123456789abcdef".repeat(8);
        let groups: Vec<String> =
            digits.to_uppercase().as_bytes().chunks(8).map(|c| String::from_utf8_lossy(c).into()).collect();
        let gpg = format!(
            "kafka_2.13-4.1.0.tgz: {}\n                      {}\n",
            groups[..4].join(" "),
            groups[4..].join(" ")
        );
        assert_eq!(told_digest(&gpg), Some(digits.clone()));
        assert_eq!(told_digest(&format!("{digits}  kafka_2.13-4.1.0.tgz\n")), Some(digits.clone()));
        assert_eq!(told_digest(&digits[1..]), None);
        assert_eq!(told_digest("<html>not found</html>"), None);
    }

    #[test]
    fn maven_is_preferred_and_an_archive_needs_two_programs() {
        let folder = tempfile::tempdir().unwrap();
        let way = || way(folder.path().as_os_str());
        let install = |name: &str| fs::write(folder.path().join(name), b"").unwrap();
        assert_eq!(way(), None);
        install("curl");
        assert_eq!(way(), None);
        install("tar");
        assert_eq!(way(), Some(Way::Archive));
        install("mvn");
        assert_eq!(way(), Some(Way::Maven));
    }

    #[test]
    fn each_line_of_releases_gets_its_own_logging() {
        assert!(project("4.1.0").contains("log4j-slf4j-impl") && project("3.9.0").contains("slf4j-reload4j"));
    }
}
