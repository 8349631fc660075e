//! Bringing the client's jars into the cache: through Maven, which checks what it fetches.

use crate::commands::Failure;
use crate::run::Processes;
use crate::systems::kafka::cache::{no_start, run};
use std::fs;
use std::path::Path;
use std::time::Duration;

const DOWNLOAD_DEADLINE: Duration = Duration::from_secs(600);
const SLF4J: &str = "1.7.36";

/// Puts the jars of a release at `libs`, by one rename.
pub fn bring(release: &str, folder: &Path, libs: &Path, processes: &mut Processes) -> Result<(), Failure> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    if !std::env::split_paths(&path).any(|folder| folder.join("mvn").is_file()) {
        let help = format!("put kafka-clients-{release}.jar and what it needs into {}", libs.display());
        return Err(no_start(format!("fetching it needs `mvn`\n  help: apt-get install maven, or {help}")));
    }
    let work = tempfile::tempdir_in(folder).map_err(Failure::internal)?;
    let (pom, fetched) = (work.path().join("pom.xml"), work.path().join("libs"));
    fs::write(&pom, project(release)).map_err(Failure::internal)?;
    let argv = ["mvn", "-B", "-C", "-f", &pom.to_string_lossy(), "dependency:copy-dependencies"].map(String::from);
    let more = ["-DincludeScope=runtime".to_owned(), format!("-DoutputDirectory={}", fetched.display())];
    let argv: Vec<String> = argv.into_iter().chain(more).collect();
    run(&argv, &work.path().join("mvn.log"), DOWNLOAD_DEADLINE, processes)?;
    fs::rename(fetched, libs).map_err(Failure::internal)
}

fn project(release: &str) -> String {
    let dependency = |group: &str, artifact: &str, version: &str| {
        format!(
            "<dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId><version>{version}</version></dependency>"
        )
    };
    format!(
        "<project xmlns=\"http://maven.apache.org/POM/4.0.0\"><modelVersion>4.0.0</modelVersion><groupId>stormglass</groupId>\
         <artifactId>java-client</artifactId><version>{release}</version><dependencies>{}{}</dependencies></project>\n",
        dependency("org.apache.kafka", "kafka-clients", release),
        dependency("org.slf4j", "slf4j-simple", SLF4J),
    )
}
