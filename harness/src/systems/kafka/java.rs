//! The JVM: where it is, which version, how it is started small and quick.

use super::cache::{Home, no_start};
use super::release::Release;
use crate::commands::Failure;
use std::path::{Path, PathBuf};

/// A Java.
pub struct Java {
    /// Its program.
    pub program: PathBuf,
    /// E.g. `17.0.15`; `unknown` where it does not tell.
    pub version: String,
}

/// A heap in MiB.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Heap(pub u32);

/// A broker's.
pub const BROKER: Heap = Heap(192);
/// A controller's, or a tool's.
pub const SMALL: Heap = Heap(96);

const FLAGS: [&str; 10] = [
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Xss512k",
    "-XX:MaxDirectMemorySize=64m",
    "-XX:MaxMetaspaceSize=160m",
    "-XX:ReservedCodeCacheSize=64m",
    "-XX:-UsePerfData",
    "-Xlog:cds=off",
    "-Duser.timezone=UTC",
    "-Djava.net.preferIPv4Stack=true",
];

impl Java {
    /// `$JAVA_HOME/bin/java`, or the first of the `PATH`.
    pub fn find() -> Result<Java, String> {
        let home = std::env::var_os("JAVA_HOME").map(|home| Path::new(&home).join("bin/java"));
        let path = std::env::var_os("PATH").unwrap_or_default();
        let on_path = std::env::split_paths(&path).map(|folder| folder.join("java"));
        let program = home.into_iter().chain(on_path).find(|program| program.is_file());
        let program = program.ok_or_else(|| "there is no `java` in $JAVA_HOME or on the PATH".to_owned())?;
        let version = version(&program).unwrap_or_else(|| "unknown".into());
        Ok(Java { program, version })
    }

    /// Says no if it is too old for a release.
    pub fn check(&self, release: Release) -> Result<(), String> {
        let (needed, has) = (release.java_min(), major(&self.version));
        match has {
            Some(has) if has < needed => {
                let program = self.program.display();
                Err(format!("Kafka {release} needs Java {needed} or newer, and {program} is {}\n{HELP}", self.version))
            }
            _ => Ok(()),
        }
    }

    /// The command line of one of Kafka's programs. `extra` goes before the class path.
    pub fn argv(&self, home: &Home, heap: Heap, extra: &[String], main: &[String]) -> Vec<String> {
        let text = |path: &Path| path.to_string_lossy().into_owned();
        let mut argv = vec![text(&self.program), format!("-Xms{}m", heap.0), format!("-Xmx{}m", heap.0)];
        argv.extend(FLAGS.map(String::from));
        argv.extend_from_slice(extra);
        argv.extend(["-cp".to_owned(), text(&home.libs.join("*"))]);
        argv.extend_from_slice(main);
        argv
    }
}

const HELP: &str = "  help: install a Java runtime, e.g. `apt-get install openjdk-17-jre-headless`, or set JAVA_HOME";

/// No JVM: exit 69, and what to install.
pub fn no_java(why: String) -> Failure {
    no_start(format!("Apache Kafka needs a JVM: {why}\n{HELP}"))
}

/// From the file `release` beside the program's folder.
fn version(program: &Path) -> Option<String> {
    let home = std::fs::canonicalize(program).ok()?;
    let release = std::fs::read_to_string(home.ancestors().nth(2)?.join("release")).ok()?;
    let line = release.lines().find_map(|line| line.strip_prefix("JAVA_VERSION="))?;
    Some(line.trim_matches('"').to_owned())
}

/// `17.0.15` → 17, `1.8.0_392` → 8.
fn major(version: &str) -> Option<u32> {
    let mut parts = version.split(['.', '_', '-', '+']);
    match parts.next()?.parse().ok()? {
        1 => parts.next()?.parse().ok(),
        major => Some(major),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_java_that_is_too_old_is_refused_with_what_to_install() {
        let java = |version: &str| Java { program: "java".into(), version: version.into() };
        let check = |version: &str, release: &str| java(version).check(Release::parse(release));
        assert!(check("17.0.15", "4.1.0").is_ok() && check("11.0.2", "3.9.0").is_ok());
        assert!(check("1.8.0_392", "3.9.0").is_err());
        assert!(check("11.0.2", "4.1.0").unwrap_err().contains("openjdk-17-jre-headless"));
        assert!(check("unknown", "4.1.0").is_ok(), "a version nobody tells is tried");
    }
}
